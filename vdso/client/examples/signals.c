/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * One signal, three that handle it: a handler of sigaction that was there before, a link that takes
 * every other signal, and one that only counts.
 */
#include "liblinux/signals.h"
#include <signal.h>
#include <stdio.h>

static volatile int earlier, taken, counted;

static void before(int signal)
{
	(void)signal;
	earlier++;
}

static int every_other(int signal, void *info, void *context, void *cookie)
{
	(void)signal, (void)info, (void)context, (void)cookie;
	return counted % 2 && ++taken;
}

static int count(int signal, void *info, void *context, void *cookie)
{
	(void)signal, (void)info, (void)context, (void)cookie;
	counted++;
	return 0;
}

static struct liblinux_signal_link taker = LIBLINUX_SIGNAL_LINK(SIGUSR1, every_other);
static struct liblinux_signal_link observer = LIBLINUX_SIGNAL_LINK(SIGUSR1, count);

int main(void)
{
	int i;

	signal(SIGUSR1, before);
	observer.order = -1;
	observer.flags = LIBLINUX_SIGNAL_OBSERVER;
	if (liblinux_signal_add(0, &taker) || liblinux_signal_add(0, &observer))
		return 1;
	for (i = 0; i < 10; i++)
		raise(SIGUSR1);
	printf("counted %d, taken %d, left to the handler before %d\n", counted, taken, earlier);
	return liblinux_signal_remove_wait(0, &taker) || liblinux_signal_remove_wait(0, &observer);
}
