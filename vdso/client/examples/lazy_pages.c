// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * lazy_pages - memory that comes when it is read, by a landing that mends the fault and resumes.
 *
 * An array has addresses and no memory. A load from it faults, the landing makes the page that the
 * load wants, and the load is executed again: it takes no signal, on a kernel that has frames. A
 * load from elsewhere is declined, so the signal handler of the program gets it as if there was no
 * landing.
 *
 *   cc -O2 -Ivdso/client/include vdso/client/examples/lazy_pages.c -o target/lazy_pages
 *   cargo xtask run -- target/lazy_pages
 */
#define _GNU_SOURCE
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>

#include "liblinux.h"
#define LIBLINUX_FIXUPS
#define LIBLINUX_NO_LIBC /* registered in main, not when it is loaded */
#include "liblinux/guard.h"
#include "liblinux/frame.h"

#define PAGE 4096UL
#define PAGES 8UL

static char *array;
static unsigned int made;

static int on_fault(struct vdso_fixup_frame *frame)
{
	uint64_t offset = frame->address - (uintptr_t)array;
	char *page = array + offset / PAGE * PAGE;

	if (frame->signal != SIGSEGV || offset >= PAGES * PAGE)
		return LIBLINUX_DECLINE;
	if (mprotect(page, PAGE, PROT_READ | PROT_WRITE))
		return LIBLINUX_DECLINE;
	memset(page, (int)(offset / PAGE) + 1, PAGE);
	made++;
	return LIBLINUX_RESUME;
}

LIBLINUX_FRAME_LANDING(landing, on_fault);

static unsigned char load(const void *from)
{
	uint64_t value;

	__asm__ volatile("1:\tmovzbl\t(%1), %k0\n2:\n" LIBLINUX_FIXUP_FRAME("1b", "2b", "landing")
			 : "=r"(value) : "r"(from) : "memory");
	return (unsigned char)value;
}

static sigjmp_buf elsewhere;
static siginfo_t told;

static void handler(int signo, siginfo_t *info, void *context)
{
	(void)signo;
	(void)context;
	told = *info;
	siglongjmp(elsewhere, 1);
}

int main(void)
{
	struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO };
	const void *image = liblinux_find(getauxval(AT_SYSINFO_EHDR));
	struct liblinux_fixups fixups;
	struct vdso_fixup_dso own;
	unsigned long sum = 0;
	long status;

	/* The handler that was there before the registry gets what is declined. */
	sigaction(SIGSEGV, &action, NULL);
	status = liblinux_frame_prepare(image);
	if (!status)
		status = liblinux_fixups_join(&fixups, image);
	if (!status)
		status = liblinux_fixups_register_own(&fixups, &own);
	if (status) {
		fprintf(stderr, "no landings with frames: error %ld; run it by `cargo xtask run`\n", status);
		return 1;
	}
	array = mmap(NULL, PAGES * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (array == MAP_FAILED)
		return 1;
	for (unsigned long page = 0; page < PAGES; page++)
		sum += load(array + page * PAGE + page);
	printf("%u pages came as they were read; the sum is %lu\n", made, sum);
	if (!sigsetjmp(elsewhere, 1)) {
		load((void *)8);
		return 1;
	}
	printf("a load from elsewhere was declined: signal %d, code %d, address %p\n", told.si_signo, told.si_code,
	       told.si_addr);
	return !(made == PAGES && sum == 36 && told.si_signo == SIGSEGV && told.si_addr == (void *)8);
}
