/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * A worker that blocks in accept, read or futex and is called off: no polling, no pipe to wake it,
 * no time-out, and no connection that was taken and is lost.
 *
 *   cc -O2 -pthread -Ivdso/client/include vdso/client/examples/cancel.c -o target/cancel
 *   cargo xtask run -- target/cancel
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/auxv.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "liblinux.h"
#include "liblinux/cancel.h"

static struct liblinux_cancel worker;
static int ready[2];
static int listener, pipe_ends[2];
static unsigned int word;

static void report(const char *call, long result)
{
	printf("%s: %s\n", call, result == -ECANCELED ? "called off" : "not called off");
	liblinux_cancel_reset(&worker);
	if (write(ready[1], "", 1) != 1)
		perror("write");
}

static void *work(void *image)
{
	char byte;

	if (liblinux_cancel_init(&worker, image, SIGURG)) {
		fprintf(stderr, "the image has no cancellable calls: run this with `cargo xtask run --`\n");
		_exit(1);
	}
	if (write(ready[1], "", 1) != 1)
		perror("write");
	report("accept", worker.call(&worker.state, SYS_accept, (long)listener, 0L, 0L));
	report("read", worker.call(&worker.state, SYS_read, (long)pipe_ends[0], &byte, 1L));
	report("futex", worker.call(&worker.state, SYS_futex, &word, 0L, 0L, 0L, 0L, 0L));
	return NULL;
}

static int open_descriptors(void)
{
	int open = 0;

	for (int number = 0; number < 1024; number++)
		open += fcntl(number, F_GETFD) >= 0;
	return open;
}

int main(void)
{
	const void *image = liblinux_find(getauxval(AT_SYSINFO_EHDR));
	pthread_t thread;
	char byte;
	int before;

	listener = socket(AF_UNIX, SOCK_STREAM, 0);
	if (pipe(ready) || pipe(pipe_ends) || bind(listener, &(struct sockaddr){ AF_UNIX, "" }, 2) || listen(listener, 1))
		return perror("cannot set up"), 1;
	before = open_descriptors();
	if (pthread_create(&thread, NULL, work, (void *)image))
		return 1;
	for (int call = 0; call < 3; call++) {
		if (read(ready[0], &byte, 1) != 1)
			return 1;
		/* It may be about to call, or wait already: it is the same. */
		liblinux_cancel(&worker);
	}
	pthread_join(thread, NULL);
	printf("descriptors lost: %d\n", open_descriptors() - before);
	return 0;
}
