/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * A library that handles signals and knows of no other: it takes each signal that reaches it, and
 * steps over a fault in any code. NAME is its letter.
 */
#define _GNU_SOURCE
#include "earlier.h"
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>

extern void host_note(const char *name, int signal, siginfo_t *info, void *context);

static struct sigaction old[65];

/* Code that this library has made, or null. */
static unsigned char *made;

/* The load has two bytes. */
__attribute__((naked, noinline)) static int load(const int *address)
{
	(void)address;
	__asm__("xor %eax, %eax\n\t.byte 0x8b, 0x07\n\tret");
}

static void handle(int signal, siginfo_t *info, void *context)
{
	ucontext_t *frame = context;

	host_note(NAME, signal, info, context);
	if (signal == SIGSEGV && info->si_code > 0)
		frame->uc_mcontext.gregs[REG_RIP] += 2;
}

/* Passes the signal on as a careful library does, if the fault is in other code. */
static void pass_on(int signal, siginfo_t *info, void *context)
{
	ucontext_t *frame = context;

	unsigned long ip = (unsigned long)frame->uc_mcontext.gregs[REG_RIP];

	if (ip - (unsigned long)load < 16 || (made && ip - (unsigned long)made < 4096))
		handle(signal, info, context);
	else
		pass_to(&old[signal], signal, info, context);
}

void install(int signal, int flags, int is_careful)
{
	struct sigaction action;

	memset(&action, 0, sizeof(action));
	action.sa_sigaction = is_careful ? pass_on : handle;
	action.sa_flags = flags | SA_SIGINFO;
	sigaddset(&action.sa_mask, SIGUSR2);
	sigaction(signal, &action, &old[signal]);
}

void give_back(int signal)
{
	sigaction(signal, &old[signal], 0);
}

void fault(void)
{
	load((const int *)8);
}

/*
 * A fault in code that is made at run time, four calls deep: f(n, address) calls itself until n is
 * negative, and then loads.
 */
static const unsigned char deep[] = {
	0x55,				/* push %rbp */
	0x48, 0x89, 0xe5,		/* mov %rsp, %rbp */
	0xff, 0xcf,			/* dec %edi */
	0x78, 0x07,			/* js 1f */
	0xe8, 0xf3, 0xff, 0xff, 0xff,	/* call f */
	0x5d, 0xc3,			/* pop %rbp; ret */
	0x8b, 0x06,			/* 1: mov (%rsi), %eax */
	0x5d, 0xc3,			/* pop %rbp; ret */
};

/* The same without a call, and with a frame pointer that leads behind the stack. */
static const unsigned char lost[] = {
	0x55,						/* push %rbp */
	0x48, 0x8d, 0xac, 0x24, 0x00, 0x00, 0x00, 0x10, /* lea 0x10000000(%rsp), %rbp */
	0x8b, 0x06,					/* mov (%rsi), %eax */
	0x5d, 0xc3,					/* pop %rbp; ret */
};

static void call_made(const unsigned char *code, unsigned long size)
{
	if (!made)
		made = mmap(0, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	memcpy(made, code, size);
	((void (*)(int, const int *))made)(3, (const int *)8);
}

void fault_in_made(void)
{
	call_made(deep, sizeof(deep));
}

void fault_in_lost(void)
{
	call_made(lost, sizeof(lost));
}
