// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * instances - engines that know nothing of each other, each with a handler of its own for the
 * faults of the code that it made.
 *
 * An engine has code in an arena, all of which lands at one function with the engine as its cookie.
 * Of the engine's memory the first half comes as it is loaded from (SIGSEGV); the second half is a
 * mapping of a file that has become shorter (SIGBUS), where loads give 0 and are counted. Anything
 * else is declined, so the signal handler of the program gets it as if there was no engine.
 *
 *   cc -O2 -Ivdso/client/include vdso/client/examples/instances.c -o target/instances
 *   cargo xtask run -- target/instances
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

#include "liblinux.h"
#include "liblinux/arena.h"
#include "liblinux/frame.h"

#define PAGE 4096UL

struct engine {
	struct liblinux_arena arena;
	unsigned char *memory;		/* a page that comes when it is wanted, and one of a file */
	unsigned char fill;		/* what is in the first page */
	unsigned int made, lost;
};

static int on_fault(struct vdso_fixup_frame *frame, void *cookie)
{
	struct engine *engine = cookie;
	uint64_t offset = frame->address - (uintptr_t)engine->memory;

	if (frame->signal == SIGSEGV && offset < PAGE && !mprotect(engine->memory, PAGE, PROT_READ | PROT_WRITE)) {
		memset(engine->memory, engine->fill, PAGE);
		engine->made++;
		return LIBLINUX_RESUME; /* the load is executed again */
	}
	if (frame->signal == SIGBUS && offset - PAGE < PAGE) {
		frame->rax = 0;
		frame->ip += 3; /* behind the load */
		engine->lost++;
		return LIBLINUX_RESUME;
	}
	return LIBLINUX_DECLINE;
}

LIBLINUX_FRAME_HANDLER(landing, on_fault);

/* movzbl (%rdi), %eax; ret */
static const unsigned char code[] = { 0x0f, 0xb6, 0x07, 0xc3 };

/* 0 or -errno. */
static long make(struct engine *engine, const struct liblinux_fixups *fixups, unsigned char fill)
{
	unsigned char stub[LIBLINUX_FRAME_STUB];
	int file = memfd_create("memory", 0);
	long status;

	engine->fill = fill;
	engine->memory = mmap(NULL, 2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (file < 0 || engine->memory == MAP_FAILED ||
	    mmap(engine->memory + PAGE, PAGE, PROT_READ, MAP_SHARED | MAP_FIXED, file, 0) == MAP_FAILED)
		return -12;
	close(file);
	liblinux_frame_stub(stub, landing, engine);
	status = liblinux_arena_reserve(&engine->arena, fixups, PAGE, PAGE, stub, sizeof(stub), 0, VDSO_FIXUP_FRAME);
	if (!status)
		status = liblinux_arena_commit(&engine->arena, 0, PAGE, PROT_READ | PROT_WRITE);
	if (!status) {
		memcpy(engine->arena.body, code, sizeof(code));
		status = mprotect(engine->arena.body, PAGE, PROT_READ | PROT_EXEC) ? -12 : 0;
	}
	return status;
}

/* The engine's code loads a byte. */
static int load(const struct engine *engine, const unsigned char *from)
{
	int (*function)(const unsigned char *) = (int (*)(const unsigned char *))(uintptr_t)engine->arena.body;

	return function(from);
}

static sigjmp_buf elsewhere;
static volatile int told;

static void handler(int number)
{
	told = number;
	siglongjmp(elsewhere, 1);
}

int main(void)
{
	const void *image = liblinux_find(getauxval(AT_SYSINFO_EHDR));
	static struct engine engines[2];
	struct liblinux_fixups fixups;
	int is_right = 1, i;
	long status;

	/* The handler that was there before the registry gets what is declined. */
	signal(SIGSEGV, handler);
	status = liblinux_frame_prepare(image);
	if (!status)
		status = liblinux_fixups_join(&fixups, image);
	for (i = 0; !status && i < 2; i++)
		status = make(&engines[i], &fixups, (unsigned char)(i + 1));
	if (status) {
		fprintf(stderr, "no landings with frames: error %ld; run it by `cargo xtask run`\n", status);
		return 1;
	}
	for (i = 0; i < 2; i++) {
		int first = load(&engines[i], engines[i].memory + 5), last = load(&engines[i], engines[i].memory + PAGE + 5);

		printf("engine %d: loaded %d from memory that came, %d from a file that has none\n", i, first, last);
		is_right &= first == i + 1 && !last && engines[i].made == 1 && engines[i].lost == 1;
	}
	mprotect(engines[1].memory, PAGE, PROT_NONE);
	if (!sigsetjmp(elsewhere, 1)) {
		load(&engines[0], engines[1].memory);
		return 1;
	}
	printf("a load from the other engine's memory was declined: signal %d\n", told);
	for (i = 0; i < 2; i++)
		is_right &= !liblinux_arena_release(&engines[i].arena) && engines[i].made == 1;
	return !(is_right && told == SIGSEGV);
}
