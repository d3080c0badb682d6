/*
 * An area, a text with a table, and a fault that ends in one of two ways: it lands, or it is a
 * signal.
 *
 * Execution may continue at any address of the text. So a fault ends, whatever is written to the
 * area or the table. A process beside this one and the kernel's log show that it has no other
 * effect.
 */
#ifndef ATTEMPTS_H
#define ATTEMPTS_H

#include "entries.h"

#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <sys/time.h>
#include <time.h>

#define CAPACITY 4
#define ENTRIES 8
#define TEXT 4096

/* Execution may continue at any address of this text: it faults again, or returns. */
static char *text;
static char *area, *table_page;
static struct vdso_fixup_entry *table;
static unsigned long area_bytes;
static char good_area[64 << 10], good_table[ENTRIES * sizeof(struct vdso_fixup_entry)];

static sigjmp_buf back;
static volatile unsigned long attempt, seen_attempt;
static unsigned long landed, signalled, cut_short;
static int seconds = 1, tick_us = 50000;

/* A fault of an attempt; any other ends the program. */
static void escape(int sig)
{
	if (attempt)
		siglongjmp(back, 1);
	signal(sig, SIG_DFL);
}

/* Ends an attempt that loops: a landing may be the instruction itself. */
static void tick(int sig)
{
	sigset_t ticks;

	if (attempt && attempt == seen_attempt) {
		sigemptyset(&ticks);
		sigaddset(&ticks, sig);
		sigprocmask(SIG_UNBLOCK, &ticks, NULL);
		siglongjmp(back, 2);
	}
	seen_attempt = attempt;
}

enum outcome { LANDED, SIGNALLED, CUT_SHORT };

static enum outcome fault(void)
{
	static unsigned long number;
	volatile enum outcome outcome;

	switch (sigsetjmp(back, 0)) {
	case 0:
		attempt = ++number;
		((void (*)(void *))text)(NULL);
		outcome = LANDED;
		landed++;
		break;
	case 1:
		outcome = SIGNALLED;
		signalled++;
		break;
	default:
		outcome = CUT_SHORT;
		cut_short++;
	}
	attempt = 0;
	return outcome;
}

/*
 * Two ticks may also meet an attempt that got next to no time from a slow machine: that shows
 * nothing, so it is made again. One that loops is cut short every time.
 */
__attribute__((unused)) static enum outcome fault_to_its_end(void)
{
	enum outcome outcome = CUT_SHORT;

	for (int i = 0; i < 100 && outcome == CUT_SHORT; i++)
		outcome = fault();
	return outcome;
}

static void restore(void)
{
	memcpy(area, good_area, area_bytes);
	memcpy(table, good_table, sizeof(good_table));
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

/* Shows every half minute that the program is alive, for the reader's watchdog. */
static void show_life(void)
{
	static double next;

	if (now() < next)
		return;
	if (next)
		note("%lu landed, %lu signals, %lu cut short", landed, signalled, cut_short);
	next = now() + 30;
}

static void prepare(void)
{
	struct itimerval often = { { 0, tick_us }, { 0, tick_us } };
	struct vdso_fixup_dso dso = {};
	struct sigaction action = { .sa_handler = escape, .sa_flags = SA_NODEFER | SA_ONSTACK };
	stack_t stack = { .ss_sp = map(65536, PROT_READ | PROT_WRITE), .ss_size = 65536 };
	static const int all[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP };
	long ret;

	text = map(TEXT, PROT_READ | PROT_WRITE | PROT_EXEC);
	memset(text, 0xc3, TEXT);
	memcpy(text, "\x48\x8b\x07", 3);
	table_page = map(4096, PROT_READ | PROT_WRITE);
	table = (struct vdso_fixup_entry *)table_page;
	for (int i = 0; i < ENTRIES; i++)
		set_entry(&table[i], text + 16 * i, 3, text + 2048 + i, i & 1);
	area = new_area(CAPACITY, &area_bytes);
	dso.text_start = (uintptr_t)text;
	dso.text_len = TEXT;
	dso.table = (uintptr_t)table;
	dso.count = ENTRIES;
	ret = vdso.reg(area, &dso);
	if (!ret)
		ret = vdso.attach(area, area_bytes);
	if (ret)
		die("register or attach is %ld", ret);
	memcpy(good_area, area, area_bytes);
	memcpy(good_table, table, sizeof(good_table));

	sigaltstack(&stack, NULL);
	for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
		sigaction(all[i], &action, NULL);
	/*
	 * A guest that gets next to no time would be told of the next tick before it is done with
	 * this one, and so on. A tick must not cut a report short either: a write to a terminal
	 * that ends with EINTR is lost.
	 */
	action.sa_handler = tick;
	action.sa_flags = SA_ONSTACK | SA_RESTART;
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
}

/* ---- The process beside it, and the kernel's log ---- */

static int heart, log_file;
static pid_t other;

/* Starts another process, which shows that it is alive, and reads the kernel's log from here on. */
static void watch(void)
{
	int pipe_ends[2];

	log_file = open_log();
	if (pipe(pipe_ends))
		die("pipe");
	other = fork();
	if (other < 0)
		die("fork");
	if (!other) {
		close(pipe_ends[0]);
		while (write(pipe_ends[1], "", 1) > 0)
			usleep(10000);
		_exit(0);
	}
	heart = pipe_ends[0];
	fcntl(heart, F_SETFL, O_NONBLOCK);
}

/* Takes the beats of so far; how many there were. */
static unsigned long take_beats(void)
{
	unsigned long beats = 0;
	char some[4096];
	ssize_t length;

	while ((length = read(heart, some, sizeof(some))) > 0)
		beats += length;
	return beats;
}

/* Two tests: the other process is alive, and the kernel's log is empty. */
static void test_what_was_watched(void)
{
	struct pollfd beat = { .fd = heart, .events = POLLIN };
	double end = now() + 20;

	/* What it wrote until now may be old: it must write once more. A tick ends a wait. */
	take_beats();
	while (now() < end && poll(&beat, 1, 1000) <= 0)
		;
	test(take_beats() > 0, "another process goes on");
	kill(other, SIGKILL);
	waitpid(other, NULL, 0);
	test_log(log_file);
}

/*
 * Begins: the arguments say for how many seconds each kind is tried, and how many microseconds a
 * tick takes.
 */
static void begin(int count, char **arguments, unsigned tests_planned)
{
	struct vdso_fixup_attached out;

	if (count > 1)
		seconds = atoi(arguments[1]);
	if (count > 2)
		tick_us = atoi(arguments[2]);
	find_entries();
	if (vdso.query(&out) == -ENOSYS) {
		printf("KTAP version 1\n1..0 # SKIP the kernel has no exception fixups\n");
		exit(0);
	}
	watch();
	prepare();
	plan(tests_planned);
}

#endif
