/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * liblinux/probe.h - accesses to memory that may not be there: 0, or 1 and the fault.
 *
 * liblinux_probe_load1, load2, load4 and load8 read so many bytes by one instruction,
 * liblinux_probe_store1 to store8 write them, as probe::read and probe::write do in Rust.
 * liblinux_probe_copy (guard.h) copies any number. A load that faults leaves the value as it was; a
 * store that faults wrote nothing, unless it straddles two pages.
 *
 * Two things have to hold, or the fault is an ordinary one and ends the process:
 *
 * - The DSO that includes this is registered: one of its files defines LIBLINUX_FIXUPS, or
 *   registers by registry.h.
 * - Where a signal handler stands in for the kernel, the thread does not block the signal. It does
 *   in a handler of SIGSEGV without SA_NODEFER, in one with a mask, and where a thread blocks all
 *   signals. liblinux_fixups_unblock() in registry.h is for there. Where a handler of the program's
 *   own is in front and does not pass faults on, liblinux_probe_read_by_call() works.
 */
#ifndef LIBLINUX_PROBE_H
#define LIBLINUX_PROBE_H

#if !defined(__x86_64__) || !defined(__LP64__)
#error "liblinux is for 64-bit x86-64 Linux programs: compile without -m32, -mx32 and cross compilers for others"
#else

#include "guard.h"
#include "resolve.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The registers of a landing; 1. */
static inline int liblinux_probe_fault(struct liblinux_fault *fault, unsigned long rdi, unsigned long rsi, unsigned long rdx,
				       unsigned long rcx)
{
	fault->trap = rdi;
	fault->error_code = (uint32_t)rsi;
	fault->signal = (uint32_t)(rsi >> 32);
	fault->address = rdx;
	fault->ip = rcx;
	return 1;
}

/* A load and a store; LETTER is the compiler's for a register of that size. */
#define LIBLINUX_PROBES(bytes, type, letter) \
	static inline int liblinux_probe_load##bytes(const void *from, type *value, struct liblinux_fault *fault) \
	{ \
		unsigned long rdi = (unsigned long)from, rsi, rdx, rcx, faulted = 1; \
		type loaded; \
	\
		__asm__ volatile("2:\tmov {(%%rdi), %" letter "[loaded]|%" letter "[loaded], [rdi]}\n" \
				 "3:\txor %k[faulted], %k[faulted]\n4:\n" \
				 LIBLINUX_FIXUP("2b", "3b", "4b") \
				 : "+D"(rdi), "=S"(rsi), "=d"(rdx), "=c"(rcx), [faulted] "+r"(faulted), \
				   [loaded] "=r"(loaded) : : "cc", "memory"); \
		if (faulted) \
			return liblinux_probe_fault(fault, rdi, rsi, rdx, rcx); \
		*value = loaded; \
		return 0; \
	} \
	\
	static inline int liblinux_probe_store##bytes(void *to, type value, struct liblinux_fault *fault) \
	{ \
		unsigned long rdi = (unsigned long)to, rsi, rdx, rcx, faulted = 1; \
	\
		__asm__ volatile("2:\tmov {%" letter "[value], (%%rdi)|[rdi], %" letter "[value]}\n" \
				 "3:\txor %k[faulted], %k[faulted]\n4:\n" \
				 LIBLINUX_FIXUP("2b", "3b", "4b") \
				 : "+D"(rdi), "=S"(rsi), "=d"(rdx), "=c"(rcx), [faulted] "+r"(faulted) \
				 : [value] "r"(value) : "cc", "memory"); \
		return faulted ? liblinux_probe_fault(fault, rdi, rsi, rdx, rcx) : 0; \
	}

/*
 * Reads COUNT bytes by system calls, gettid and process_vm_readv; 0 or -errno. IMAGE is that of
 * liblinux_find().
 *
 * It needs no fixups and raises no signal. So it works where the others may not on a kernel without
 * the series: in a handler of SIGSEGV that was installed over the client's and does not pass on, as
 * in one that reports crashes; with signals blocked; before anything is registered. It costs two
 * system calls and is not one access. -EFAULT for memory that is not mapped or not readable, and
 * for a device's; the error of a filter that refuses the call, -ENOSYS of an image without it.
 */
static inline long liblinux_probe_read_by_call(const void *image, void *to, const void *from,
					       unsigned long count)
{
	/* struct iovec */
	uint64_t here[2] = {(uint64_t)to, count}, there[2] = {(uint64_t)from, count};
	void *gettid = liblinux_symbol(image, "__vdso_gettid");
	void *readv = liblinux_symbol(image, "__vdso_process_vm_readv");
	long result;

	if (!gettid || !readv)
		return -38;
	/* Not the process's number: that is the first thread's, which may have ended. */
	result = ((long (*)(void))(unsigned long)gettid)();
	if (result > 0)
		result = ((long (*)(int, const uint64_t *, unsigned long, const uint64_t *, unsigned long, unsigned long))(
			unsigned long)readv)((int)result, here, 1, there, 1, 0);
	if (result < 0)
		return result;
	return (unsigned long)result == count ? 0 : -14;
}

LIBLINUX_PROBES(1, uint8_t, "b")
LIBLINUX_PROBES(2, uint16_t, "w")
LIBLINUX_PROBES(4, uint32_t, "k")
LIBLINUX_PROBES(8, uint64_t, "q")

#ifdef __cplusplus
}
#endif

#endif /* x86-64 */

#endif /* LIBLINUX_PROBE_H */
