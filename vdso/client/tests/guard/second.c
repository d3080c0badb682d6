#include "shared.h"

int second(int what)
{
	return what ? (int)DIVIDE(42, (unsigned int)what - 1) : PEEK((const void *)8);
}
