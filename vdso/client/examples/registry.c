/*
 * Exception fixups without the client: a registry, a table and a handler by hand.
 *
 *	cc -O2 -Ivdso/client/include vdso/client/examples/registry.c -o target/registry
 *	cargo xtask run -- target/registry
 *
 * prints "0 14": a load that succeeds, and one that is a page fault.
 */
#define _GNU_SOURCE
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/mman.h>

#include <liblinux.h>
#include <liblinux/fixup.h>

/* long peek(const long *from, long *to): 0, or the number of the exception that the load raised. */
asm(".pushsection .text.peek, \"ax\", @progbits\n"
    "peek:		.globl peek\n"
    "1:	mov (%rdi), %rax\n"
    "2:	mov %rax, (%rsi)\n"
    "	xor %eax, %eax\n"
    "	ret\n"
    "3:	mov %rdi, %rax\n"		/* the landing: the exception's number is in rdi */
    "	ret\n"
    "peek_end:	.globl peek_end\n"
    ".popsection\n"
    ".pushsection .rodata.peek, \"a\", @progbits\n"
    "	.balign 4\n"
    "peek_table:	.globl peek_table\n"
    "	.long 1b - ., 2b - 1b, 3b - ., 0\n"
    ".popsection");
extern const char peek_end[];
extern const struct vdso_fixup_entry peek_table[1];
long peek(const long *from, long *to);

static long (*size_of)(unsigned long), (*init)(void *, unsigned long, unsigned long),
	(*enroll)(void *, const struct vdso_fixup_dso *), (*attach)(void *, unsigned long),
	(*dispatch)(void *, siginfo_t *, void *);
static void *area;

static void handler(int signal, siginfo_t *information, void *context)
{
	if (dispatch(area, information, context) != 1)
		abort();			/* or whatever handler was there before */
}

int main(void)
{
	const void *image = liblinux_find(getauxval(AT_SYSINFO_EHDR));
	struct vdso_fixup_dso dso = { (uintptr_t)peek, peek_end - (char *)peek, (uintptr_t)peek_table, 1 };
	long word = 0, bytes;

	if (!image || !(size_of = liblinux_symbol(image, "__vdso_fixup_area_size")))
		return 77;			/* another vDSO */
	init = liblinux_symbol(image, "__vdso_fixup_init");
	enroll = liblinux_symbol(image, "__vdso_fixup_register");
	attach = liblinux_symbol(image, "__vdso_fixup_attach");
	dispatch = liblinux_symbol(image, "__vdso_fixup_dispatch");

	bytes = size_of(8);
	area = mmap(0, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (init(area, bytes, 8) || enroll(area, &dso))
		return 1;
	if (attach(area, bytes)) {		/* a kernel that knows nothing of it */
		struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_NODEFER };

		sigaction(SIGSEGV, &action, 0);
		sigaction(SIGBUS, &action, 0);
	}
	printf("%ld %ld\n", peek(&word, &word), peek((long *)8, &word));	/* 0 14 */
	return 0;
}
