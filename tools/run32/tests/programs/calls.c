/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Makes the system calls that its arguments say, through the vDSO's __kernel_vsyscall, and prints
 * the results and a hash of each buffer. i386, without a C library.
 *
 * An argument is a number and six words with commas between: a hexadecimal number, `&N` for the
 * address of buffer N, or `"` and a text for the address of that text, which ends at the next
 * comma. `N=` and hexadecimal numbers with `:` between sets the first words of a buffer; all
 * others are filled with a pattern before each call.
 */

typedef unsigned int u32;

#define BUFFERS 4
#define WORDS 256

static u32 buffers[BUFFERS][WORDS] __attribute__((aligned(4096)));
static u32 vsyscall;

static long call(u32 nr, const u32 *a)
{
	long result;

	asm volatile("push %%ebp\n\t"
		     "push %%ebx\n\t"
		     "push %[vsyscall]\n\t"
		     "mov 0(%%edx), %%ebx\n\t"
		     "mov 4(%%edx), %%ecx\n\t"
		     "mov 12(%%edx), %%esi\n\t"
		     "mov 16(%%edx), %%edi\n\t"
		     "mov 20(%%edx), %%ebp\n\t"
		     "mov 8(%%edx), %%edx\n\t"
		     "call *(%%esp)\n\t"
		     "add $4, %%esp\n\t"
		     "pop %%ebx\n\t"
		     "pop %%ebp"
		     : "=a"(result), "+d"(a)
		     : "a"(nr), [vsyscall] "r"(vsyscall)
		     : "ecx", "esi", "edi", "memory", "cc");
	return result;
}

static void print(const char *text, u32 len)
{
	const u32 a[6] = { 1, (u32)text, len };

	call(4, a);
}

static void print_number(u32 number, char end)
{
	char text[9];
	int i;

	for (i = 0; i < 8; i++)
		text[i] = "0123456789abcdef"[number >> (28 - 4 * i) & 15];
	text[8] = end;
	print(text, 9);
}

static u32 number(char **text)
{
	u32 value = 0;

	for (;; (*text)++) {
		char c = **text;

		if (c >= '0' && c <= '9')
			value = value * 16 + c - '0';
		else if (c >= 'a' && c <= 'f')
			value = value * 16 + c - 'a' + 10;
		else
			return value;
	}
}

static u32 word(char **text)
{
	u32 value;

	if (**text == '&') {
		++*text;
		return (u32)buffers[number(text) % BUFFERS];
	}
	if (**text == '"') {
		value = (u32)++*text;
		while (**text && **text != ',')
			++*text;
		return value;
	}
	return number(text);
}

static void fill(void)
{
	int i, j;

	for (i = 0; i < BUFFERS; i++)
		for (j = 0; j < WORDS; j++)
			buffers[i][j] = 0x5a5a5a5a;
}

static void make(char *text)
{
	u32 a[6] = { 0 }, nr = number(&text), i, j, hash;
	long result;

	fill();
	for (i = 0; i < 6 && *text == ','; i++) {
		*text++ = 0; /* ends a text */
		a[i] = word(&text);
	}
	while (*text == ',') {
		u32 *to;

		*text++ = 0;
		to = buffers[number(&text) % BUFFERS];
		while (*text == '=' || *text == ':') {
			++text;
			*to++ = word(&text);
		}
	}
	result = call(nr, a);
	print_number(result, ' ');
	for (i = 0; i < BUFFERS; i++) {
		for (hash = 5381, j = 0; j < WORDS; j++)
			hash = hash * 33 + buffers[i][j];
		print_number(hash, i == BUFFERS - 1 ? '\n' : ' ');
	}
}

__attribute__((used)) static void begin(u32 *stack)
{
	const u32 none[6] = { 0 };
	char **words = (char **)(stack + 1);
	u32 *vector = stack + stack[0] + 2, i;

	while (*vector)
		vector++;
	for (vector++; vector[0]; vector += 2)
		if (vector[0] == 32)
			vsyscall = vector[1];
	for (i = 1; i < stack[0]; i++)
		make(words[i]);
	call(252, none);
}

asm(".globl _start\n_start:\n\tmov %esp, %eax\n\tand $-16, %esp\n\tsub $12, %esp\n\tpush %eax\n\tcall begin");
