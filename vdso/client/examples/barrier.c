// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * barrier - the write barrier of a garbage collector, by page protection.
 *
 * A generational collector wants to know which old pages were written to since it ran last. It
 * protects them: the first store to each faults, the page's card is marked dirty, the page is
 * writable from then on, and the store is executed again. Every page that the program writes to
 * costs one fault between two collections.
 *
 * The same mutator and the same collector run with a handler of SIGSEGV, as collectors have it, and
 * with a landing over the mutator's text, which takes no signal on a kernel that has frames. After
 * each round the dirty cards are compared with the pages that have other bytes than before.
 *
 *   cc -O2 -Ivdso/client/include vdso/client/examples/barrier.c -o target/barrier
 *   cargo xtask run -- target/barrier
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <time.h>

#include "liblinux.h"
#define LIBLINUX_FIXUPS
#define LIBLINUX_NO_LIBC /* registered in main, after the handler has been tried */
#include "liblinux/guard.h"
#include "liblinux/frame.h"

#define PAGE 4096UL
#define PAGES 256UL
#define ROUNDS 10U
#define WORDS (PAGE / sizeof(uint64_t))

static uint64_t *heap, *before;
static unsigned char cards[PAGES];

/* Marks the card of an address of the heap: 1, or 0 if the fault is not the collector's. */
static int mark(uintptr_t address)
{
	uintptr_t page = (address - (uintptr_t)heap) / PAGE;

	if (address < (uintptr_t)heap || page >= PAGES || cards[page])
		return 0;
	cards[page] = 1;
	return !mprotect((char *)heap + page * PAGE, PAGE, PROT_READ | PROT_WRITE);
}

static int on_fault(struct vdso_fixup_frame *frame)
{
	return frame->signal == SIGSEGV && mark(frame->address) ? LIBLINUX_RESUME : LIBLINUX_DECLINE;
}

LIBLINUX_FRAME_LANDING(landing, on_fault);

static void handler(int signo, siginfo_t *info, void *context)
{
	(void)context;
	if (!mark((uintptr_t)info->si_addr))
		signal(signo, SIG_DFL); /* the fault comes again, and ends the program */
}

/* A store of the mutator. Its landing is consulted once its table is registered. */
static inline void store(uint64_t *slot, uint64_t value)
{
	__asm__ volatile("1:\tmovq\t%1, %0\n2:\n" LIBLINUX_FIXUP_FRAME("1b", "2b", "landing")
			 : "=m"(*slot) : "r"(value));
}

/* Writes to about half of the pages, to some of them more than once. */
static void mutate(uint64_t *state)
{
	for (unsigned long i = 0; i < PAGES; i++) {
		*state = *state * 6364136223846793005UL + 1442695040888963407UL;
		store(&heap[(*state >> 33) % (PAGES * WORDS)], *state | 1);
	}
}

/* How many pages are dirty; it is an error if these are not the ones that have changed. */
static unsigned long collect(void)
{
	unsigned long dirty = 0;

	for (unsigned long page = 0; page < PAGES; page++) {
		int changed = memcmp(heap + page * WORDS, before + page * WORDS, PAGE) != 0;

		if (changed != cards[page]) {
			fprintf(stderr, "page %lu %s\n", page, changed ? "changed, and is clean" : "is dirty");
			exit(1);
		}
		if (changed)
			memcpy(before + page * WORDS, heap + page * WORDS, PAGE);
		dirty += cards[page];
		cards[page] = 0;
	}
	return dirty;
}

static void protect(int access)
{
	if (mprotect(heap, PAGES * PAGE, access)) {
		perror("mprotect");
		exit(1);
	}
}

/* Runs mutator and collector in turn, and says how many pages were dirtied. */
static unsigned long run(const char *by)
{
	unsigned long dirty = 0;
	uint64_t state = 1, elapsed = 0;

	protect(PROT_READ | PROT_WRITE);
	memset(heap, 0, PAGES * PAGE); /* every page has its memory */
	memset(before, 0, PAGES * PAGE);
	for (unsigned int round = 0; round < ROUNDS; round++) {
		struct timespec start, end;

		protect(PROT_READ);
		clock_gettime(CLOCK_MONOTONIC, &start);
		mutate(&state);
		clock_gettime(CLOCK_MONOTONIC, &end);
		elapsed += (uint64_t)(end.tv_sec - start.tv_sec) * 1000000000 + (uint64_t)end.tv_nsec -
			    (uint64_t)start.tv_nsec;
		dirty += collect();
	}
	printf("%-8s: %lu pages were dirtied and found, %.0f a second\n", by, dirty,
	       (double)dirty * 1e9 / (double)elapsed);
	fflush(stdout);
	return dirty;
}

static void *map(void)
{
	void *memory = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (memory == MAP_FAILED) {
		perror("mmap");
		exit(1);
	}
	return memory;
}

int main(void)
{
	struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO }, usual;
	const void *image = liblinux_find(getauxval(AT_SYSINFO_EHDR));
	struct liblinux_fixups fixups;
	struct vdso_fixup_dso own;
	unsigned long by_handler;
	long status;

	heap = map();
	before = map();
	sigaction(SIGSEGV, &action, &usual);
	by_handler = run("signals");
	sigaction(SIGSEGV, &usual, NULL);
	status = liblinux_frame_prepare(image);
	if (!status)
		status = liblinux_fixups_join(&fixups, image);
	if (!status)
		status = liblinux_fixups_register_own(&fixups, &own);
	if (status) {
		fprintf(stderr, "no landings with frames: error %ld; run it by `cargo xtask run`\n", status);
		return 1;
	}
	return by_handler != run("landings");
}
