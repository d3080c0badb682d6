/*
 * An ordinary C program that reads every clock through its libc, each reading
 * between two by the bare system call, and prints
 *
 *	clock NAME BEFORE READING AFTER
 *
 * in nanoseconds: the first reading that does not lie between the other two,
 * or else the last one. What has no absolute value to print (resolutions, the
 * CPU's number) is checked here; a failure is the exit status.
 *
 * Builds with any libc: cc -O2 clocks.c, musl-gcc -static -O2 clocks.c, ...
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#define ROUNDS 500
#define SECOND 1000000000LL
#define NAMED(x) CLOCK_##x, "CLOCK_" #x

static int failures;

static long long nanoseconds(const struct timespec *t)
{
	return t->tv_sec * SECOND + t->tv_nsec;
}

/* syscall() of the libc is the bare instruction, with errno set from it. */
static long long bare(clockid_t id)
{
	struct timespec t;

	if (syscall(SYS_clock_gettime, id, &t)) {
		perror("clocks: the system call clock_gettime");
		failures++;
		return -1;
	}
	return nanoseconds(&t);
}

/* Prints the line if it is the last or a bad one; true if it was bad. */
static int bracket(const char *name, int round, long long before, long long reading,
		   long long after)
{
	int bad = reading < before || reading > after;

	if (bad)
		failures++;
	if (bad || round == ROUNDS - 1)
		printf("clock %s %lld %lld %lld\n", name, before, reading, after);
	return bad;
}

static void clock_by_id(clockid_t id, const char *name)
{
	for (int round = 0; round < ROUNDS; round++) {
		struct timespec t = { -1, -1 };
		long long before = bare(id);
		int result = clock_gettime(id, &t);
		long long after = bare(id);

		if (result) {
			perror("clocks: clock_gettime");
			failures++;
			return;
		}
		if (bracket(name, round, before, nanoseconds(&t), after))
			return;
	}
}

/* The system call takes no other path than clock_gettime: same clock, in microseconds. */
static void wall_clock(void)
{
	for (int round = 0; round < ROUNDS; round++) {
		struct timeval t = { -1, -1 };
		long long before = bare(CLOCK_REALTIME) / 1000 * 1000;
		int result = gettimeofday(&t, NULL);
		long long after = bare(CLOCK_REALTIME) / 1000 * 1000;

		if (result) {
			perror("clocks: gettimeofday");
			failures++;
			return;
		}
		if (bracket("GETTIMEOFDAY", round, before, t.tv_sec * SECOND + t.tv_usec * 1000LL,
			    after))
			return;
	}
}

/*
 * time() is the second of the coarse clock, as in the system call, or of the other, in musl, which
 * can be a tick ahead.
 */
static void seconds(void)
{
	for (int round = 0; round < ROUNDS; round++) {
		time_t stored = -1;
		long long before = syscall(SYS_time, NULL) * SECOND;
		time_t returned = time(&stored);
		long long after = bare(CLOCK_REALTIME) / SECOND * SECOND;

		if (stored != returned) {
			fprintf(stderr, "clocks: time() stored another time than it returned\n");
			failures++;
		}
		if (bracket("TIME", round, before, returned * SECOND, after))
			return;
	}
}

static void resolution(clockid_t id, const char *name)
{
	struct timespec libc = { -1, -1 }, kernel = { -2, -2 };

	if (clock_getres(id, &libc) || syscall(SYS_clock_getres, id, &kernel) ||
	    nanoseconds(&libc) != nanoseconds(&kernel)) {
		fprintf(stderr, "clocks: clock_getres(%s) is %lld ns, by system call %lld ns\n", name,
			nanoseconds(&libc), nanoseconds(&kernel));
		failures++;
	}
}

static void processor(void)
{
	long count = sysconf(_SC_NPROCESSORS_CONF);

	for (int round = 0; round < ROUNDS; round++) {
		int cpu = sched_getcpu();

		if (cpu < 0 || cpu >= count) {
			fprintf(stderr, "clocks: sched_getcpu() is %d of %ld\n", cpu, count);
			failures++;
			return;
		}
	}
}

/* A clock that does not exist is an error through the libc as through the kernel. */
static void no_such_clock(void)
{
	struct timespec t;

	errno = 0;
	if (clock_gettime(99, &t) != -1 || errno != EINVAL) {
		fprintf(stderr, "clocks: clock 99 gave errno %d, not EINVAL\n", errno);
		failures++;
	}
}

int main(void)
{
	static const struct {
		clockid_t id;
		const char *name;
	} clocks[] = {
		{ NAMED(REALTIME) },
		{ NAMED(MONOTONIC) },
		{ NAMED(MONOTONIC_RAW) },
		{ NAMED(BOOTTIME) },
		{ NAMED(TAI) },
		{ NAMED(REALTIME_COARSE) },
		{ NAMED(MONOTONIC_COARSE) },
	};

	for (size_t i = 0; i < sizeof(clocks) / sizeof(*clocks); i++) {
		clock_by_id(clocks[i].id, clocks[i].name);
		resolution(clocks[i].id, clocks[i].name);
	}
	wall_clock();
	seconds();
	processor();
	no_such_clock();
	return failures != 0;
}
