/*
 * Shared by the client's tests in C: the image of a file, with a handler in place of the kernel,
 * and tests that are processes of their own.
 */
#ifndef CHILD_H
#define CHILD_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#define LIBLINUX_FIXUPS
#define LIBLINUX_NO_LIBC
#include "liblinux/arena.h"
#include "liblinux/probe.h"

#define PAGE 4096
/* The pages below the image, in which the kernel has its data: here zeros. */
#define DATA (64 * PAGE)

static const void *image;
static struct liblinux_fixups fixups;
static int failures;

#define CHECK(condition) \
	do { \
		if (!(condition)) { \
			printf("%s, line %d: %s\n", __func__, __LINE__, #condition); \
			failures++; \
		} \
	} while (0)

static unsigned char *pages(int count, int protection)
{
	void *memory = mmap(0, (size_t)count * PAGE, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return memory == MAP_FAILED ? (exit(2), (unsigned char *)0) : (unsigned char *)memory;
}

/* How a child ends that does this: 0 if all that it checked holds. */
static int end_of(void (*body)(void))
{
	int status = -1;
	pid_t child;

	fflush(stdout);
	child = fork();
	if (!child) {
		failures = 0;
		body();
		fflush(stdout);
		_exit(failures != 0);
	}
	return child < 0 || waitpid(child, &status, 0) != child ? -1 : status;
}

static int dies(void (*body)(void))
{
	int status = end_of(body);

	return WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV;
}

/* The test after this process joined. */
#define JOINED(name) \
	static void joined_##name(void) \
	{ \
		CHECK(!liblinux_fixups_join(&fixups, image) && fixups.pages); \
		name##_tests(); \
	}

/* Runs tests on the image in a file: prints what does not hold, and how many; 0 if all does. */
static int run_tests(const char *path, void (*const *tests)(void), int count)
{
	int file = open(path, O_RDONLY), failed = 0, i;
	long size = file < 0 ? -1 : lseek(file, 0, SEEK_END);
	unsigned char *base;

	if (size < 0)
		return 2;
	base = pages((int)((DATA + size + PAGE - 1) / PAGE), PROT_READ | PROT_WRITE) + DATA;
	if (pread(file, base, (size_t)size, 0) != size || mprotect(base, (size_t)size, PROT_READ | PROT_EXEC))
		return 2;
	image = liblinux_find((unsigned long)base);
	for (i = 0; i < count; i++)
		failed += end_of(tests[i]) != 0;
	printf("%d tests, %d failed\n", count, failed);
	return failed;
}

#endif
