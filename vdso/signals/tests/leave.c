/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Handlers of links that never return. Prints what removing says of each then, and whether the
 * thread's own cleanup ran.
 */
#define _GNU_SOURCE
#include "liblinux/signals.h"
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static const char *how;
static volatile int is_there, cleaned;
static __thread sigjmp_buf outside;

static int leave(int signal, void *info, void *context, void *cookie)
{
	(void)signal, (void)info, (void)context, (void)cookie;
	is_there = gettid();
	if (!strcmp(how, "exits"))
		pthread_exit(NULL);
	if (!strcmp(how, "ends"))
		syscall(SYS_exit, 0);
	if (strcmp(how, "is cancelled"))
		siglongjmp(outside, 1);
	for (;;)
		pause();
}

static void clean(void *unused)
{
	(void)unused;
	cleaned = 1;
}

static void *run(void *unused)
{
	pthread_cleanup_push(clean, NULL);
	if (!sigsetjmp(outside, 1))
		raise(SIGUSR1);
	pthread_cleanup_pop(0);
	return unused;
}

int main(void)
{
	static const char *const ways[] = { "exits", "is cancelled", "jumps", "jumps as it said", "ends" };
	static struct liblinux_signal_link links[sizeof(ways) / sizeof(*ways)];

	for (unsigned long i = 0; i < sizeof(ways) / sizeof(*ways); i++) {
		struct liblinux_signal_link *link = &links[i];
		pthread_t thread;
		long outcome;

		how = ways[i];
		is_there = cleaned = 0;
		link->signal = SIGUSR1;
		link->handler = leave;
		if (!strcmp(how, "jumps as it said"))
			link->flags = LIBLINUX_SIGNAL_NO_RETURN;
		if (liblinux_signal_add(NULL, link) || pthread_create(&thread, NULL, run, NULL))
			return 1;
		while (!is_there)
			sched_yield();
		if (!strcmp(how, "is cancelled"))
			pthread_cancel(thread);
		/* musl never joins a thread that ended by the system call. */
		if (strcmp(how, "ends"))
			pthread_join(thread, NULL);
		while (!syscall(SYS_tgkill, getpid(), is_there, 0))
			sched_yield();
		outcome = liblinux_signal_remove(NULL, link);
		printf("%s: %s%s\n", how, outcome == -EBUSY ? "busy" : outcome ? "?" : "removed", cleaned ? ", cleaned" : "");
	}
	return 0;
}
