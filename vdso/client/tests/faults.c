/*
 * faults IMAGE: probes, the signal mask and arenas in C, on the image in a file, with a handler in
 * place of the kernel.
 *
 * Each test is a process of its own. Prints what does not hold; the exit status is the number of
 * tests in which something does not.
 */
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
/* What is below the image: the pages that the kernel has its data in, here zeros. */
#define DATA (64 * PAGE)

static const void *image;
static struct liblinux_fixups fixups;
static struct vdso_fixup_dso own;
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

/* How a child ends that does this. */
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

/* ---- Probes ---- */

#define FULL 0x1122334455667788ULL

/*
 * A size: what is there, where it ends, and where nothing is. END is a page's end, behind which
 * nothing can be read.
 */
#define PROBE(bytes, type) \
	do { \
		const type full = (type)FULL; \
		type value = 0, *last = (type *)(end - sizeof(type)); \
	\
		CHECK(!liblinux_probe_store##bytes(last, full, &fault)); \
		CHECK(!memcmp(last, &full, sizeof(type)) && ((unsigned char *)last)[-1] == 0); \
		CHECK(!liblinux_probe_load##bytes(last, &value, &fault) && value == full); \
		memset(last, 0, sizeof(type)); \
		value = 5; \
		CHECK(liblinux_probe_load##bytes((unsigned char *)last + 1, &value, &fault) && value == 5); \
		CHECK(fault.trap == 14 && fault.address == (uint64_t)end && !(fault.error_code & 2)); \
		CHECK(fault.signal == SIGSEGV); \
		CHECK(liblinux_probe_store##bytes((unsigned char *)last + 1, full, &fault)); \
		CHECK(fault.trap == 14 && fault.error_code & 2 && fault.signal == SIGSEGV); \
		CHECK(liblinux_probe_store##bytes(readable, full, &fault) && fault.address == (uint64_t)readable); \
		CHECK(liblinux_probe_load##bytes(odd, &value, &fault) && fault.trap == 13 && fault.signal == SIGSEGV); \
		CHECK(liblinux_probe_load##bytes(past_end, &value, &fault) && fault.signal == SIGBUS && fault.trap == 14); \
		CHECK(liblinux_probe_store##bytes(past_end, full, &fault) && fault.signal == SIGBUS); \
		CHECK(value == 5 && fault.ip - (uint64_t)own.text_start < own.text_len); \
	} while (0)

static void probe_tests(void)
{
	unsigned char *end = pages(2, PROT_READ | PROT_WRITE) + PAGE, *readable = pages(1, PROT_READ);
	void *odd = (void *)(1UL << 62);
	int file = memfd_create("empty", 0);
	unsigned char *past_end = (unsigned char *)mmap(0, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	struct liblinux_fault fault;

	memset(&fault, 0, sizeof(fault));
	CHECK(!mprotect(end, PAGE, PROT_NONE) && past_end != MAP_FAILED);
	CHECK(!liblinux_fixups_register_own(&fixups, &own));
	PROBE(1, uint8_t);
	PROBE(2, uint16_t);
	PROBE(4, uint32_t);
	PROBE(8, uint64_t);
	CHECK(liblinux_probe_copy(end - 4, past_end, 4, &fault) && fault.signal == SIGBUS && fault.trap == 14);
}

/* ---- The signal mask ---- */

static int unblocks;
static volatile sig_atomic_t faults;

/* A handler that looks at memory, and steps over an instruction of two bytes. */
static void prober(int number, siginfo_t *information, void *context)
{
	struct liblinux_fault fault;
	uint64_t blocked = 0;
	uint32_t value;
	int i;

	(void)information;
	if (unblocks)
		CHECK(!liblinux_fixups_unblock(&fixups, &blocked));
	for (i = 0; i < 3; i++)
		faults += liblinux_probe_load4((void *)8, &value, &fault);
	if (unblocks)
		CHECK(!liblinux_fixups_reblock(&fixups, blocked));
	if (number == SIGSEGV)
		((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP] += 2;
}

static void handle(int number, int mask_all)
{
	struct sigaction action;

	memset(&action, 0, sizeof(action));
	action.sa_sigaction = prober;
	action.sa_flags = SA_SIGINFO;
	if (mask_all)
		sigfillset(&action.sa_mask);
	CHECK(!sigaction(number, &action, 0));
}

/*
 * The client's handler comes last. It calls the one before for a fault without a fixup, with
 * SIGSEGV blocked as ever.
 */
static void in_a_handler_of_faults(void)
{
	struct liblinux_fixups here;

	handle(SIGSEGV, 0);
	CHECK(!liblinux_fixups_join(&here, image) && here.pages);
	fixups = here;
	CHECK(!liblinux_fixups_register_own(&fixups, &own));
	__asm__ volatile("movb (%%rax), %%al" : : "a"(0) : "memory");
	CHECK(faults == 3);
}

static void in_a_handler_with_a_mask(void)
{
	CHECK(!liblinux_fixups_register_own(&fixups, &own));
	handle(SIGUSR1, 1);
	raise(SIGUSR1);
	CHECK(faults == 3);
}

static void mask_tests(void)
{
	sigset_t all, before, after;
	struct liblinux_fault fault;
	uint64_t blocked, none;
	uint8_t byte;

	CHECK(dies(in_a_handler_with_a_mask));
	unblocks = 1;
	CHECK(!end_of(in_a_handler_with_a_mask));
	CHECK(!liblinux_fixups_register_own(&fixups, &own));
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, 0);
	sigprocmask(SIG_SETMASK, 0, &before);
	CHECK(!liblinux_fixups_unblock(&fixups, &blocked) && blocked == 0x4c8);
	CHECK(!liblinux_fixups_unblock(&fixups, &none) && !none && !liblinux_fixups_reblock(&fixups, none));
	CHECK(liblinux_probe_load1((void *)8, &byte, &fault));
	CHECK(!liblinux_fixups_reblock(&fixups, blocked));
	sigprocmask(SIG_SETMASK, 0, &after);
	CHECK(!memcmp(&before, &after, 8));
}

/* Without a registry before the program's handler is there. */
static void earlier_tests(void)
{
	unblocks = 0;
	CHECK(dies(in_a_handler_of_faults));
	unblocks = 1;
	CHECK(!end_of(in_a_handler_of_faults));
}

/* A handler that reports crashes: in front, without SA_NODEFER, and it passes nothing on. */
static void reporter(int number, siginfo_t *information, void *context)
{
	unsigned char buffer[8];

	(void)number;
	faults += liblinux_probe_read_by_call(image, buffer, information->si_addr, 8) == -EFAULT;
	faults += liblinux_probe_read_by_call(image, buffer, (char *)context + 1, 8) == 0;
	faults += !memcmp(buffer, (char *)context + 1, 8);
	((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP] += 2;
}

static void call_tests(void)
{
	unsigned char *two = pages(2, PROT_READ | PROT_WRITE), buffer[16];
	struct sigaction action;

	CHECK(!munmap(two + PAGE, PAGE));
	CHECK(!liblinux_probe_read_by_call(image, buffer, two + PAGE - 16, 16));
	CHECK(liblinux_probe_read_by_call(image, buffer, two + PAGE - 15, 16) == -EFAULT);
	CHECK(liblinux_probe_read_by_call(image, buffer, (void *)(1UL << 62), 1) == -EFAULT);
	memset(&action, 0, sizeof(action));
	action.sa_sigaction = reporter;
	action.sa_flags = SA_SIGINFO;
	CHECK(!sigaction(SIGSEGV, &action, 0));
	__asm__ volatile("movb (%%rax), %%al" : : "a"(8) : "memory");
	CHECK(faults == 3);
}

/* ---- Code that is made at run time ---- */

static void entry_tests(void)
{
	struct vdso_fixup_entry entry;
	const uint64_t at = 0x700000000000, text = at - 0x1000;

	CHECK(!liblinux_fixup_entry(&entry, at, text, text + 3, text + 8, VDSO_FIXUP_PLAIN));
	CHECK(entry.start == -0x1000 && entry.len == 3 && entry.landing == -0x1000 && entry.flags == 1);
	CHECK(liblinux_fixup_entry(&entry, at, text, text, text, 0) == -EINVAL);
	CHECK(liblinux_fixup_entry(&entry, at, text + 1, text, text, 0) == -EINVAL);
	CHECK(liblinux_fixup_entry(&entry, at, text, text + 1, text, 2) == -EINVAL);
	CHECK(liblinux_fixup_entry(&entry, at, text, text + (1ULL << 32), text, 0) == -ERANGE);
	CHECK(liblinux_fixup_entry(&entry, at, text - (1ULL << 31), text, text, 0) == -ERANGE);
	CHECK(liblinux_fixup_entry(&entry, at, text, text + 1, text + (1ULL << 32), 0) == -ERANGE);
}

#define GRANULE (2 * PAGE)

static struct liblinux_arena arena;
static unsigned char *place;

static void write_code(void)
{
	/* mov 8, %rax; ret */
	memcpy(place, "\x48\x8b\x04\x25\x08\0\0\0\xc3", 9);
}

static void run_code(void)
{
	CHECK(((unsigned char *(*)(void))place)() == place);
}

static void arena_tests(void)
{
	/* 16 bytes of int3, then the landing: mov %rcx, %rax; ret */
	unsigned char stubs[PAGE];
	int all = PROT_READ | PROT_WRITE | PROT_EXEC;
	struct vdso_fixup_hit hit;

	memset(stubs, 0xcc, sizeof(stubs));
	memcpy(stubs + 16, "\x48\x89\xc8\xc3", 4);
	CHECK(liblinux_arena_reserve(&arena, &fixups, 8 * GRANULE, 64, stubs, 20, 16, 0) == -EINVAL);
	CHECK(liblinux_arena_reserve(&arena, &fixups, 8 * GRANULE + PAGE, GRANULE, stubs, 20, 16, 0) == -EINVAL);
	CHECK(liblinux_arena_reserve(&arena, &fixups, 8 * GRANULE, GRANULE, stubs, 20, 20, 0) == -EINVAL);
	CHECK(liblinux_arena_reserve(&arena, &fixups, 8 * GRANULE, GRANULE, stubs, PAGE - 15, 16, 0) == -EINVAL);
	CHECK(liblinux_arena_reserve(&arena, &fixups, 8 * GRANULE, GRANULE, stubs, 20, 16, 2) == -EINVAL);
	CHECK(liblinux_arena_reserve(&arena, &fixups, 1ULL << 31, GRANULE, stubs, 20, 16, 0) == -EINVAL);
	CHECK(!liblinux_arena_reserve(&arena, &fixups, 8 * GRANULE, GRANULE, stubs, 20, 16, 0));
	CHECK(!liblinux_arena_commit(&arena, GRANULE, 2 * GRANULE, all));
	place = arena.body + 2 * GRANULE - 4;
	write_code();
	run_code();
	/* As HotSpot commits: on top, without a word. */
	place = arena.body + 4 * GRANULE;
	CHECK(mmap(place, GRANULE, all, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == place);
	write_code();
	CHECK(dies(run_code));
	CHECK(!liblinux_arena_cover(&arena, 4 * GRANULE, GRANULE));
	run_code();
	CHECK(!liblinux_arena_uncover(&arena, 4 * GRANULE, GRANULE) && dies(run_code));
	CHECK(!liblinux_arena_cover(&arena, 4 * GRANULE, GRANULE));
	CHECK(!liblinux_arena_decommit(&arena, 4 * GRANULE, GRANULE) && dies(run_code));
	CHECK(liblinux_arena_cover(&arena, 0, 9 * GRANULE) == -EINVAL && liblinux_arena_cover(&arena, 0, 0) == -EINVAL);
	CHECK(liblinux_arena_cover(&arena, PAGE, GRANULE) == -EINVAL && liblinux_arena_uncover(&arena, 0, PAGE) == -EINVAL);
	CHECK(liblinux_fixups_mark(&fixups, &arena.dso, arena.dso.text_start - 1, 2) == -EINVAL);
	CHECK(liblinux_fixups_mark(&fixups, &arena.dso, arena.dso.text_start, arena.dso.text_len + 1) == -EINVAL);
	CHECK(!liblinux_fixups_mark(&fixups, &arena.dso, arena.dso.text_start, arena.dso.text_len));
	CHECK(!liblinux_image_call(image, "__vdso_fixup_lookup", liblinux_fixups_area(&fixups), (uint64_t)arena.body + GRANULE,
				   (uint64_t)&hit, 0, 0, 0) && hit.text_start == arena.dso.text_start);
	CHECK(!liblinux_arena_release(&arena));
	CHECK(liblinux_image_call(image, "__vdso_fixup_lookup", liblinux_fixups_area(&fixups), (uint64_t)arena.body + GRANULE,
				  (uint64_t)&hit, 0, 0, 0) == -ENOENT);
	CHECK(liblinux_arena_release(&arena) == -ENOENT);
}

static void joined(void (*body)(void))
{
	CHECK(!liblinux_fixups_join(&fixups, image) && fixups.pages);
	body();
}

static void joined_probes(void)
{
	joined(probe_tests);
}

static void joined_masks(void)
{
	joined(mask_tests);
}

static void joined_arenas(void)
{
	joined(arena_tests);
}

int main(int count, char **arguments)
{
	void (*const tests[])(void) = { joined_probes, joined_masks, earlier_tests, call_tests, entry_tests, joined_arenas };
	int file = count == 2 ? open(arguments[1], O_RDONLY) : -1, failed = 0;
	long size = file < 0 ? -1 : lseek(file, 0, SEEK_END);
	unsigned char *base;
	unsigned int i;

	if (size < 0)
		return 2;
	base = pages((int)((DATA + size + PAGE - 1) / PAGE), PROT_READ | PROT_WRITE) + DATA;
	if (pread(file, base, (size_t)size, 0) != size || mprotect(base, (size_t)size, PROT_READ | PROT_EXEC))
		return 2;
	image = liblinux_find((unsigned long)base);
	for (i = 0; i < sizeof(tests) / sizeof(*tests); i++)
		failed += end_of(tests[i]) != 0;
	printf("%u tests, %d failed\n", i, failed);
	return failed;
}
