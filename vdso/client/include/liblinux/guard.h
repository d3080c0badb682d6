/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * liblinux/guard.h - exception fixups: if an instruction of this range raises an exception,
 * continue there.
 *
 * A program or library (a DSO) has a table of them. Each is a line of an asm statement:
 *
 *   asm volatile goto("1:\tdivl %[divisor]\n2:\n" LIBLINUX_FIXUP_PLAIN("1b", "2b", "%l[trapped]")
 *            : "+a"(low), "+d"(high) : [divisor] "r"(divisor) : "cc" : trapped);
 *
 * (`volatile`: gcc before 12.4 drops an asm goto that has outputs where it knows the inputs.)
 *
 * LIBLINUX_FIXUP_PLAIN changes nothing but rip. LIBLINUX_FIXUP also sets rdi to the number of the
 * exception, the lower half of rsi to its error code and the upper half to the number of the signal
 * that would have come, rdx to the address of a page fault (else 0) and rcx to the address of the
 * instruction; the statement has to say that it changes them. Both dialects of assembly will do; in
 * that of -masm=intel clang takes 0b and 1b for numbers, so labels start at 2 there.
 *
 * With LIBLINUX_FIXUP_FRAME the landing is a function that sees all registers: see frame.h.
 *
 * The DSO registers its table. One of its source files defines LIBLINUX_FIXUPS before it includes
 * this header: then the DSO is registered when it is loaded and unregistered when it is unloaded,
 * not at exit, where other threads may still need it. liblinux_fixups_status is 0, or the -errno of
 * what went wrong (-ENOSYS on an image without fixups). registry.h says who looks them up, and has
 * the functions by which a compiler registers at run time what it made; own.h has those by which a
 * program without a libc registers itself.
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
#define LIBLINUX_FIXUP_FRAME(start, end, landing) LIBLINUX_FIXUP_(start, end, landing, "2")

/*
 * The section is linked to that of the code, so the linker keeps the table in the order of the
 * code; and it is of the same group, if any (`?`), so the entries of an inline function that
 * several files have share its fate.
 */
#define LIBLINUX_FIXUP_(start, end, landing, flags) \
	".Lliblinux_fixup%=_" start ":\n" \
	"\t.pushsection fixup_table, \"ao?\", @progbits, .Lliblinux_fixup%=_" start "\n" \
	"\t.balign 4\n" \
	"\t.long " start " - .\n" \
	"\t.long " end " - " start "\n" \
	"\t.long " landing " - .\n" \
	"\t.long " flags "\n" \
	"\t.popsection\n"

/* An exception that an access raised. */
struct liblinux_fault {
	uint64_t trap;		/* its number: 14 is a page fault, 13 a general protection fault */
	uint32_t error_code;	/* the processor's error code */
	uint32_t signal;	/* SIGBUS behind the end of a file, SIGSEGV elsewhere; 0 of an image or a kernel that is too old */
	uint64_t address;	/* the address of a page fault, else 0 */
	uint64_t ip;		/* the instruction */
};

/*
 * Copies bytes upwards, from or to where memory may not be. 0, or 1 and what happened; some may
 * have been copied then. probe.h has single loads and stores, and says where probes do not work
 * without liblinux_fixups_unblock().
 */
static inline int liblinux_probe_copy(void *to, const void *from, unsigned long count, struct liblinux_fault *fault)
{
	/* The registers of the copy, and of the landing. */
	unsigned long rdi = (unsigned long)to, rsi = (unsigned long)from, rcx = count, rdx = 0, faulted = 1;

	__asm__ volatile("2:\trep movsb\n3:\txor{l}\t%k[faulted], %k[faulted]\n4:\n"
			 LIBLINUX_FIXUP("2b", "3b", "4b")
			 : "+D"(rdi), "+S"(rsi), "+c"(rcx), "+d"(rdx), [faulted] "+r"(faulted)
			 : : "cc", "memory");
	if (!faulted)
		return 0;
	fault->trap = rdi;
	fault->error_code = (uint32_t)rsi;
	fault->signal = (uint32_t)(rsi >> 32);
	fault->address = rdx;
	fault->ip = rcx;
	return 1;
}

