/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * What a program pays for its calls on this musl, compared with the same program on another one.
 *
 *   costs                        ticks of the time-stamp counter for each piece of work
 *   costs CONTROL ROUNDS MOST    runs itself and CONTROL in turns, up to 1,000 rounds
 *
 * In a guest that counts instructions a tick is one, the kernel's as well; elsewhere it is time.
 * A piece of work of which this program takes more than MOST thousandths of what CONTROL takes, in
 * the median of the rounds, is a failure. Prints TAP.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define BATCHES 200
#define IN_BATCH 16
#define PAGE 4096
#define MOST_ROUNDS 1000

static int ends[2], file;
static char page[PAGE];
static FILE *lines;

static void least(void)
{
	getppid();
}

static void byte_by_pipe(void)
{
	write(ends[1], page, 1);
	read(ends[0], page, 1);
}

static void page_of_file(void)
{
	pread(file, page, PAGE, 0);
}

static void page_to_file(void)
{
	pwrite(file, page, PAGE, 0);
}

static void open_and_close(void)
{
	close(open("costs.file", O_RDONLY));
}

static void status(void)
{
	struct stat status;

	stat("costs.file", &status);
}

static void map_and_unmap(void)
{
	munmap(mmap(0, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), PAGE);
}

static void wait_in_poll(void)
{
	struct pollfd ready = { ends[1], POLLOUT, 0 };

	poll(&ready, 1, -1);
}

static void line(void)
{
	fputs("a line of text, which is written at once\n", lines);
	fflush(lines);
}

static void random_bytes(void)
{
	getrandom(page, 16, 0);
}

static const struct work {
	const char *name;
	void (*run)(void);
	int is_limited;
} works[] = {
	/* What the kernel does in it is less than in any other call. */
	{ "the least call, getppid", least, 0 },
	{ "a byte through a pipe", byte_by_pipe, 1 },
	{ "a page of a file", page_of_file, 1 },
	{ "a page to a file", page_to_file, 1 },
	{ "open and close", open_and_close, 1 },
	/* A legacy call: the image's function makes newfstatat, for which the kernel does more. */
	{ "stat", status, 0 },
	{ "mmap and munmap", map_and_unmap, 1 },
	{ "poll", wait_in_poll, 1 },
	{ "a line by stdio", line, 1 },
	{ "16 random bytes", random_bytes, 1 },
};
#define WORKS (sizeof(works) / sizeof(*works))

static uint64_t counter(void)
{
	uint32_t low, high;

	asm volatile("lfence; rdtsc; lfence" : "=a"(low), "=d"(high) :: "memory");
	return low | (uint64_t)high << 32;
}

static uint64_t ticks(void (*run)(void))
{
	uint64_t best = UINT64_MAX;

	for (int batch = 0; batch < BATCHES; batch++) {
		uint64_t begin = counter(), took;

		for (int i = 0; i < IN_BATCH; i++)
			run();
		took = counter() - begin;
		if (took < best)
			best = took;
	}
	return best / IN_BATCH;
}

static void count(void)
{
	file = open("costs.file", O_RDWR | O_CREAT, 0600);
	lines = fopen("/dev/null", "w");
	if (file < 0 || !lines || pipe(ends) || pwrite(file, page, PAGE, 0) != PAGE) {
		perror("costs.file");
		exit(2);
	}
	for (size_t i = 0; i < WORKS; i++)
		printf("%llu\n", (unsigned long long)ticks(works[i].run));
	unlink("costs.file");
}

/* Adds what a program counts. */
static void run(const char *program, uint64_t sums[WORKS])
{
	unsigned long long found;
	int said[2], status;
	pid_t child;
	FILE *from;

	if (pipe(said) || (child = fork()) < 0) {
		perror("fork");
		exit(2);
	}
	if (!child) {
		dup2(said[1], 1);
		close(said[0]);
		close(said[1]);
		execl(program, program, (char *)0);
		_exit(127);
	}
	close(said[1]);
	from = fdopen(said[0], "r");
	for (size_t i = 0; i < WORKS; i++) {
		if (fscanf(from, "%llu", &found) != 1) {
			fprintf(stderr, "%s counts nothing\n", program);
			exit(2);
		}
		sums[i] += found;
	}
	fclose(from);
	if (waitpid(child, &status, 0) != child || status)
		exit(2);
}

static int order(const void *a, const void *b)
{
	const uint64_t one = *(const uint64_t *)a, other = *(const uint64_t *)b;

	return (one > other) - (one < other);
}

/* The middle one of some numbers, which it sorts. */
static unsigned long long median(uint64_t *numbers, int count)
{
	qsort(numbers, count, sizeof(*numbers), order);
	return numbers[count / 2];
}

/* What both count for each piece of work in a round, and the one in thousandths of the other. */
static uint64_t ours[WORKS][MOST_ROUNDS], control[WORKS][MOST_ROUNDS], ratios[WORKS][MOST_ROUNDS];

int main(int arguments, char **argument)
{
	const int rounds = arguments == 4 ? atoi(argument[2]) : 0;
	int failures = 0;

	if (arguments == 1) {
		count();
		return 0;
	}
	if (rounds < 1 || rounds > MOST_ROUNDS) {
		fprintf(stderr, "costs [CONTROL ROUNDS MOST]\n");
		return 2;
	}
	for (int round = 0; round < rounds; round++) {
		uint64_t one[WORKS] = { 0 }, other[WORKS] = { 0 };

		run(argument[1], other);
		run(argument[0], one);
		run(argument[0], one);
		run(argument[1], other);
		for (size_t i = 0; i < WORKS; i++) {
			ours[i][round] = one[i] / 2;
			control[i][round] = other[i] / 2;
			ratios[i][round] = one[i] * 1000 / other[i];
		}
	}
	printf("TAP version 13\n1..%zu\n", WORKS);
	for (size_t i = 0; i < WORKS; i++) {
		const unsigned long long ratio = median(ratios[i], rounds);
		const int is_right = !works[i].is_limited || ratio <= (uint64_t)atoi(argument[3]);

		printf("# %s: %llu, on the other musl %llu, %llu.%03llu\n", works[i].name,
		       median(ours[i], rounds), median(control[i], rounds), ratio / 1000, ratio % 1000);
		printf("%sok %zu %s\n", is_right ? "" : "not ", i + 1, works[i].name);
		failures += !is_right;
	}
	return failures != 0;
}
