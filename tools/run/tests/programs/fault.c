/*
 * Gives a standard function a bad pointer. With an argument it stays in its
 * signal's handler, for a debugger to look at it; otherwise it dies.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

static void stay(int signal)
{
	(void)signal;
	puts("faulted");
	fflush(stdout);
	for (;;)
		pause();
}

int main(int argc, char **argv)
{
	/* A pointer that no compiler knows. */
	struct timespec *volatile bad = (struct timespec *)(argc + 15UL);

	(void)argv;
	if (argc > 1)
		signal(SIGSEGV, stay);
	return clock_gettime(CLOCK_MONOTONIC, bad) + 1;
}
