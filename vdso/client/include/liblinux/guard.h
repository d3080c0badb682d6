/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * liblinux/guard.h - exception fixups: if an instruction of this range raises an exception, go on there.
 *
 * A program or library (a DSO) has a table of them. Each is a line of an asm statement:
 *
 *   asm goto("1:\tdivl %[divisor]\n2:\n" LIBLINUX_FIXUP_PLAIN("1b", "2b", "%l[trapped]")
 *            : "+a"(low), "+d"(high) : [divisor] "r"(divisor) : "cc" : trapped);
 *
 * LIBLINUX_FIXUP_PLAIN changes nothing but rip. LIBLINUX_FIXUP also sets rdi to the number of the exception, rsi to its
 * error code, rdx to the address of a page fault (else 0) and rcx to the address of the instruction; the statement has to
 * say that it changes them.
 *
 * The DSO registers its table. One of its source files defines LIBLINUX_FIXUPS before it includes this header: then the DSO
 * is registered when it is loaded and unregistered when it is unloaded, and liblinux_fixups_status is 0, or the -errno of
 * what went wrong (-ENOSYS on an image without fixups). registry.h says who looks them up, and has the functions by which
 * a program without a libc registers itself, or a compiler at run time what it made.
 */
#ifndef LIBLINUX_GUARD_H
#define LIBLINUX_GUARD_H

#if !defined(__x86_64__) || !defined(__LP64__)
#error "liblinux is for 64-bit x86-64 Linux programs: compile without -m32, -mx32 and cross compilers for others"
#else

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define LIBLINUX_FIXUP(start, end, landing) LIBLINUX_FIXUP_(start, end, landing, "0")
#define LIBLINUX_FIXUP_PLAIN(start, end, landing) LIBLINUX_FIXUP_(start, end, landing, "1")

/* The section is linked to that of the code, so the linker keeps the table in the order of the code. */
#define LIBLINUX_FIXUP_(start, end, landing, flags) \
	".Lliblinux_fixup%=_" start ":\n" \
	"\t.pushsection fixup_table, \"ao\", @progbits, .Lliblinux_fixup%=_" start "\n" \
	"\t.balign 4\n" \
	"\t.long " start " - .\n" \
	"\t.long " end " - " start "\n" \
	"\t.long " landing " - .\n" \
	"\t.long " flags "\n" \
	"\t.popsection\n"

/* An exception that an access raised. */
struct liblinux_fault {
	uint64_t trap;		/* its number: 14 is a page fault, 13 a general protection fault */
	uint64_t error_code;	/* what the processor says about it */
	uint64_t address;	/* the address of a page fault, else 0 */
	uint64_t ip;		/* the instruction */
};

/* Copies bytes upwards, from or to where memory may not be. 0, or 1 and what happened; some may have been copied then. */
static inline int liblinux_probe_copy(void *to, const void *from, unsigned long count, struct liblinux_fault *fault)
{
	/* The registers of the copy, and of the landing. */
	unsigned long rdi = (unsigned long)to, rsi = (unsigned long)from, rcx = count, rdx = 0, faulted = 1;

	__asm__ volatile("1:\trep movsb\n2:\txorl %k[faulted], %k[faulted]\n3:\n"
			 LIBLINUX_FIXUP("1b", "2b", "3b")
			 : "+D"(rdi), "+S"(rsi), "+c"(rcx), "+d"(rdx), [faulted] "+r"(faulted)
			 : : "cc", "memory");
	if (!faulted)
		return 0;
	fault->trap = rdi;
	fault->error_code = rsi;
	fault->address = rdx;
	fault->ip = rcx;
	return 1;
}

#ifdef LIBLINUX_FIXUPS

#include "registry.h"

#ifndef LIBLINUX_NO_LIBC
#include <sys/auxv.h>

/* 0 if this DSO is registered, else -errno. */
static long liblinux_fixups_status = -2;
static struct liblinux_fixups liblinux_fixups_joined;
static struct vdso_fixup_dso liblinux_fixups_own;

__attribute__((constructor)) static void liblinux_fixups_load(void)
{
	const void *image = liblinux_find(getauxval(33 /* AT_SYSINFO_EHDR */));

	liblinux_fixups_status = liblinux_fixups_join(&liblinux_fixups_joined, image);
	if (!liblinux_fixups_status)
		liblinux_fixups_status = liblinux_fixups_register_own(&liblinux_fixups_joined, &liblinux_fixups_own);
}

__attribute__((destructor)) static void liblinux_fixups_unload(void)
{
	if (!liblinux_fixups_status)
		liblinux_fixups_unregister(&liblinux_fixups_joined, liblinux_fixups_own.text_start);
}
#endif /* LIBLINUX_NO_LIBC */

#endif /* LIBLINUX_FIXUPS */

#ifdef __cplusplus
}
#endif

#endif /* x86-64 */

#endif /* LIBLINUX_GUARD_H */
