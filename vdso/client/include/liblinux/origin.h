/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * liblinux/origin.h - pins the origin of system calls: the calling thread's come from the image, or
 * not at all.
 *
 * The kernel's Syscall User Dispatch is given the image's range and no selector byte: from then on
 * a syscall instruction anywhere else gives SIGSYS with si_code SYS_USER_DISPATCH. It holds for the
 * calling thread; new threads and processes start without it. A signal handler returns only if
 * sa_restorer is __vdso_rt_sigreturn: a libc's restorer trips.
 */
#ifndef LIBLINUX_ORIGIN_H
#define LIBLINUX_ORIGIN_H

#if !defined(__x86_64__) || !defined(__LP64__)
#error "liblinux is for 64-bit x86-64 Linux programs: compile without -m32, -mx32 and cross compilers for others"
#else

#include "resolve.h"

/*
 * 0, or -errno: -ENOSYS (38) if the image has no prctl entry, -EINVAL (22) on a kernel before 5.11.
 */
static inline long liblinux_pin_origin(const void *image)
{
	struct liblinux_tables tables;
	long (*vdso_prctl)(int, unsigned long, unsigned long, unsigned long, unsigned long);

	if (liblinux_tables(&tables, (unsigned long)image))
		return -38;
	vdso_prctl = (long (*)(int, unsigned long, unsigned long, unsigned long, unsigned long))
		(unsigned long)liblinux_symbol(image, "__vdso_prctl");
	if (!vdso_prctl)
		return -38;
	/* PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_ON */
	return vdso_prctl(59, 1, (unsigned long)image, tables.size, 0);
}

#endif /* x86-64 */

#endif /* LIBLINUX_ORIGIN_H */
