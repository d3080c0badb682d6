/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * liblinux/cancel.h - calls that another thread can call off.
 *
 * A thread that looks at a flag and then makes a system call can be called off between the two: too
 * late to see the flag, too early for a signal to interrupt the call. __vdso_syscall_cancellable()
 * has no such moment. It takes the flag's address and looks itself, and a signal handler moves a
 * thread that it finds between the look and the call to where the call returns -ECANCELED.
 *
 *   static struct liblinux_cancel worker;
 *
 *   liblinux_cancel_init(&worker, image, SIGURG);             the thread that makes calls
 *   n = worker.call(&worker.state, SYS_read, fd, buffer, size);
 *   if (n == -ECANCELED) ...
 *
 *   liblinux_cancel(&worker);                                 any other thread
 *
 * - -ECANCELED (-125) says that the call had no effect: no byte was read, no connection taken, no
 *   descriptor opened or closed. A call that had its effect returns its result, also if it was
 *   called off at that moment: then the next call is called off.
 * - It holds for each call until liblinux_cancel_reset().
 * - SA_RESTART and other handlers change nothing. The handler here leaves the signal pending and
 *   blocked, so that each handler which it interrupted finds it again when it returns.
 * - Not for calls that make or end a thread of execution (fork, vfork, clone, exit), nor for
 *   rt_sigreturn.
 *
 * Rules: A structure that was given to liblinux_cancel_init() stays in its place until the process
 * ends; a thread that ends calls liblinux_cancel_leave(), and another may have its structure then.
 * The signal is the program's own, one for all threads, and no thread blocks it for long; SIGURG is
 * a good one, because its default is to do nothing. A child of fork calls liblinux_cancel_init()
 * again.
 */
#ifndef LIBLINUX_CANCEL_H
#define LIBLINUX_CANCEL_H

#if !defined(__x86_64__) || !defined(__LP64__)
#error "liblinux is for 64-bit x86-64 Linux programs: compile without -m32, -mx32 and cross compilers for others"
#else

#include "resolve.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A thread whose calls can be called off. Begin it with zeros. */
struct liblinux_cancel {
	volatile unsigned int state;	/* not 0: its calls are called off */
	int process, thread, signal;	/* thread is 0 where no thread has the structure */
	/* The entries. Arguments are pointers, or long: cast numbers. */
	long (*call)(volatile unsigned int *state, long number, ...);
	long (*plain)(long number, ...);
	long (*dispatch)(void *context);
	struct liblinux_cancel *next;
	int is_listed;
};

/*
 * All structures of the program or library. The handler looks its thread up here, and trusts
 * nothing that comes with the signal, which other processes may send.
 */
__attribute__((__weak__, __visibility__("hidden"))) struct liblinux_cancel *liblinux_cancel_list = 0;

/* tgkill */
static inline long liblinux_cancel_send(const struct liblinux_cancel *target)
{
	return target->plain(234, (long)target->process, (long)target->thread, (long)target->signal);
}

static __attribute__((__unused__)) void liblinux_cancel_handler(int signal, void *info, void *context)
{
	struct liblinux_cancel *self = __atomic_load_n(&liblinux_cancel_list, __ATOMIC_ACQUIRE);
	/* uc_sigmask of the kernel's struct ucontext */
	unsigned long *mask = (unsigned long *)((char *)context + 296);
	long thread;

	(void)info;
	if (!self)
		return;
	thread = self->plain(186); /* gettid */
	while (self && __atomic_load_n(&self->thread, __ATOMIC_RELAXED) != thread)
		self = self->next;
	if (!self || !self->state)
		return;
	self->dispatch(context);
	/*
	 * Blocked in the interrupted code and pending: if that is a handler itself, the signal
	 * comes again when it returns, and finds the call that it had interrupted.
	 */
	*mask |= 1UL << (signal - 1);
	liblinux_cancel_send(self);
}

/* Puts a structure on the list, where it stays. */
static inline void liblinux_cancel_enlist(struct liblinux_cancel *self)
{
	struct liblinux_cancel *first = __atomic_load_n(&liblinux_cancel_list, __ATOMIC_RELAXED);

	if (self->is_listed)
		return;
	self->is_listed = 1;
	do
		self->next = first;
	/* Pairs with the handler's load. */
	while (!__atomic_compare_exchange_n(&liblinux_cancel_list, &first, self, 0, __ATOMIC_RELEASE, __ATOMIC_RELAXED));
}

/*
 * Makes the calling thread one whose calls can be called off, and installs the handler of the
 * signal: 0, or -errno. -ENOSYS (38) if the image has no such calls, -EINVAL (22) for a bad signal.
 */
static inline long liblinux_cancel_init(struct liblinux_cancel *self, const void *image, int signal)
{
	struct {
		void (*handler)(int, void *, void *);
		unsigned long flags;
		void *restorer;
		unsigned long mask;
	} action;
	void *call = liblinux_symbol(image, "__vdso_syscall_cancellable");
	void *plain = liblinux_symbol(image, "__vdso_syscall");
	void *dispatch = liblinux_symbol(image, "__vdso_cancel_dispatch");
	long result;

	action.handler = liblinux_cancel_handler;
	/* SA_SIGINFO, SA_RESTORER, SA_ONSTACK, SA_RESTART */
	action.flags = 0x1c000004;
	action.restorer = liblinux_symbol(image, "__vdso_rt_sigreturn");
	action.mask = 0;
	if (!action.restorer || !call || !plain || !dispatch)
		return -38;
	self->call = (long (*)(volatile unsigned int *, long, ...))(unsigned long)call;
	self->plain = (long (*)(long, ...))(unsigned long)plain;
	self->dispatch = (long (*)(void *))(unsigned long)dispatch;
	self->state = 0;
	self->signal = signal;
	result = self->plain(13, (long)signal, &action, 0L, 8L); /* rt_sigaction */
	if (result)
		return result;
	self->process = (int)self->plain(39); /* getpid */
	liblinux_cancel_enlist(self);
	__atomic_store_n(&self->thread, (int)self->plain(186), __ATOMIC_RELEASE); /* gettid */
	return 0;
}

/* Calls a thread off, from any thread: 0, or -errno. The state is set in any case. */
static inline long liblinux_cancel(struct liblinux_cancel *target)
{
	/* The signal comes behind the store: the handler and the image see the state. */
	__atomic_store_n(&target->state, 1, __ATOMIC_SEQ_CST);
	if (!__atomic_load_n(&target->thread, __ATOMIC_ACQUIRE))
		return -3; /* ESRCH */
	return liblinux_cancel_send(target);
}

/* Called by the thread itself: from now on its calls are made again. */
static inline void liblinux_cancel_reset(struct liblinux_cancel *self)
{
	unsigned long set = 1UL << (self->signal - 1);

	__atomic_store_n(&self->state, 0, __ATOMIC_SEQ_CST);
	/* rt_sigprocmask, SIG_UNBLOCK: a pending signal comes, and finds the state clear. */
	self->plain(14, 1L, &set, 0L, 8L);
}

/* Called by the thread itself, before it ends, with no other thread in liblinux_cancel(). */
static inline void liblinux_cancel_leave(struct liblinux_cancel *self)
{
	__atomic_store_n(&self->thread, 0, __ATOMIC_RELEASE);
	liblinux_cancel_reset(self);
}

#ifdef __cplusplus
}
#endif

#endif /* x86-64 */

#endif /* LIBLINUX_CANCEL_H */
