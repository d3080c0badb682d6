/*
 * Counts instructions, kernel and all: the time-stamp counter of a processor that is interpreted
 * with -icount advances by one with each.
 *
 * The least of many rounds is what the code takes when nothing interrupts it, and is the same in
 * every run of a build. With the argument `before` it counts what fixups are compared with, and
 * ends: for kernels without them.
 *
 * With the argument `frames` it counts landings with a frame, that resume and that decline.
 *
 * With the argument `time` it is ticks of a counter that tells time: of an interpreter's time, so
 * that only ratios mean something, and not much.
 */
#include "entries.h"

#define ROUNDS 2000
#define DSOS 1024
#define ENTRIES 4096
#define SPACING 4		/* bytes of text for each entry */
#define TEXT (ENTRIES * SPACING)

/*
 * What a null load that lands takes beyond the kernel's own path, which is measured in the same
 * guest, since it differs from kernel to kernel. A look-up in the process's mappings takes some
 * instructions more or less, by how many there are.
 */
#define HIT_LIMIT 350

/*
 * Ways to fault: two or three bytes of code, filled up to three, and a return. A hit takes at most
 * so many hundredths of what the leanest handler takes: of a page fault the kernel's search for the
 * page alone is a quarter.
 */
static const struct kind {
	const char *name;
	char code[SPACING];
	uintptr_t argument;
	int signal, most, most_resumed, most_declined;
} kinds[] = {
	{ "a null load", "\x48\x8b\x07\xc3", 0, SIGSEGV, 35, 40, 130 },
	{ "a load from a non-canonical address", "\x48\x8b\x07\xc3", 1UL << 63, SIGSEGV, 20, 26, 137 },
	{ "an undefined instruction", "\x0f\x0b\x90\xc3", 0, SIGILL, 23, 29, 137 },
	{ "a division by zero", "\xf7\xf7\x90\xc3", 0, SIGFPE, 22, 29, 137 },
};

/*
 * Hundredths by time: an interpreter spends most of it on exceptions, of which a handler takes two.
 */
#define MOST_BY_TIME 40

/*
 * With the I/O privilege level of 3 the kernel steps over it: an exception that it resolves first
 * of all, by one read of the process's memory.
 */
static const char cli[] = "\xfa\xc3";

/* In the first page, where nothing is mapped. */
#define BAD_POINTER 64

#define KINDS (sizeof(kinds) / sizeof(*kinds))
#define FAULT_LEN 3

static inline uint64_t counter(void)
{
	uint32_t low, high;

	asm volatile("rdtsc" : "=a"(low), "=d"(high) :: "memory");
	return low | (uint64_t)high << 32;
}

static uint64_t empty;

/* The least that a call of `code` takes, but for reading the counter. */
static uint64_t least(const char *code, uintptr_t argument)
{
	uint64_t best = ~0ULL;

	for (int i = 0; i < ROUNDS; i++) {
		uint64_t before = counter(), after;

		((void (*)(uintptr_t))code)(argument);
		after = counter();
		if (after - before < best)
			best = after - before;
	}
	return best - empty;
}

static uint64_t least_call(long number)
{
	uint64_t best = ~0ULL;

	for (int i = 0; i < ROUNDS; i++) {
		uint64_t before = counter(), after;
		long ret;

		asm volatile("syscall" : "=a"(ret) : "0"(number) : "rcx", "r11", "memory");
		after = counter();
		if (after - before < best)
			best = after - before;
	}
	return best - empty;
}

/* The leanest handler that edits the context: it skips what faulted. */
static void handler(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)info;
	((ucontext_t *)context)->uc_mcontext.gregs[REG_RIP] += FAULT_LEN;
}

/* Measures reading the counter; whether that counts instructions. */
static int is_exact(void)
{
	uint64_t worst = 0;

	empty = ~0ULL;
	for (int i = 0; i < 100; i++) {
		uint64_t before = counter(), after = counter();

		if (after - before < empty)
			empty = after - before;
		if (after - before > worst)
			worst = after - before;
	}
	return empty <= 4 && worst - empty < 10000;
}

/* The shortest exception that leads to no signal: the way into the kernel and back. */
static uint64_t least_exception(char *place)
{
	uint64_t best;

	if (syscall(SYS_iopl, 3))
		die("iopl");
	best = least(memcpy(place, cli, sizeof(cli)), 0);
	if (syscall(SYS_iopl, 0))
		die("iopl");
	return best;
}

