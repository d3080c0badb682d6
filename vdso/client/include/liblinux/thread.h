/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * liblinux/thread.h - threads for a program without a libc, by the entry of clone3.
 *
 * With a new stack the child of clone3 comes back at the call, on a stack that has nothing on it:
 * no compiled function survives that. liblinux_thread_start() makes the call where nothing of the
 * stack is needed, and calls a function there.
 *
 *   static char stack[65536] __attribute__((aligned(16)));
 *   static struct liblinux_thread thread = { stack, sizeof(stack), 0, work, 0, 0 };
 *
 *   long number = liblinux_thread_start(image, &thread);           // or -errno
 *   liblinux_thread_join(image, &thread);                   // now the stack may be used again
 *
 * The thread shares everything with its process, as those of a libc do. In a program with a libc
 * the function must not call it: the thread has no thread-local storage of the libc's, or, with TLS
 * 0, that of the thread which started it.
 */
#ifndef LIBLINUX_THREAD_H
#define LIBLINUX_THREAD_H

#if !defined(__x86_64__) || !defined(__LP64__)
#error "liblinux is for 64-bit x86-64 Linux programs: compile without -m32, -mx32 and cross compilers for others"
#else

#include "resolve.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A thread. It stays where it is until the thread has ended. */
struct liblinux_thread {
	void *stack;			/* the lowest address of its stack */
	unsigned long stack_size;	/* in bytes; the end is a multiple of 16 */
	void *tls;			/* the base of fs; 0 for that of the thread which starts it */
	int (*function)(void *);	/* it runs this; the result is the thread's exit status */
	void *argument;			/* the function's argument */
	int number;			/* the kernel's: the thread's number, and 0 when it has ended */
};

/*
 * Makes a clone3 call whose child has a new stack, and calls a function on it. In the parent: what
 * the call returned. The child ends by the entry of exit, with what the function returned.
 */
static __attribute__((__noinline__, __unused__)) long
liblinux_clone3_call(void *clone3, void *leave, void *args, unsigned long size, int (*function)(void *), void *argument)
{
	/*
	 * A frame pointer, by which call-frame information is right where the stack pointer is
	 * moved.
	 */
	void *volatile frame = __builtin_frame_address(0);
	long result;

	(void)frame;
	__asm__ volatile(
		/* The call must not write into the red zone of this function. */
		"{leaq -128(%%rsp), %%rsp|lea rsp, [rsp - 128]}\n\t"
		"{call *%[clone3]|call %[clone3]}\n\t"
		"{testq %%rax, %%rax|test rax, rax}\n\t"
		"{jnz 1f|jnz 1f}\n\t"
#ifdef __GCC_HAVE_DWARF2_CFI_ASM
		".cfi_remember_state\n\t"
		".cfi_undefined 16\n\t"
#endif
		/* The child. Nothing was called on this stack, and a backtrace ends here. */
		"{xorl %%ebp, %%ebp|xor ebp, ebp}\n\t"
		"{movq %[argument], %%rdi|mov rdi, %[argument]}\n\t"
		"{call *%[function]|call %[function]}\n\t"
		"{movl %%eax, %%edi|mov edi, eax}\n\t"
		"{call *%[leave]|call %[leave]}\n\t"
		"ud2\n"
		"1:\n\t"
#ifdef __GCC_HAVE_DWARF2_CFI_ASM
		".cfi_restore_state\n\t"
#endif
		"{leaq 128(%%rsp), %%rsp|lea rsp, [rsp + 128]}"
		: "=&a"(result)
		: "D"(args), "S"(size), [clone3] "d"(clone3), [function] "r"(function), [argument] "r"(argument),
		  [leave] "b"(leave)
		/*
		 * The function of the child changes what it wants; of these the parent's are its
		 * own.
		 */
		: "rcx", "r8", "r9", "r10", "r11", "cc", "memory");
	return result;
}

/*
 * Starts a thread: its number, or -errno. -ENOSYS (38) if the image lacks an entry, -EINVAL (22)
 * for a stack that is none.
 */
static inline long liblinux_thread_start(const void *image, struct liblinux_thread *thread)
{
	/* struct clone_args, without what came later. */
	struct {
		unsigned long flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls;
	} args = { 0, 0, 0, 0, 0, 0, 0, 0 };
	void *clone3 = liblinux_symbol(image, "__vdso_clone3"), *leave = liblinux_symbol(image, "__vdso_exit");

	if (!clone3 || !leave)
		return -38;
	if (!thread->stack || ((unsigned long)thread->stack + thread->stack_size) % 16)
		return -22;
	/* CLONE_VM, FS, FILES, SIGHAND, THREAD, SYSVSEM, PARENT_SETTID, CHILD_CLEARTID; SETTLS */
	args.flags = 0x350f00 | (thread->tls ? 0x80000 : 0);
	args.child_tid = args.parent_tid = (unsigned long)&thread->number;
	args.stack = (unsigned long)thread->stack;
	args.stack_size = thread->stack_size;
	args.tls = (unsigned long)thread->tls;
	return liblinux_clone3_call(clone3, leave, &args, sizeof(args), thread->function, thread->argument);
}

/*
 * Waits until a thread that was started has ended: 0, or -ENOSYS (38) if the image has no entry of
 * futex.
 */
static inline long liblinux_thread_join(const void *image, const struct liblinux_thread *thread)
{
	long (*futex)(const int *, int, unsigned int, const void *, const int *, unsigned int) =
		(long (*)(const int *, int, unsigned int, const void *, const int *, unsigned int))
		(unsigned long)liblinux_symbol(image, "__vdso_futex");
	int number;

	if (!futex)
		return -38;
	/* FUTEX_WAIT, and not the private one: the kernel wakes by the address alone. */
	while ((number = __atomic_load_n(&thread->number, __ATOMIC_ACQUIRE)))
		futex(&thread->number, 0, (unsigned int)number, (void *)0, (int *)0, 0);
	return 0;
}

#ifdef __cplusplus
}
#endif

#endif /* x86-64 */

#endif /* LIBLINUX_THREAD_H */
