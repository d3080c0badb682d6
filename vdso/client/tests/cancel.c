/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * A storm of calls that are called off: each either had its effect, and its result is returned, or
 * had none.
 *
 *   cancel IMAGE ROUNDS       by liblinux/cancel.h, on the image in a file (map.h)
 *   cancel pthread ROUNDS     a control: the libc's pthread_cancel, a new thread for each round
 *   cancel flag ROUNDS        a control: a flag, looked at before and after each call, and a signal
 *
 * Rounds are of four kinds, in turn. The worker makes its calls again and again, until it is called
 * off: it opens and closes a file, reads from a pipe that stays empty, reads from a pipe to which a
 * byte comes at that moment, accepts a connection that comes at that moment. What is lost is
 * counted:
 *
 *   descriptors   open, and the worker was not told
 *   bytes         taken from the pipe, and the worker was not told
 *   cancels       the worker waits though it was called off, until it gets one byte more
 */
#include "map.h"
#include "losses.h"
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include "liblinux/cancel.h"

enum { CANCELED = -125 };
static struct liblinux_cancel worker;
static volatile int flag;
static pthread_t flagged;
/* The worker may begin a round, it has begun, it has ended. */
static sem_t go, begun, ended;
/* What the worker was told of in this round: bytes or connections. */
static volatile int taken;
/* What the libc's thread holds, for its cleanup. */
static volatile int held = -1;

/* A call of the worker's. */
typedef long calls(long number, long a, void *b, long c);

static long by_image(long number, long a, void *b, long c)
{
	return worker.call(&worker.state, number, a, b, c, 0L);
}

static long by_flag(long number, long a, void *b, long c)
{
	long result;

	if (flag)
		return CANCELED;
	result = syscall(number, a, b, c, 0L);
	return result < 0 ? flag ? CANCELED : -errno : result;
}

/* Calls until it is called off. */
static long round_of_calls(calls *call, enum kind kind)
{
	char byte;
	long result;

	do {
		switch (kind) {
		case OPEN:
			result = call(SYS_openat, -100, "/dev/null", 0);
			break;
		case ACCEPT:
			result = call(SYS_accept, listener, 0, 0);
			taken += result >= 0;
			break;
		default:
			result = call(SYS_read, ends[0], &byte, 1);
			taken += result == 1;
		}
		if (result >= 0 && (kind == OPEN || kind == ACCEPT))
			close(result);
	} while (result >= 0 || result == -EINTR);
	return result;
}

struct task {
	unsigned long rounds;
	const void *image; /* 0: by the flag */
};

static void *work(void *argument)
{
	const struct task *task = argument;

	flagged = pthread_self();
	if (task->image && liblinux_cancel_init(&worker, task->image, SIGURG)) {
		fprintf(stderr, "no cancellable calls\n");
		exit(1);
	}
	for (unsigned long round = 0; round < task->rounds; round++) {
		long result;

		/* The signal of a flag may come after the round that it ends. */
		while (sem_wait(&go))
			;
		sem_post(&begun);
		result = round_of_calls(task->image ? by_image : by_flag, round % 4);
		if (result != CANCELED) {
			fprintf(stderr, "round %lu: %ld\n", round, result);
			exit(1);
		}
		if (task->image)
			liblinux_cancel_reset(&worker);
		sem_post(&ended);
	}
	return 0;
}

static void clean(void *unused)
{
	(void)unused;
	if (held >= 0)
		close(held);
	held = -1;
	sem_post(&ended);
}

/* The libc's thread, which lives for one round. */
static void *control(void *argument)
{
	const enum kind kind = *(enum kind *)argument;
	char byte;

	pthread_cleanup_push(clean, 0);
	sem_post(&begun);
	for (;;) {
		if (kind == OPEN)
			held = open("/dev/null", O_RDONLY);
		else if (kind == ACCEPT)
			taken += (held = accept(listener, 0, 0)) >= 0;
		else
			taken += read(ends[0], &byte, 1) == 1;
		if (held >= 0)
			close(held);
		held = -1;
	}
	pthread_cleanup_pop(1);
	return 0;
}

