/*
 * A storm of calls that are called off: each either had its effect, and its result is returned, or
 * had none. Descriptors are counted, and so are threads that wait though they were called off.
 *
 *   cancel IMAGE ROUNDS       by liblinux/cancel.h, on the image in a file (map.h)
 *   cancel pthread ROUNDS     the control: the libc's pthread_cancel, a new thread for each round
 *
 * In even rounds the thread opens and closes a file again and again; in odd rounds it reads from a
 * pipe that is empty. It prints rounds, lost descriptors, and lost cancels.
 */
#include "map.h"
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
static int empty[2];
/* Posted by the worker: it has begun a round, it has ended one. */
static sem_t begun, ended;
/* What the libc's thread holds, for its cleanup. */
static volatile int held = -1;

static long round_of_calls(unsigned long round)
{
	static const char name[] = "/dev/null";
	char byte;
	long result;

	if (round % 2)
		return worker.call(&worker.state, SYS_read, (long)empty[0], &byte, 1L);
	while ((result = worker.call(&worker.state, SYS_openat, -100L, name, 0L, 0L)) >= 0)
		close(result);
	return result;
}

static void *work(void *argument)
{
	const unsigned long rounds = *(unsigned long *)argument;

	for (unsigned long round = 0; round < rounds; round++) {
		long result;

		sem_post(&begun);
		result = round_of_calls(round);
		if (result != CANCELED) {
			fprintf(stderr, "round %lu: %ld\n", round, result);
			_exit(1);
		}
		liblinux_cancel_reset(&worker);
		sem_post(&ended);
	}
	return 0;
}

struct start {
	unsigned long rounds;
	const void *image;
	long error;
};

static void *start(void *argument)
{
	struct start *start = argument;

	start->error = liblinux_cancel_init(&worker, start->image, SIGURG);
	if (start->error) {
		sem_post(&begun);
		return 0;
	}
	return work(&start->rounds);
}

/* The control. */

static void close_held(void *unused)
{
	(void)unused;
	if (held >= 0)
		close(held);
	held = -1;
}

static void *control(void *argument)
{
	const unsigned long round = *(unsigned long *)argument;
	char byte;

	pthread_cleanup_push(close_held, 0);
	sem_post(&begun);
	if (round % 2) {
		if (read(empty[0], &byte, 1) < 0)
			perror("read");
	} else {
		for (;;) {
			held = open("/dev/null", O_RDONLY);
			close(held);
			held = -1;
		}
	}
	pthread_cleanup_pop(1);
	return 0;
}

static int descriptors(void)
{
	int open = 0;

	for (int number = 0; number < 1024; number++)
		open += fcntl(number, F_GETFD) >= 0;
	return open;
}

/* Waits a little, never the same. */
static void dither(void)
{
	static unsigned int seed = 1;

	seed = seed * 1664525 + 1013904223;
	for (volatile unsigned int spin = seed >> 20; spin; spin--)
		;
}

/* Whether the worker ends its round in ten seconds. */
static int in_time(void)
{
	struct timespec until;
	int result;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 10;
	while ((result = sem_timedwait(&ended, &until)) && errno == EINTR)
		;
	return !result;
}

static unsigned long storm(struct start *task)
{
	unsigned long lost = 0;
	pthread_t thread;

	if (pthread_create(&thread, 0, start, task))
		exit(2);
	for (unsigned long round = 0; round < task->rounds; round++) {
		long sent;

		sem_wait(&begun);
		if (task->error) {
			fprintf(stderr, "no cancellable calls: %ld\n", task->error);
			exit(1);
		}
		dither();
		sent = liblinux_cancel(&worker);
		if (sent) {
			fprintf(stderr, "round %lu: not sent: %ld\n", round, sent);
			exit(1);
		}
		if (!in_time()) {
			/* It waits though it was called off: the next round begins with a byte. */
			lost++;
			if (write(empty[1], "", 1) != 1 || !in_time())
				exit(3);
		}
	}
	pthread_join(thread, 0);
	return lost;
}

static unsigned long control_storm(unsigned long rounds)
{
	for (unsigned long round = 0; round < rounds; round++) {
		pthread_t thread;

		if (pthread_create(&thread, 0, control, &round))
			exit(2);
		sem_wait(&begun);
		dither();
		pthread_cancel(thread);
		pthread_join(thread, 0);
	}
	return 0;
}

int main(int arguments, char **argument)
{
	struct start task = { 0, 0, 0 };
	unsigned long lost;
	int before;

	if (arguments != 3 || pipe(empty) || sem_init(&begun, 0, 0) || sem_init(&ended, 0, 0))
		return 2;
	task.rounds = strtoul(argument[2], 0, 10);
	before = descriptors();
	if (!strcmp(argument[1], "pthread")) {
		lost = control_storm(task.rounds);
	} else {
		task.image = map(argument[1]);
		lost = storm(&task);
	}
	printf("%lu rounds, %d descriptors lost, %lu cancels lost\n", task.rounds, descriptors() - before, lost);
	return 0;
}
