// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * crash_reporter - a report of a crash that nothing else in the process handles.
 *
 * A reporter that installs a handler of SIGSEGV is asked about faults that are not crashes: a Java
 * machine's, a Go runtime's, a garbage collector's. As the last link of the chain it is asked when
 * every other handler has declined. It writes where the program was and who called, and leaves the
 * signal to the default: the process ends as it would have, with its core file.
 *
 * The stack of a program that crashes may be anything, so its words are read by probes, which
 * report a fault, where this program could register their fixups, and else by the kernel.
 *
 *   cargo xtask client
 *   cc -O0 vdso/client/examples/crash_reporter.c -o target/crash_reporter -Itarget/client/include \
 *      -Ltarget/client -l:liblinux-signals.so -Wl,-rpath,$PWD/target/client
 *   target/crash_reporter
 *
 * Without optimisation every function keeps the frame pointer, by which this walks.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <ucontext.h>
#include <unistd.h>

#define LIBLINUX_FIXUPS
#include "liblinux/guard.h"
#include "liblinux/probe.h"
#include "liblinux/signals.h"

#define FRAMES 16
#define HEAP (4 * 4096UL)

extern const char __executable_start[], etext[];

/* Two words of the stack: 1, or 0 if nothing is there. */
static int read_words(uint64_t address, uint64_t words[2])
{
	const char *place = (const char *)(uintptr_t)address;
	struct liblinux_fault fault;
	struct iovec to = { words, 16 }, from = { (void *)(uintptr_t)address, 16 };

	if (!liblinux_fixups_status)
		return !liblinux_probe_load8(place, &words[0], &fault) &&
		       !liblinux_probe_load8(place + 8, &words[1], &fault);
	return process_vm_readv(getpid(), &to, 1, &from, 1, 0) == 16;
}

/* Writes without a lock and without memory of the heap. */
static void say(const char *format, uint64_t number)
{
	char line[96];
	int length = snprintf(line, sizeof(line), format, number);

	if (write(STDERR_FILENO, line, (size_t)length) < 0)
		return;
}

/* An address of the program as addr2line takes it, and others as they are. */
static void say_place(const char *what, uint64_t ip)
{
	uint64_t start = (uintptr_t)__executable_start;
	int is_own = ip - start < (uintptr_t)etext - start;

	say(what, 0);
	say(is_own ? "crash_reporter+%#lx\n" : "%#lx\n", is_own ? ip - start : ip);
}

static int report(int signal, void *info, void *context, void *cookie)
{
	const siginfo_t *told = info;
	const ucontext_t *where = context;
	uint64_t frame = (uint64_t)where->uc_mcontext.gregs[REG_RBP], words[2];

	(void)cookie;
	say("crash: signal %lu", (uint64_t)signal);
	say(", address %#lx\n", (uintptr_t)told->si_addr);
	say_place("at ", (uint64_t)where->uc_mcontext.gregs[REG_RIP]);
	for (int i = 0; i < FRAMES && read_words(frame, words) && words[0] > frame; i++) {
		say_place("called from ", words[1]);
		frame = words[0];
	}
	return 0;
}

/* A heap whose pages come when they are touched: its faults are not crashes. */
static char *heap;
static int mended;

static int mend(int signal, void *info, void *context, void *cookie)
{
	uintptr_t address = (uintptr_t)((const siginfo_t *)info)->si_addr;

	(void)signal, (void)context, (void)cookie;
	if (address - (uintptr_t)heap >= HEAP)
		return 0;
	mended++;
	return !mprotect((void *)(address & -4096UL), 4096, PROT_READ | PROT_WRITE);
}

static struct liblinux_signal_link reporter = LIBLINUX_SIGNAL_LINK(SIGSEGV, report);
static struct liblinux_signal_link mender = LIBLINUX_SIGNAL_LINK(SIGSEGV, mend);

static __attribute__((noinline)) int broken(const volatile int *pointer)
{
	return *pointer + 1;
}

static __attribute__((noinline)) int caller(const volatile int *pointer)
{
	return broken(pointer) + 1;
}

int main(void)
{
	heap = mmap(NULL, HEAP, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (heap == MAP_FAILED)
		return 1;
	reporter.flags = LIBLINUX_SIGNAL_LAST;
	mender.memory_start = (uintptr_t)heap;
	mender.memory_len = HEAP;
	if (liblinux_signal_add(NULL, &reporter) || liblinux_signal_add(NULL, &mender))
		return 1;
	memset(heap, 1, HEAP);
	printf("%d pages came, and no crash was reported\n", mended);
	fflush(stdout);
	return caller((const volatile int *)8);
}
