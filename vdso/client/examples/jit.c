/*
 * jit [--forget]: code that is made at run time faults, and its caller gets an error.
 *
 * 	cc -O2 -Ivdso/client/include vdso/client/examples/jit.c -o target/jit
 * 	cargo xtask run -- target/jit
 *
 * The code is written through one mapping of a file in memory and runs in another, which is mapped
 * on top of an arena: no page can be written and executed at the same address. With --forget the
 * program does not have that mapping covered. It then ends with SIGSEGV, under every kernel: see
 * liblinux/arena.h.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

#include <liblinux.h>
#include <liblinux/arena.h>

#define GRANULE 65536

/* The report of a function that did not return. */
struct trap {
	uint64_t exception, address;
};

/*
 * struct result enter(long argument, struct trap *trap, const void *code): 16 bytes, then the
 * landing.
 */
static const unsigned char stubs[] = {
	0x55, 0x48, 0x89, 0xe5,			/* push %rbp; mov %rsp, %rbp */
	0x49, 0x89, 0xf0,			/* mov %rsi, %r8 */
	0xff, 0xd2,				/* call *%rdx */
	0x31, 0xd2, 0x5d, 0xc3,			/* xor %edx, %edx; pop %rbp; ret */
	0xcc, 0xcc, 0xcc,
	0x49, 0x89, 0x38,			/* mov %rdi, (%r8): the exception */
	0x49, 0x89, 0x50, 0x08,			/* mov %rdx, 8(%r8): the address of a page fault */
	0x48, 0x89, 0xec, 0x5d,			/* mov %rbp, %rsp; pop %rbp */
	0xba, 1, 0, 0, 0, 0xc3,			/* mov $1, %edx; ret */
};

static const unsigned char load[] = { 0x48, 0x8b, 0x07, 0xc3 };				/* mov (%rdi), %rax; ret */
static const unsigned char divide[] = { 0xb8, 42, 0, 0, 0, 0x99, 0xf7, 0xff, 0xc3 };	/* 42 / edi */

struct result {
	long value, trapped;
};

static struct liblinux_arena arena;

static void call(const char *name, unsigned long offset, long argument)
{
	struct trap trap;
	struct result (*enter)(long, struct trap *, const void *);
	struct result result;

	enter = (struct result (*)(long, struct trap *, const void *))(unsigned long)arena.head;
	result = enter(argument, &trap, arena.body + offset);
	if (!result.trapped)
		printf("%s: %ld\n", name, result.value);
	else if (trap.exception == 14)
		printf("%s: nothing is at %#lx\n", name, (unsigned long)trap.address);
	else
		printf("%s: exception %lu\n", name, (unsigned long)trap.exception);
	fflush(stdout);
}

int main(int count, char **arguments)
{
	const void *image = liblinux_find(getauxval(AT_SYSINFO_EHDR));
	int is_forgotten = count > 1 && !strcmp(arguments[1], "--forget"), file = memfd_create("code", 0);
	struct liblinux_fixups fixups;
	unsigned char *view;
	long word = 7, status = liblinux_fixups_join(&fixups, image);

	if (!status)
		status = liblinux_arena_reserve(&arena, &fixups, 16 * GRANULE, GRANULE, stubs, sizeof(stubs), 16, 0);
	if (status) {
		fprintf(stderr, "jit: cannot reserve memory for code: errno %ld\n", -status);
		return 1;
	}
	if (file < 0 || ftruncate(file, GRANULE))
		return 1;
	view = mmap(0, GRANULE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
	if (view == MAP_FAILED || mmap(arena.body, GRANULE, PROT_READ | PROT_EXEC, MAP_SHARED | MAP_FIXED, file, 0) == MAP_FAILED)
		return 1;
	memcpy(view, load, sizeof(load));
	memcpy(view + 64, divide, sizeof(divide));
	/* After each mapping on top. */
	if (!is_forgotten)
		status = liblinux_arena_cover(&arena, 0, GRANULE);
	if (status) {
		fprintf(stderr, "jit: the code cannot be covered: errno %ld\n", -status);
		return 1;
	}
	call("load a word", 0, (long)&word);
	call("load from 8", 0, 8);
	call("42 / 6", 64, 6);
	call("42 / 0", 64, 0);
	return liblinux_arena_release(&arena) != 0;
}
