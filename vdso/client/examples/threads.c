/*
 * threads: a program without a libc that starts threads, by the entries of the vDSO alone.
 *
 *   cc -O2 -static -nostdlib -ffreestanding -fno-stack-protector -Ivdso/client/include \
 *           vdso/client/examples/threads.c -o target/threads
 *   cargo xtask run -- target/threads
 *
 * Four threads count to 1000 each. It finds the image in the auxiliary vector on its initial stack.
 */
#include "liblinux.h"
#include "liblinux/thread.h"

#define THREADS 4
#define STEPS 1000

static char stacks[THREADS][16384] __attribute__((aligned(16)));
static struct liblinux_thread threads[THREADS];
static int count;

static int work(void *argument)
{
	int step;

	(void)argument;
	for (step = 0; step < STEPS; step++)
		__atomic_fetch_add(&count, 1, __ATOMIC_RELAXED);
	return 0;
}

/* The image's address: the vector is behind the arguments and the environment. */
static const void *find(const unsigned long *stack)
{
	const unsigned long *place = stack + stack[0] + 2;

	while (*place++)
		;
	for (; place[0]; place += 2) {
		if (place[0] == 33 /* AT_SYSINFO_EHDR */)
			return liblinux_find(place[1]);
	}
	return 0;
}

__attribute__((__noreturn__, __used__)) void begin(const unsigned long *stack)
{
	static const char good[] = "4 threads counted to 4000\n", bad[] = "the threads counted wrong\n";
	const void *image = find(stack);
	long started = 0;
	int each;

	for (each = 0; image && each < THREADS && started >= 0; each++) {
		threads[each].stack = stacks[each];
		threads[each].stack_size = sizeof(stacks[each]);
		threads[each].function = work;
		started = liblinux_thread_start(image, &threads[each]);
	}
	if (!image || started < 0) {
		/* Without the entry of exit the program cannot report it. */
		__builtin_trap();
	}
	for (each = 0; each < THREADS; each++)
		liblinux_thread_join(image, &threads[each]);
	each = __atomic_load_n(&count, __ATOMIC_RELAXED) == THREADS * STEPS;
	LIBLINUX(image, write)(1, each ? good : bad, sizeof(good) - 1);
	LIBLINUX(image, exit_group)(!each);
}

/* The stack pointer of a program's first instruction points at the count of arguments. */
__asm__(".globl _start\n"
	"_start:\n"
	"	mov %rsp, %rdi\n"
	"	and $-16, %rsp\n"
	"	call begin\n"
	"	ud2\n");