static void nothing(int signal)
{
	(void)signal;
}

/* Whether the worker ends its round in time. */
static int in_time(long milliseconds)
{
	struct timespec until;
	int result;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += milliseconds % 1000 * 1000000;
	until.tv_sec += milliseconds / 1000 + until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	while ((result = sem_timedwait(&ended, &until)) && errno == EINTR)
		;
	return !result;
}

static void cancel(const struct task *task, const pthread_t *thread)
{
	long failed;

	if (thread) {
		failed = pthread_cancel(*thread);
	} else if (task->image) {
		failed = liblinux_cancel(&worker);
	} else {
		flag = 1;
		failed = pthread_kill(flagged, SIGURG);
	}
	if (failed) {
		fprintf(stderr, "not called off: %ld\n", failed);
		exit(1);
	}
}

struct lost {
	unsigned long descriptors, bytes, cancels;
};

/* One round, as the thread sees it that calls off. */
static void call_off(const struct task *task, enum kind kind, int by_libc, struct lost *lost)
{
	const int comes = kind == READ || kind == ACCEPT;
	int clients[2] = { socket(AF_UNIX, SOCK_STREAM, 0), socket(AF_UNIX, SOCK_STREAM, 0) };
	int fed = 0, early, is_late;
	pthread_t thread;

	if (by_libc && pthread_create(&thread, 0, control, &kind))
		exit(2);
	sem_post(&go);
	sem_wait(&begun);
	early = dither() & 1;
	if (comes && early)
		feed(kind, clients[fed++]);
	if (comes)
		dither();
	cancel(task, by_libc ? &thread : 0);
	if (comes && !early)
		feed(kind, clients[fed++]);
	/* A flag is often looked at too early, so that control is given up sooner; not so soon that
	   a busy machine has let the worker wait for a processor. */
	is_late = !in_time(by_libc || task->image ? 60000 : 2000);
	if (is_late && kind != OPEN)
		feed(kind, clients[fed++]);
	if (is_late && !in_time(600000)) {
		fprintf(stderr, "the worker does not end\n");
		exit(3);
	}
	/* It waited for the byte, and was not only slow. */
	lost->cancels += is_late && kind != OPEN && taken == fed;
	if (kind != OPEN)
		lost->bytes += kind != ACCEPT && taken + left(kind) != fed;
	if (kind == ACCEPT)
		left(kind);
	if (by_libc)
		pthread_join(thread, 0);
	close(clients[0]);
	close(clients[1]);
	lost->descriptors += open_descriptors();
	taken = 0;
	flag = 0;
}

static struct lost storm(struct task *task, int by_libc)
{
	struct lost lost = { 0, 0, 0 };
	pthread_t thread;

	if (!by_libc && pthread_create(&thread, 0, work, task))
		exit(2);
	for (unsigned long round = 0; round < task->rounds; round++)
		call_off(task, round % 4, by_libc, &lost);
	if (!by_libc)
		pthread_join(thread, 0);
	return lost;
}

int main(int arguments, char **argument)
{
	const struct sigaction ignored = { .sa_handler = nothing };
	struct task task = { 0, 0 };
	struct lost lost;
	int by_libc;

	if (arguments != 3 || sigaction(SIGURG, &ignored, 0) || sem_init(&go, 0, 0) || sem_init(&begun, 0, 0) || sem_init(&ended, 0, 0))
		return 2;
	prepare();
	task.rounds = strtoul(argument[2], 0, 10);
	by_libc = !strcmp(argument[1], "pthread");
	if (!by_libc && strcmp(argument[1], "flag"))
		task.image = map(argument[1]);
	lost = storm(&task, by_libc);
	printf("%lu rounds, %lu descriptors lost, %lu bytes lost, %lu cancels lost\n", task.rounds, lost.descriptors,
	       lost.bytes, lost.cancels);
	return 0;
}
