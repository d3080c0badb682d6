/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Handlers of links that fault themselves, and alternate stacks that are too small for a handler.
 * Prints how each child ends, and how often handlers ran in it.
 */
#define _GNU_SOURCE
#include "liblinux/signals.h"
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#ifndef AT_MINSIGSTKSZ
#define AT_MINSIGSTKSZ 51
#endif
#define PAGE 4096UL

/* How often the handlers ran, in memory that children share. */
static struct { volatile int outer, inner; } *counts;

/* A load of three bytes, `mov (%rdi), %rax`. */
int load_outer(const void *address);
int load_inner(const void *address);
__asm__("load_outer: mov (%rdi), %rax\n\tret\n\t.balign 16\n"
	"load_inner: mov (%rdi), %rax\n\tret\n");

static int step(void *context)
{
	((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP] += 3;
	return 1;
}

static int on_inner(int signal, void *info, void *context, void *cookie)
{
	(void)signal, (void)info, (void)cookie;
	counts->inner++;
	return step(context);
}

static int on_outer(int signal, void *info, void *context, void *cookie)
{
	(void)signal, (void)info, (void)cookie;
	counts->outer++;
	load_inner((const void *)8);
	return step(context);
}

static struct liblinux_signal_link outer = LIBLINUX_SIGNAL_LINK(SIGSEGV, on_outer);
static struct liblinux_signal_link inner = LIBLINUX_SIGNAL_LINK(SIGSEGV, on_inner);

static int fault(void)
{
	if (liblinux_signal_add(NULL, &outer))
		return 2;
	load_outer((const void *)8);
	return 0;
}

/* The fault in the handler is another link's. */
static int for_another(void)
{
	inner.text_start = (uintptr_t)load_inner;
	inner.text_len = 16;
	return liblinux_signal_add(NULL, &inner) ? 2 : fault();
}

/* It is the same link's: the handler runs on top of itself until the stack ends. */
static int for_itself(void)
{
	return fault();
}

/* The handler blocks its own signal. */
static int blocked(void)
{
	outer.mask = 1UL << (SIGSEGV - 1);
	return fault();
}

static int on_user(int signal, void *info, void *context, void *cookie)
{
	(void)signal, (void)info, (void)context, (void)cookie;
	counts->outer++;
	return 1;
}

static struct liblinux_signal_link user = LIBLINUX_SIGNAL_LINK(SIGUSR1, on_user);

/* A signal on an alternate stack, above a hole, with so many bytes beside the kernel's frame. */
static int on_stack(unsigned long more)
{
	unsigned long size = getauxval(AT_MINSIGSTKSZ) + more;
	char *memory = mmap(NULL, PAGE + size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	stack_t stack = { .ss_sp = memory + PAGE, .ss_size = size };

	if (mprotect(memory, PAGE, PROT_NONE) || sigaltstack(&stack, NULL) || liblinux_signal_add(NULL, &user))
		return 2;
	raise(SIGUSR1);
	return 0;
}

static int small(void)
{
	return on_stack(0);
}

static int enough(void)
{
	return on_stack(1024);
}

static void run(const char *name, int (*body)(void))
{
	int status;
	pid_t child;

	counts->outer = counts->inner = 0;
	fflush(stdout);
	child = fork();
	if (!child)
		_exit(body());
	waitpid(child, &status, 0);
	printf("%s: ", name);
	if (WIFSIGNALED(status))
		printf("signal %d", WTERMSIG(status));
	else
		printf("status %d", WEXITSTATUS(status));
	printf(", %s, %d\n", counts->outer > 1 ? "often" : counts->outer ? "once" : "never", counts->inner);
}

int main(void)
{
	counts = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	run("for another", for_another);
	run("for itself", for_itself);
	run("blocked", blocked);
	run("small", small);
	run("enough", enough);
	return 0;
}
