// timer NANOSECONDS: computes for three seconds under a timer of that period, then SIGALRM ends it.
// That one is sent once and has the lower number, so it is delivered however many signals the timer
// sends.
#define _GNU_SOURCE
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static void nothing(int signal)
{
	(void)signal;
}

int main(int argc, char **argv)
{
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGRTMIN };
	struct itimerspec period = { .it_value.tv_nsec = argc > 1 ? atol(argv[1]) : 0 };
	volatile unsigned long work = 0;
	timer_t timer;

	period.it_interval = period.it_value;
	signal(SIGRTMIN, nothing);
	if (timer_create(CLOCK_MONOTONIC, &event, &timer))
		return 1;
	alarm(3);
	if (timer_settime(timer, 0, &period, NULL))
		return 1;
	for (;;)
		work++;
}
