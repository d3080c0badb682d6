/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Reads every clock by the functions of the 32-bit image, each between two readings by a system
 * call, and prints a line for each. i386, without a C library.
 *
 *	clocks		reads the clocks
 *	clocks costs	prints how many cycles a reading, a call and a call by `int $0x80` take
 *	clocks forwards	reads clocks for more than a second, and prints how many readings were wrong
 *	clocks maps	prints what is where in the process
 */

typedef unsigned int u32;
typedef unsigned long long u64;

struct time64 {
	u64 seconds, fraction;
};

struct time32 {
	u32 seconds, fraction;
};

static u32 vsyscall;

static long call3(u32 nr, u32 a, u32 b, u32 c)
{
	long result;

	asm volatile("push %%ebx; mov %[a], %%ebx; call *%[vsyscall]; pop %%ebx"
		     : "=a"(result)
		     : "a"(nr), [a] "S"(a), "c"(b), "d"(c), [vsyscall] "m"(vsyscall)
		     : "memory", "cc");
	return result;
}

static long call(u32 nr, u32 a, u32 b)
{
	return call3(nr, a, b, 0);
}

static long trap(u32 nr)
{
	long result;

	asm volatile("int $0x80" : "=a"(result) : "a"(nr) : "memory", "cc");
	return result;
}

static int is(const char *a, const char *b)
{
	while (*a && *a == *b)
		a++, b++;
	return *a == *b;
}

static void print(const char *text)
{
	u32 len = 0;

	while (text[len])
		len++;
	call3(4, 1, (u32)text, len);
}

static void print_number(u32 number, const char *behind)
{
	char text[12], *at = text + 11;

	*at = 0;
	do
		*--at = '0' + number % 10;
	while (number /= 10);
	print(at);
	print(behind);
}

/* The address of a function that the image at `base` exports. */
static u32 function(u32 base, const char *name)
{
	u32 *header = (u32 *)(base + *(u32 *)(base + 28));
	u32 count = *(unsigned short *)(base + 44), *dynamic = 0, *symbols = 0, *hash = 0, i;
	const char *strings = 0;

	for (; count--; header += 8)
		if (header[0] == 2)
			dynamic = (u32 *)(base + header[2]);
	for (; dynamic[0]; dynamic += 2) {
		if (dynamic[0] == 4)
			hash = (u32 *)(base + dynamic[1]);
		if (dynamic[0] == 5)
			strings = (const char *)(base + dynamic[1]);
		if (dynamic[0] == 6)
			symbols = (u32 *)(base + dynamic[1]);
	}
	for (i = 1; i < hash[1]; i++)
		if (is(strings + symbols[4 * i], name))
			return base + symbols[4 * i + 1];
	return 0;
}

typedef long (*clock_function)(u32, void *);

static u64 nanoseconds(const struct time64 *time)
{
	return time->seconds * 1000000000 + (u32)time->fraction;
}

static void judge(const char *name, u32 clock, long result, u64 before, u64 now, u64 after)
{
	print(name);
	print(" ");
	print_number(clock, result ? " failed\n" : before <= now && now <= after ? " between\n" : " WRONG\n");
}

static void clocks(u32 image)
{
	static const u32 all[] = { 0, 1, 2, 3, 4, 5, 6, 7, 11, 12, 99, 0xfffffffe };
	clock_function gettime64 = (clock_function)function(image, "__vdso_clock_gettime64");
	clock_function gettime = (clock_function)function(image, "__vdso_clock_gettime");
	long (*gettimeofday)(void *, void *) = (void *)function(image, "__vdso_gettimeofday");
	u32 (*time)(u32 *) = (void *)function(image, "__vdso_time");
	struct time64 before, now, after;
	struct time32 narrow;
	u32 i, seconds, zone[2] = { 7, 7 };
	long result;

	if (!gettime64 || !gettime || !gettimeofday || !time)
		print("a function is missing\n");
	for (i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		now.fraction = ~0ULL;
		call(403, all[i], (u32)&before);
		result = gettime64(all[i], &now);
		call(403, all[i], (u32)&after);
		judge("clock_gettime64", all[i], result, nanoseconds(&before), nanoseconds(&now),
		      nanoseconds(&after));
		call(403, all[i], (u32)&before);
		result = gettime(all[i], &narrow);
		call(403, all[i], (u32)&after);
		now.seconds = narrow.seconds;
		now.fraction = narrow.fraction;
		judge("clock_gettime", all[i], result, nanoseconds(&before), nanoseconds(&now),
		      nanoseconds(&after));
	}
	call(403, 0, (u32)&before);
	result = gettimeofday(&narrow, 0);
	call(403, 0, (u32)&after);
	now.seconds = narrow.seconds;
	now.fraction = narrow.fraction * 1000;
	judge("gettimeofday", 0, result, nanoseconds(&before) - 999, nanoseconds(&now),
	      nanoseconds(&after));
	result = gettimeofday(&narrow, zone);
	judge("gettimeofday's zone", zone[0], result, 0, zone[1], 0);
	call(403, 5, (u32)&before);
	seconds = time(0);
	call(403, 5, (u32)&after);
	judge("time", 0, 0, before.seconds, seconds, after.seconds);
	judge("time's place", 0, 0, time(&seconds) - seconds, 0, 1);
}

