/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/* What a storm (cancel.c) reads, accepts and opens, and what of it is lost. */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum kind { OPEN, WAIT, READ, ACCEPT };
/* Descriptors that a round may leave open, above those of the program. */
enum { MOST = 8 };

static int ends[2], listener, lowest;
static struct sockaddr_un name = { AF_UNIX, "" };
static socklen_t length = sizeof(name);

/* Waits a little, never the same. */
static unsigned int dither(void)
{
	static unsigned int seed = 1;

	seed = seed * 1664525 + 1013904223;
	for (volatile unsigned int spin = seed >> 20; spin; spin--)
		;
	return seed >> 30;
}

/* A byte or a connection comes. */
static void feed(enum kind kind, int client)
{
	if (kind != ACCEPT && write(ends[1], "", 1) == 1)
		return;
	if (kind == ACCEPT && !connect(client, (struct sockaddr *)&name, length))
		return;
	perror("nothing comes");
	exit(2);
}

/* What came and was not taken. */
static int left(enum kind kind)
{
	struct pollfd ready = { kind == ACCEPT ? listener : ends[0], POLLIN, 0 };
	int found = 0;
	char byte;

	for (; poll(&ready, 1, 0) == 1; found++) {
		if (kind == ACCEPT)
			close(accept(listener, 0, 0));
		else if (read(ends[0], &byte, 1) != 1)
			exit(2);
	}
	return found;
}

/* Descriptors that are open and should not be; closes them. */
static int open_descriptors(void)
{
	int found = 0;

	for (int number = lowest; number < lowest + MOST; number++) {
		if (fcntl(number, F_GETFD) >= 0) {
			close(number);
			found++;
		}
	}
	return found;
}

/* Makes the pipe and the socket. */
static void prepare(void)
{
	listener = socket(AF_UNIX, SOCK_STREAM, 0);
	if (pipe(ends) || bind(listener, (struct sockaddr *)&name, sizeof(name.sun_family)) ||
	    listen(listener, 4) || getsockname(listener, (struct sockaddr *)&name, &length)) {
		perror("cannot listen");
		exit(2);
	}
	/* Above that may be what the parent left open. */
	lowest = dup(0);
	for (int number = lowest; number < lowest + MOST; number++)
		close(number);
}
