/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Makes system calls with each combination of the processor's arithmetic flags and its direction
 * flag, and prints how many of these calls have changed a flag or a register. i386, without a C
 * library.
 */

typedef unsigned int u32;

#define FLAGS 0xcd5 /* carry, parity, adjust, zero, sign, direction, overflow */
#define REGISTERS 6
#define VECTORS 8

/* The assembly names them, so they are global. */
u32 vsyscall, before[REGISTERS], after[REGISTERS], flags_after;
u32 vectors_before[VECTORS][4] __attribute__((aligned(16)));
u32 vectors_after[VECTORS][4] __attribute__((aligned(16)));
u32 room[64];

#define VECTOR(n) "movaps " #n "*16(%%eax), %%xmm" #n "\n\t"
#define STORE(n) "movaps %%xmm" #n ", vectors_after+" #n "*16\n\t"

/* Everything is in fixed places: all registers are in use. */
static long call(u32 nr, u32 flags)
{
	long result;

	asm volatile("pushal\n\t"
		     "push %%edx\n\t"
		     "push %%ecx\n\t"
		     "mov $vectors_before, %%eax\n\t"
		     VECTOR(0) VECTOR(1) VECTOR(2) VECTOR(3)
		     VECTOR(4) VECTOR(5) VECTOR(6) VECTOR(7)
		     "pop %%eax\n\t"
		     "mov before, %%ebx\n\t"
		     "mov before+4, %%ecx\n\t"
		     "mov before+8, %%edx\n\t"
		     "mov before+12, %%esi\n\t"
		     "mov before+16, %%edi\n\t"
		     "mov before+20, %%ebp\n\t"
		     "popf\n\t"
		     "call *vsyscall\n\t"
		     "pushf\n\t"
		     "cld\n\t"
		     "popl flags_after\n\t"
		     "mov %%ebx, after\n\t"
		     "mov %%ecx, after+4\n\t"
		     "mov %%edx, after+8\n\t"
		     "mov %%esi, after+12\n\t"
		     "mov %%edi, after+16\n\t"
		     "mov %%ebp, after+20\n\t"
		     STORE(0) STORE(1) STORE(2) STORE(3)
		     STORE(4) STORE(5) STORE(6) STORE(7)
		     "mov %%eax, room+252\n\t"
		     "popal\n\t"
		     "mov room+252, %%eax"
		     : "=a"(result)
		     : "c"(nr), "d"(flags)
		     : "memory", "cc");
	return result;
}

static void print(const char *text, u32 len)
{
	before[0] = 1;
	before[1] = (u32)text;
	before[2] = len;
	call(4, 2);
}

static void print_number(u32 number, const char *behind, u32 len)
{
	char digits[4];
	int i;

	for (i = 3; i >= 0; i--, number /= 10)
		digits[i] = '0' + number % 10;
	print(digits, 4);
	print(behind, len);
}

/* Whether the call has kept everything. */
static int keeps(u32 nr, u32 flags, u32 first, u32 second)
{
	int i;

	for (i = 0; i < REGISTERS; i++)
		before[i] = 0x01020304 * (i + 1);
	before[0] = first;
	before[1] = second;
	for (i = 0; i < VECTORS * 4; i++) {
		vectors_before[i / 4][i % 4] = 0x9e3779b9 * (i + 1);
		vectors_after[i / 4][i % 4] = 0;
	}
	call(nr, flags | 0x202);
	for (i = 0; i < REGISTERS; i++)
		if (before[i] != after[i])
			return 0;
	for (i = 0; i < VECTORS * 4; i++)
		if (vectors_before[i / 4][i % 4] != vectors_after[i / 4][i % 4])
			return 0;
	return ((flags ^ flags_after) & FLAGS) == 0;
}

__attribute__((used)) static void begin(u32 *stack)
{
	u32 *vector = stack + stack[0] + 2, flags, calls = 0, changed = 0;

	while (*vector)
		vector++;
	for (vector++; vector[0]; vector += 2)
		if (vector[0] == 32)
			vsyscall = vector[1];
	for (flags = 0; flags <= FLAGS; flags++) {
		if (flags & ~FLAGS)
			continue;
		changed += !keeps(64, flags, 0, 0); /* getppid */
		changed += !keeps(195, flags, (u32)"/", (u32)room); /* stat64 */
		changed += !keeps(17, flags, 0, 0); /* break, which no kernel has */
		calls += 3;
	}
	print_number(calls, " calls, ", 8);
	print_number(changed, " changed\n", 9);
	before[0] = 0;
	call(252, 2);
}

asm(".globl _start\n_start:\n\tmov %esp, %eax\n\tand $-16, %esp\n\tsub $12, %esp\n\tpush %eax\n\tcall begin");