#ifdef LIBLINUX_FIXUPS

#include "own.h"

#ifndef LIBLINUX_NO_LIBC
#include <stddef.h>
#include <stdlib.h>
#include <sys/auxv.h>

/* 0 if this DSO is registered, else -errno. */
static long liblinux_fixups_status = -2;
static struct liblinux_fixups liblinux_fixups_joined;
static struct vdso_fixup_dso liblinux_fixups_own;

/*
 * Destructors run when the DSO is unloaded, and at exit, where the text stays and other threads
 * continue until the process ends. Only the former ends the registration. The two are told apart by
 * what is known for sure, and where nothing is, the registration stays: text that is unmapped
 * without being unregistered never lands, and makes way when this DSO is loaded again.
 *
 * The exit runs functions of atexit() first and destructors last, but for a library that was loaded
 * with the program: it called atexit() before the C library arranged for destructors, which
 * therefore come first. Such a library is never unloaded. It is known by its thread-local storage,
 * which each thread has from the start; that of a library that came later is allocated as a thread
 * asks for it, and no thread asks for this.
 *
 * It is aligned as what follows it in the segment that is made read-only: where that begins on a
 * page of its own, mold 1.10 would have the loader protect the page in front, which is not there.
 */
__extension__ static __thread char liblinux_fixups_thread __attribute__((used, aligned(64)));
static int liblinux_fixups_came_later, liblinux_fixups_exiting;

/* The facts that dl_iterate_phdr() tells of a DSO: struct dl_phdr_info. */
struct liblinux_loaded {
	uint64_t address;
	const char *name;
	const void *headers;
	uint16_t count;
	uint64_t loads, unloads;
	size_t thread_module;
	void *thread_data;
};

extern int liblinux_iterate(int (*step)(struct liblinux_loaded *, size_t, void *), void *argument)
	__asm__("dl_iterate_phdr");

static int liblinux_fixups_examine(struct liblinux_loaded *dso, size_t size, void *came_later)
{
	if (size < sizeof(*dso) || dso->headers != liblinux_ehdr + *(const uint64_t *)(liblinux_ehdr + 32))
		return 0;
	*(int *)came_later = dso->thread_module && !dso->thread_data;
	return 1;
}

static void liblinux_fixups_exit(void)
{
	__atomic_store_n(&liblinux_fixups_exiting, 1, __ATOMIC_RELAXED);
}

/* Before other constructors, which may use thread-local storage, and fixups. */
__attribute__((constructor(101))) static void liblinux_fixups_load(void)
{
	const void *image = liblinux_find(getauxval(33 /* AT_SYSINFO_EHDR */));

	liblinux_fixups_status = liblinux_fixups_join(&liblinux_fixups_joined, image);
	if (liblinux_fixups_status)
		return;
	liblinux_fixups_status = liblinux_fixups_register_own(&liblinux_fixups_joined, &liblinux_fixups_own);
	/* -EEXIST: it was here before, at the same address, and left its registration. */
	if (liblinux_fixups_status == -17) {
		liblinux_fixups_unregister_own(&liblinux_fixups_joined);
		liblinux_fixups_status = liblinux_fixups_register_own(&liblinux_fixups_joined, &liblinux_fixups_own);
	}
	liblinux_iterate(liblinux_fixups_examine, &liblinux_fixups_came_later);
	if (liblinux_fixups_came_later && atexit(liblinux_fixups_exit))
		liblinux_fixups_came_later = 0;
}

__attribute__((destructor)) static void liblinux_fixups_unload(void)
{
	if (!liblinux_fixups_status && liblinux_fixups_came_later &&
	    !__atomic_load_n(&liblinux_fixups_exiting, __ATOMIC_RELAXED))
		liblinux_fixups_unregister_own(&liblinux_fixups_joined);
}
#endif /* LIBLINUX_NO_LIBC */

#endif /* LIBLINUX_FIXUPS */

#ifdef __cplusplus
}
#endif

#endif /* x86-64 */

#endif /* LIBLINUX_GUARD_H */