static u32 cycles(void)
{
	u32 low;

	asm volatile("lfence; rdtsc" : "=a"(low) : : "edx");
	return low;
}

#define ROWS 200
#define TIMES 100

/* The fastest of many rows counts: the others may have been interrupted. */
#define COST(name, work)                                                    \
	do {                                                                \
		u32 row, i, start, least = ~0U;                             \
		for (row = 0; row < ROWS; row++) {                          \
			start = cycles();                                   \
			for (i = 0; i < TIMES; i++)                         \
				work;                                       \
			start = cycles() - start;                           \
			if (start < least)                                  \
				least = start;                              \
		}                                                           \
		print_number(least / TIMES, " " name "\n");                 \
	} while (0)

static void costs(u32 image)
{
	clock_function gettime64 = (clock_function)function(image, "__vdso_clock_gettime64");
	struct time64 time;
	char byte;

	COST("clock_gettime64", gettime64(1, &time));
	COST("clock_gettime64 as a call", call(403, 1, (u32)&time));
	COST("getppid", call(64, 0, 0));
	COST("getppid by int $0x80", trap(64));
	COST("stat64", call(195, (u32)"/", (u32)&(char[128]){ 0 }));
	COST("futex wake", call(240, (u32)&time, 1));
	COST("read of nothing", call(3, 0, (u32)&byte));
}

/* Long enough to see the kernel update its data, and a second begin. */
static void forwards(u32 image)
{
	static const u32 all[] = { 0, 1, 4, 5, 6, 7, 11 };
	clock_function gettime64 = (clock_function)function(image, "__vdso_clock_gettime64");
	u64 last[sizeof(all) / sizeof(all[0])] = { 0 }, end;
	u32 i, backwards = 0, wrong = 0;
	struct time64 time;

	gettime64(1, &time);
	end = nanoseconds(&time) + 1300000000;
	while (last[1] < end)
		for (i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
			gettime64(all[i], &time);
			wrong += time.fraction >= 1000000000;
			backwards += nanoseconds(&time) < last[i];
			last[i] = nanoseconds(&time);
		}
	print_number(backwards, " backwards, ");
	print_number(wrong, " of a second or more\n");
}

static void maps(void)
{
	static char text[512];
	long file = call(5, (u32)"/proc/self/smaps", 0), length;

	while ((length = call3(3, file, (u32)text, sizeof(text) - 1)) > 0) {
		text[length] = 0;
		print(text);
	}
}

__attribute__((used)) static void begin(u32 *stack)
{
	u32 *vector = stack + stack[0] + 2, image = 0;

	while (*vector)
		vector++;
	for (vector++; vector[0]; vector += 2) {
		if (vector[0] == 32)
			vsyscall = vector[1];
		if (vector[0] == 33)
			image = vector[1];
	}
	if (stack[0] < 2)
		clocks(image);
	else if (is((const char *)stack[2], "costs"))
		costs(image);
	else if (is((const char *)stack[2], "forwards"))
		forwards(image);
	else if (is((const char *)stack[2], "maps"))
		maps();
	call(252, 0, 0);
}

asm(".globl _start\n_start:\n\tmov %esp, %eax\n\tand $-16, %esp\n\tsub $12, %esp\n\tpush %eax\n\tcall begin");