static void *attach_new(unsigned long capacity, unsigned long *size)
{
	void *area = new_area(capacity, size);
	long ret;

	vdso.attach(NULL, 0);
	ret = vdso.attach(area, *size);
	if (ret)
		die("attach is %ld", ret);
	return area;
}

/* Registers the text of each DSO, from `text` on. */
static void fill(void *area, char *text, char *tables, unsigned dsos, unsigned entries)
{
	for (unsigned i = 0; i < dsos; i++) {
		char *start = text + (size_t)i * TEXT;
		struct vdso_fixup_entry *table = (struct vdso_fixup_entry *)(tables + (size_t)i * ENTRIES * sizeof(*table));
		struct vdso_fixup_dso dso = { (uintptr_t)start, TEXT, (uintptr_t)table, entries };
		long ret;

		for (unsigned j = 0; j < entries; j++)
			set_entry(&table[j], start + j * SPACING, FAULT_LEN, start + j * SPACING + FAULT_LEN, 0);
		ret = vdso.reg(area, &dso);
		if (ret)
			die("register is %ld", ret);
		/* The reader has a watchdog. */
		if (i % 256 == 255)
			note("%u DSOs are registered", i + 1);
	}
}

/*
 * A landing with a frame: it steps over what faulted, or does not, and jumps to a function of the
 * image, which resumes or declines. Beyond what the tests of one entry cover.
 */
#define LANDING 64

static void put_landing(char *text, const char *name, int steps)
{
	/* addq $3, 128(%rdi); movabs $function, %rax; jmp *%rax */
	char code[] = "\x48\x83\x87\x80\0\0\0\3\x48\xb8\0\0\0\0\0\0\0\0\xff\xe0";
	const void *function = vdso_function(name);

	code[7] = steps;
	memcpy(code + 10, &function, sizeof(function));
	memcpy(text + LANDING, code, sizeof(code));
}

/* What a landing with a frame takes that resumes, and one that declines, against the handler. */
static void count_frames(char *text, struct vdso_fixup_entry *table, const uint64_t *handled)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		uint64_t resumed, declined;

		memcpy(text, kinds[i].code, sizeof(kinds[i].code));
		set_entry(table, text, FAULT_LEN, text + LANDING, VDSO_FIXUP_FRAME);
		put_landing(text, "__vdso_fixup_resume", FAULT_LEN);
		resumed = least(text, kinds[i].argument);
		put_landing(text, "__vdso_fixup_decline", 0);
		declined = least(text, kinds[i].argument);
		note("%s that lands with a frame: resumed %lu, %.3f of the handler; declined %lu, %.3f", kinds[i].name,
		     resumed, (double)resumed / handled[i], declined, (double)declined / handled[i]);
		test(resumed * 100 <= handled[i] * kinds[i].most_resumed, "%s resumes after at most 0.%d of it",
		     kinds[i].name, kinds[i].most_resumed);
		test(declined * 100 <= handled[i] * kinds[i].most_declined, "%s is declined after at most %d.%d of it",
		     kinds[i].name, kinds[i].most_declined / 100, kinds[i].most_declined % 100);
	}
	set_entry(table, text, FAULT_LEN, text + FAULT_LEN, 0);
}

static char *put(char *place, const struct kind *kind)
{
	memcpy(place, kind->code, sizeof(kind->code));
	return place;
}

