/* A destructor that takes its time, behind those of the DSO with fixups. */
#include <time.h>

int slow_is_there;

__attribute__((destructor(50))) static void slow_down(void)
{
	struct timespec delay = { 0, 50 * 1000 * 1000 };

	nanosleep(&delay, 0);
}
