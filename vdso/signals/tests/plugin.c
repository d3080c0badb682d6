/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* A library whose link is there while it is loaded. Its handler looks, and leaves the signal. */
#include "liblinux/signals.h"
#include <signal.h>
#include <stdlib.h>

static int handle(int signal, void *info, void *context, void *cookie)
{
	volatile int *seen = cookie;
	int i;

	(void)signal, (void)info, (void)context;
	/* Long enough for the library to be on its way out. */
	for (i = 0; i < 1000; i++)
		(*seen)++;
	return 0;
}

static int seen;
static struct liblinux_signal_link link = {
	.signal = SIGUSR1,
	.handler = handle,
	.cookie = &seen,
	.mask = 1 << (SIGUSR2 - 1),
};

__attribute__((constructor)) static void load(void)
{
	if (liblinux_signal_add(0, &link))
		abort();
}

__attribute__((destructor)) static void unload(void)
{
	if (liblinux_signal_remove_wait(0, &link))
		abort();
}