int main(int count, char **arguments)
{
	int by_time = count > 1 && !strcmp(arguments[1], "time");
	int frames = count > 1 && !strcmp(arguments[1], "frames");
	int is_wrong, before = count > 1 && !strcmp(arguments[1], "before");
	struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_NODEFER };
	uint64_t call, unknown, exception, floor, handled[KINDS], missed, hit, first, places[3], worst = 0;
	char *text, *tables, *plain;
	struct vdso_fixup_attached out;
	unsigned long size;
	void *area;

	if (!before)
		find_entries();
	is_wrong = is_exact() == by_time;
	if (is_wrong || (!before && vdso.query(&out) == -ENOSYS)) {
		printf("KTAP version 1\n1..0 # SKIP %s\n",
		       is_wrong ? "the counter counts something else" : "the kernel has no exception fixups");
		return 0;
	}
	plain = map(4096, PROT_READ | PROT_WRITE | PROT_EXEC);
	/* Texts and tables within the reach of 32-bit offsets. */
	text = map((size_t)DSOS * TEXT + (size_t)DSOS * ENTRIES * sizeof(struct vdso_fixup_entry), PROT_READ | PROT_WRITE | PROT_EXEC);
	tables = text + (size_t)DSOS * TEXT;

	plan(before ? 1 : frames ? 2 * KINDS : by_time ? KINDS : 5 + KINDS);
	call = least_call(SYS_getppid);
	unknown = least_call(100000);
	note("a null call: %lu; with a number that no call has: %lu", call, unknown);
	exception = least_exception(plain);
	note("an exception that the kernel steps over: %lu", exception);
	for (size_t i = 0; i < KINDS; i++) {
		sigaction(kinds[i].signal, &action, NULL);
		handled[i] = least(put(plain, &kinds[i]), kinds[i].argument);
		note("%s, with the leanest handler, no area attached: %lu", kinds[i].name, handled[i]);
	}

	/* That, and how much longer a page fault is than the exception of the same kind. */
	floor = exception + handled[0] - handled[1];
	if (!by_time && !frames)
		test(unknown < call + 60, "an unknown number costs no more than an ordinary call");
	if (before)
		return failures != 0;
	if (frames) {
		area = attach_new(1, &size);
		fill(area, text, tables, 1, 1);
		count_frames(text, (struct vdso_fixup_entry *)tables, handled);
		return failures != 0;
	}

	/*
	 * The least that a page fault which lands can take: there is nothing to read of the
	 * process.
	 */
	note("a bad pointer in time(), which lands by the image's own table, no area attached: %lu",
	     least(vdso_function("__vdso_time"), BAD_POINTER));
	put(plain, &kinds[0]);
	area = attach_new(1, &size);
	fill(area, text, tables, 1, 1);
	missed = least(plain, 0);
	note("%s, with an area attached, in text that is not registered: %lu", kinds[0].name, missed);
	if (!by_time)
		test(missed < handled[0] * 1.1, "a miss costs at most a tenth more than no area");

	/* The last is the first: what follows needs its code and its count. */
	for (size_t i = KINDS; i-- > 0;) {
		int most = by_time ? MOST_BY_TIME : kinds[i].most;

		hit = least(put(text, &kinds[i]), kinds[i].argument);
		note("%s that lands, 1 DSO with 1 entry: %lu, %.3f of the handler", kinds[i].name, hit, (double)hit / handled[i]);
		test(hit * 100 <= handled[i] * most, "%s lands after at most 0.%d of it", kinds[i].name, most);
	}
	first = hit;
	note("%s that lands: %lu, of which the kernel's own path is %lu", kinds[0].name, first, floor);
	if (!by_time)
		test(first <= floor + HIT_LIMIT, "%s lands after at most %d instructions beyond the kernel's own",
		     kinds[0].name, HIT_LIMIT);

	area = attach_new(DSOS, &size);
	fill(area, text, tables, DSOS, ENTRIES);
	places[0] = least(text, 0);
	places[1] = least(put(text + (size_t)(DSOS / 2 + 1) * TEXT + 2049 * SPACING, &kinds[0]), 0);
	places[2] = least(put(text + (size_t)DSOS * TEXT - SPACING, &kinds[0]), 0);
	for (int i = 0; i < 3; i++)
		if (places[i] > worst)
			worst = places[i];
	note("%s that lands, %d DSOs with %d entries: %lu, %lu, %lu, %.2f of the former", kinds[0].name, DSOS, ENTRIES,
	     places[0], places[1], places[2], (double)worst / first);
	/* By time that hangs on caches, which the interpreter shares with others. */
	if (!by_time)
		test(worst * 2 <= first * 3, "%d DSOs with %d entries cost at most 1.5 of one with one", DSOS, ENTRIES);

	vdso.attach(NULL, 0);
	missed = least(plain, 0);
	note("%s, with the leanest handler, detached again, with more mappings: %lu", kinds[0].name, missed);
	if (!by_time)
		test(missed < handled[0] * 1.02, "without an area it is as before");
	return failures != 0;
}
