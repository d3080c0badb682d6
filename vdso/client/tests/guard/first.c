/* Faults in both files land. 0, or the number of what did not. */
#define LIBLINUX_FIXUPS
#include "shared.h"

static const unsigned char there = 42;

int main(void)
{
	if (liblinux_fixups_status)
		return liblinux_fixups_status == -17 ? 2 : 1;
	if (DIVIDE(42, 6) != 7 || DIVIDE(42, 0) != -1)
		return 3;
	if (PEEK(&there) != 42 || PEEK((const void *)8) != -1)
		return 4;
	if (second(7) != 7 || second(1) != -1)
		return 5;
	if (second(0) != -1)
		return 6;
	return 0;
}
