/*
 * Calls every standard function by the image with its system calls pinned to
 * the image, in ways that need no system call and in ways that do. A call from
 * elsewhere is SIGSYS.
 */
#define _GNU_SOURCE
#include <liblinux.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>

typedef int clock_function(clockid_t, struct timespec *);
typedef long random_function(void *, size_t, unsigned int, void *, size_t);
typedef long syscall_function(long, ...);

/* struct vgetrandom_opaque_params of include/uapi/linux/random.h */
struct params {
	unsigned int size, protection, flags, reserved[13];
};

#define CLOCKS 12

static const void *image;
static struct params params;
static void *state;

#define function(type, name) ((__typeof__(type) *)liblinux_symbol(image, name))

static int same(long one, long other)
{
	return (one < 0) == (other < 0);
}

static int check(void)
{
	clock_function *gettime = function(clock_function, "__vdso_clock_gettime");
	clock_function *getres = function(clock_function, "__vdso_clock_getres");
	random_function *getrandom = function(random_function, "__vdso_getrandom");
	syscall_function *by_number = function(syscall_function, "__vdso_syscall");
	struct timespec before, now, after;
	unsigned char bytes[32];
	struct timeval day;
	unsigned int cpu;
	clockid_t id;

	/* One that is not there, and the CPU time of process 1, too. */
	for (id = -6; id < CLOCKS; id++) {
		long known = by_number(SYS_clock_gettime, id, &before);

		if (!same(gettime(id, &now), known) || !same(by_number(SYS_clock_gettime, id, &after), known))
			return 10;
		if (known == 0 && (now.tv_sec < before.tv_sec || now.tv_sec > after.tv_sec))
			return 11;
		known = by_number(SYS_clock_getres, id, &before);
		if (!same(getres(id, &now), known))
			return 12;
		if (known == 0 && (now.tv_sec != before.tv_sec || now.tv_nsec != before.tv_nsec))
			return 13;
	}
	if (function(int(struct timeval *, void *), "__vdso_gettimeofday")(&day, 0) ||
	    function(time_t(time_t *), "__vdso_time")(0) < day.tv_sec ||
	    function(int(unsigned int *, void *, void *), "__vdso_getcpu")(&cpu, 0, 0))
		return 14;
	/* Without a state, and with one: its first call asks the kernel for a key. */
	if (getrandom(bytes, sizeof(bytes), 0, 0, 0) != sizeof(bytes))
		return 15;
	if (state && getrandom(bytes, sizeof(bytes), 0, state, params.size) != sizeof(bytes))
		return 16;
	return 0;
}

int main(void)
{
	random_function *getrandom;
	int status;

	image = liblinux_find(getauxval(AT_SYSINFO_EHDR));
	if (!image)
		return 2;
	getrandom = function(random_function, "__vdso_getrandom");
	if (!getrandom(0, 0, 0, &params, ~(size_t)0)) {
		state = mmap(0, 4096, params.protection, params.flags, -1, 0);
		if (state == MAP_FAILED)
			return 3;
	}
	if (liblinux_pin_origin(image))
		return 4;
	status = check();
	LIBLINUX(image, exit_group)(status);
	return 5;
}
