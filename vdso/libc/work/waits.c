/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * For debuggers, tracers and profilers: a thread waits in read for its standard input to end, and
 * the first thread waits for that thread. Both are cancellation points.
 */
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

static void *reader(void *unused)
{
	char byte;

	while (read(0, &byte, 1) > 0)
		;
	return unused;
}

int main(void)
{
	pthread_t thread;

	if (pthread_create(&thread, 0, reader, 0)) {
		perror("pthread_create");
		return 1;
	}
	puts("waiting");
	fflush(stdout);
	pthread_join(thread, 0);
	return 0;
}
