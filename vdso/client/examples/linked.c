/*
 * linked: an ordinary dynamic program that links with the vDSO.
 *
 *   cc vdso/client/examples/linked.c $(pkg-config --cflags --libs liblinux) -o linked
 *
 * The dynamic loader of glibc binds its calls to the image of the kernel that it runs on. Those
 * that not every image has are declared weak: such a program starts on any kernel, and sees which
 * calls it has.
 */
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "liblinux.h"

#pragma weak __vdso_getpid
#pragma weak __vdso_close
#pragma weak __vdso_mseal

int main(void)
{
	struct timespec time;

	/*
	 * Every image has this one. It is the image's function; clock_gettime() stays the libc's.
	 */
	if (__vdso_clock_gettime(CLOCK_MONOTONIC, (struct __kernel_timespec *)&time))
		return 1;
	if (clock_gettime(-1, &time) != -1)
		return 1;
	if (!__vdso_getpid) {
		puts("this image has no entries of system calls");
		return 0;
	}
	/* An entry returns -errno. */
	printf("getpid %s, mseal %s\n", __vdso_getpid() == getpid() ? "agrees" : "differs",
	       __vdso_mseal ? "is there" : "is missing");
	return __vdso_close(-1) != -9;
}
