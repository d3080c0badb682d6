/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Threads send themselves signals while a plugin is loaded and unloaded: storm PLUGIN ROUNDS. The
 * program's own link takes every signal. Prints how many were sent, and how many it took.
 */
#include "liblinux/signals.h"
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

enum { THREADS = 3 };

/* As liblinux_signal::Link has them. */
_Static_assert(sizeof(struct liblinux_signal_link) == 128, "a link's size");
_Static_assert(offsetof(struct liblinux_signal_link, handler) == 16, "its handler");
_Static_assert(offsetof(struct liblinux_signal_link, text_start) == 40, "its text");
_Static_assert(offsetof(struct liblinux_signal_link, memory_start) == 56, "its memory");
_Static_assert(offsetof(struct liblinux_signal_link, reserved) == 72, "its action");

static unsigned long taken, sent;
static volatile int is_over;

static int take(int signal, void *info, void *context, void *cookie)
{
	(void)signal, (void)info, (void)context, (void)cookie;
	__atomic_add_fetch(&taken, 1, __ATOMIC_RELAXED);
	return 1;
}

static struct liblinux_signal_link link = { .signal = SIGUSR1, .order = 1, .handler = take };

static struct liblinux_signal_link own;
static long outcome;

/* A handler that removes its own link learns that it is in flight. */
static int leave(int signal, void *info, void *context, void *cookie)
{
	(void)signal, (void)info, (void)context, (void)cookie;
	outcome = liblinux_signal_remove(0, &own);
	return 0;
}

static void *send(void *argument)
{
	(void)argument;
	while (!is_over) {
		__atomic_add_fetch(&sent, 1, __ATOMIC_RELAXED);
		raise(SIGUSR1);
	}
	return 0;
}

int main(int count, char **arguments)
{
	int rounds = count > 2 ? atoi(arguments[2]) : 0, i;
	pthread_t threads[THREADS];

	if (liblinux_signal_add(0, &link) || liblinux_signal_add(0, &link) != -EEXIST)
		return 2;
	own.signal = SIGUSR1;
	own.handler = leave;
	if (liblinux_signal_add(0, &own))
		return 3;
	raise(SIGUSR1);
	if (outcome != -EBUSY || liblinux_signal_remove(0, &own) || liblinux_signal_remove(0, &own) != -ENOENT)
		return 4;
	taken = 0;
	for (i = 0; i < THREADS; i++)
		pthread_create(&threads[i], 0, send, 0);
	for (i = 0; i < rounds; i++) {
		void *plugin = dlopen(arguments[1], RTLD_NOW);

		if (!plugin) {
			fprintf(stderr, "%s\n", dlerror());
			return 5;
		}
		dlclose(plugin);
	}
	is_over = 1;
	for (i = 0; i < THREADS; i++)
		pthread_join(threads[i], 0);
	printf("sent %lu taken %lu\n", sent, taken);
	return sent == taken ? 0 : 6;
}
