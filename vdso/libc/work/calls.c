/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * What musl does in assembly or by itself: threads that are joined, detached and cancelled,
 * children by fork, vfork and posix_spawn, signals, random bytes. What is printed is the same in
 * each run.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define THREADS 8
#define CANCELS 200

extern char **environ;

static sem_t detached;
static volatile sig_atomic_t signals;

static void check(int is_so, const char *what)
{
	if (is_so)
		return;
	printf("failed: %s (errno %d)\n", what, errno);
	exit(1);
}

static void *random_bytes(void *out)
{
	unsigned char bytes[64];

	for (int i = 0; i < 1000; i++)
		check(getrandom(bytes, sizeof(bytes), 0) == sizeof(bytes), "getrandom");
	memcpy(out, bytes, 16);
	return out;
}

static void *post(void *unused)
{
	sem_post(&detached);
	return unused;
}

static void *wait_for_a_byte(void *pipe)
{
	char byte;

	read(*(int *)pipe, &byte, 1);
	return NULL;
}

static void count(int signal)
{
	signals++;
}

static void threads(void)
{
	unsigned char random[THREADS][16];
	pthread_t thread[THREADS];
	pthread_attr_t attributes;

	for (int i = 0; i < THREADS; i++)
		check(!pthread_create(&thread[i], NULL, random_bytes, random[i]), "pthread_create");
	for (int i = 0; i < THREADS; i++)
		check(!pthread_join(thread[i], NULL), "pthread_join");
	for (int i = 0; i < THREADS; i++)
		for (int j = 0; j < i; j++)
			check(memcmp(random[i], random[j], 16), "each thread has other bytes");
	sem_init(&detached, 0, 0);
	pthread_attr_init(&attributes);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	for (int i = 0; i < 10 * THREADS; i++)
		check(!pthread_create(&thread[0], &attributes, post, NULL), "a detached thread");
	for (int i = 0; i < 10 * THREADS; i++)
		check(!sem_wait(&detached), "sem_wait");
	puts("threads");
}

static void cancels(void)
{
	for (int i = 0; i < CANCELS; i++) {
		int ends[2];
		pthread_t thread;
		void *result;

		check(!pipe(ends) && !pthread_create(&thread, NULL, wait_for_a_byte, ends), "a thread");
		if (i % 2)
			usleep(100);
		check(!pthread_cancel(thread) && !pthread_join(thread, &result), "pthread_cancel");
		check(result == PTHREAD_CANCELED, "it is cancelled");
		check(!close(ends[0]) && !close(ends[1]), "the thread has closed nothing");
	}
	puts("cancels");
}

static int status_of(pid_t child)
{
	int status;

	check(child > 0 && waitpid(child, &status, 0) == child, "waitpid");
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static void children(char *self)
{
	unsigned long mine, theirs;
	int ends[2];
	pid_t child;

	check(!pipe(ends), "pipe");
	child = fork();
	if (!child) {
		getrandom(&theirs, sizeof(theirs), 0);
		_exit(write(ends[1], &theirs, sizeof(theirs)) == sizeof(theirs) ? 3 : 4);
	}
	getrandom(&mine, sizeof(mine), 0);
	check(status_of(child) == 3, "fork");
	check(read(ends[0], &theirs, sizeof(theirs)) == sizeof(theirs), "read");
	check(mine != theirs, "a child has other random bytes");
	child = vfork();
	if (!child)
		_exit(5);
	check(status_of(child) == 5, "vfork");
	/* If that is the dynamic loader, its first argument is the program. */
	check(!posix_spawn(&child, "/proc/self/exe", NULL, NULL, (char *[]){ self, self, "spawned", NULL }, environ),
	      "posix_spawn");
	check(status_of(child) == 6, "the spawned program");
	puts("children");
}

static void handlers(void)
{
	struct sigaction action = { .sa_handler = count }, info = { .sa_handler = count, .sa_flags = SA_SIGINFO };
	struct pollfd none = { .fd = -1 };

	check(!sigaction(SIGUSR1, &action, NULL) && !sigaction(SIGUSR2, &info, NULL), "sigaction");
	for (int i = 0; i < 100; i++)
		check(!raise(i % 2 ? SIGUSR1 : SIGUSR2), "raise");
	check(signals == 100, "each signal is handled");
	check(!sigaction(SIGALRM, &action, NULL), "sigaction");
	/* Again and again: the first may come before the call. */
	ualarm(1000, 1000);
	check(poll(&none, 1, 10000) == -1 && errno == EINTR, "a signal ends poll");
	ualarm(0, 0);
	puts("signals");
}

static void numbers(void)
{
	check(syscall(SYS_getpid) == getpid(), "a call by its number");
	check(syscall(100000) == -1 && errno == ENOSYS, "a number that has no call");
	check(syscall(400) == -1 && errno == ENOSYS, "a number within the table that has no call");
	check(open("/nonesuch/file", O_RDONLY) == -1 && errno == ENOENT, "open");
	puts("numbers");
}

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	if (argc > 1)
		return 6;
	threads();
	cancels();
	children(argv[0]);
	handlers();
	numbers();
	return 0;
}
