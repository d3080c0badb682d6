/*
 * What never lands, what a miss looks like, and what a landing does not depend on.
 *
 * Breakpoints and signals that a process sent go to their handler as if there were no area; so does
 * a fault in text that is no longer the one that was registered. Signal masks and dispositions make
 * no difference to a landing; a child has what its parent attached, a new program does not.
 */
#include "codes.h"

#include <sched.h>
#include <sys/time.h>

/* A signal comes as if there were no area, with the same siginfo and registers. */
static void miss(const char *name, const char *code, uint64_t argument)
{
	for (way = ORACLE; way <= DISPATCH; way++) {
		static struct state wanted;
		long ret;

		choose(way);
		memset(oracle, 0, sizeof(*oracle));
		signals = 0;
		ret = run(code, argument, oracle);
		if (way == ORACLE) {
			wanted = *oracle;
			if (ret != 2)
				die("%s raises nothing", name);
			continue;
		}
		if (ret != 2 || signals != 1)
			note("run() is %ld, %d signals", ret, (int)signals);
		test(ret == 2 && signals == 1 && !memcmp(oracle, &wanted, sizeof(wanted)), "%s: no landing, %s", name,
		     way == KERNEL ? "kernel" : "dispatch");
	}
}

static void unable_signals(void)
{
	struct state seen = {};
	sigset_t all, old;

	choose(KERNEL);
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, &old);
	test(run(c_load, 0, &seen) == 1, "a blocked signal makes no difference");
	test(run(c_undefined, 0, &seen) == 1, "a blocked SIGILL makes no difference");
	sigprocmask(SIG_SETMASK, &old, NULL);
	signal(SIGSEGV, SIG_IGN);
	test(run(c_load, 0, &seen) == 1, "an ignored signal makes no difference");
	handle_all();
}

/* Signals from outside, while the thread is in text that is covered. */
static void sent_signals(void)
{
	struct itimerval often = { { 0, 20000 }, { 0, 20000 } }, never = {};
	/* Whether to continue, and whether the spinning has begun. */
	volatile int *words = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (words == MAP_FAILED)
		die("mmap");
	for (enum way next = KERNEL; next <= DISPATCH; next++) {
		const char *name = next == KERNEL ? "kernel" : "dispatch";
		pid_t child;

		choose(next);
		setitimer(ITIMER_REAL, &often, NULL);
		test(run(c_spin, (uint64_t)words, oracle) == 2 && oracle->signal == SIGALRM, "a timer's signal arrives: %s", name);
		setitimer(ITIMER_REAL, &never, NULL);
		words[1] = 0;
		child = fork();
		if (child < 0)
			die("fork");
		if (!child) {
			while (!words[1])
				sched_yield();
			kill(getppid(), SIGSEGV);
			_exit(0);
		}
		test(run(c_spin, (uint64_t)words, oracle) == 2 && oracle->signal == SIGSEGV && oracle->code <= 0,
		     "a SIGSEGV that was sent arrives: %s", name);
		waitpid(child, NULL, 0);
	}
}

static void plain_tests(void)
{
	for (enum way next = KERNEL; next <= DISPATCH; next++) {
		struct state seen = {};
		long ret;

		choose(next);
		ret = run(c_plain, 8, &seen);
		test(ret == 1 && seen.regs[R_DI] == 8 && seen.regs[R_SI] == 0x5a05 && seen.regs[R_DX] == 0x5a04 &&
		     seen.regs[R_CX] == 0x5a03, "a plain landing changes rip alone: %s",
		     next == KERNEL ? "kernel" : "dispatch");
	}
}

/* A page of text: a load that may fault, and its landing. */
static void write_text(char *text)
{
	memcpy(text, "\x48\x8b\x07\xc3", 4);
	memcpy(text + 64, "\xff\x25\0\0\0\0", 6);
	memcpy(text + 70, &(const char *){ landed }, 8);
}

/* What registers that page. */
static struct vdso_fixup_dso text_dso(char *text, struct vdso_fixup_entry *entry)
{
	set_entry(entry, text, 3, text + 64, 0);
	return (struct vdso_fixup_dso){ (uintptr_t)text, 4096, (uintptr_t)entry, 1 };
}

/* Text that was unmapped while registered, with other text in its place. */
static void stale_tests(void)
{
	struct state seen = {};
	char *text = map(8192, PROT_READ | PROT_WRITE | PROT_EXEC), *again;
	struct vdso_fixup_dso dso = text_dso(text, (struct vdso_fixup_entry *)(text + 4096));

	write_text(text);
	choose(KERNEL);
	test(!vdso.reg(area, &dso) && run(text, 0, &seen) == 1, "text that was registered lands");
	test(!mprotect(text, 4096, PROT_READ | PROT_EXEC) && run(text, 0, &seen) == 1, "it lands after mprotect");
	test(!mprotect(text, 4096, PROT_READ | PROT_WRITE | PROT_EXEC) && run(text, 0, &seen) == 1,
	     "it lands after mprotect back");

	/* The very same bytes: only the kernel can tell. */
	again = map(4096, PROT_READ | PROT_WRITE | PROT_EXEC);
	memcpy(again, text, 4096);
	if (mremap(again, 4096, 4096, MREMAP_MAYMOVE | MREMAP_FIXED, text) != text)
		die("mremap");
	test(run(text, 0, oracle) == 2, "text that was replaced by the same bytes does not");
	test(!vdso.mark(text, 4096) && run(text, 0, &seen) == 1, "it does when it is marked");
	again = map(4096, PROT_READ | PROT_WRITE | PROT_EXEC);
	memcpy(again, text, 4096);
	if (mremap(again, 4096, 4096, MREMAP_MAYMOVE | MREMAP_FIXED, text) != text)
		die("mremap");

	/* Registered again: a new registration of the same place. */
	test(!vdso.unregister(area, (uintptr_t)text) && !vdso.reg(area, &dso) && run(text, 0, &seen) == 1,
	     "it does when it is registered again");
	again = mremap(text, 4096, 4096, MREMAP_MAYMOVE | MREMAP_FIXED, map(4096, PROT_NONE));
	if (again == MAP_FAILED)
		die("mremap");
	test(run(again, 0, oracle) == 2, "text that was moved away does not");
	test(!vdso.unregister(area, (uintptr_t)text), "and can be unregistered");
}

/* Text that was unmapped while registered, and registered text that is mapped at its place. */
static void moved_tests(void)
{
	struct vdso_fixup_entry *entries = map(4096, PROT_READ | PROT_WRITE);
	char *pages = map(4 * 4096, PROT_READ | PROT_WRITE | PROT_EXEC);
	struct state seen = {};
	struct vdso_fixup_dso dsos[3];

	choose(KERNEL);
	for (int i = 0; i < 3; i++) {
		write_text(pages + i * 4096);
		dsos[i] = text_dso(pages + i * 4096, entries + i);
		if (vdso.reg(area, &dsos[i]) || run(pages + i * 4096, 0, &seen) != 1)
			die("text %d does not land", i);
	}
	if (mremap(pages + 2 * 4096, 4096, 4096, MREMAP_MAYMOVE | MREMAP_FIXED, pages + 4096) != pages + 4096)
		die("mremap");
	test(run(pages + 4096, 0, oracle) == 2, "registered text that was moved to the place of another does not land");
	test(run(pages, 0, &seen) == 1, "the text beside it does");

	if (munmap(pages + 4096, 3 * 4096) || mremap(pages, 4096, 8192, 0) != pages)
		die("mremap in place");
	write_text(pages + 4096);
	test(run(pages + 4096, 0, oracle) == 2, "registered text that grew to the place of another does not land");
	test(!vdso.unregister(area, (uintptr_t)pages) && !vdso.reg(area, &dsos[0]) && run(pages, 0, &seen) == 1,
	     "it does when it is registered again");
	for (int i = 0; i < 3; i++)
		if (vdso.unregister(area, dsos[i].text_start))
			die("text %d cannot be unregistered", i);
}

static void inheritance(void)
{
	struct state seen = {};
	struct vdso_fixup_attached out;
	int status;
	pid_t child;

	choose(KERNEL);
	child = fork();
	if (!child)
		_exit(run(c_load, 0, &seen) == 1 && !vdso.query(&out) && out.area == (uintptr_t)area ? 0 : 1);
	test(waitpid(child, &status, 0) == child && !status, "a child inherits the area");
	child = fork();
	if (!child) {
		execl("/proc/self/exe", "landings", "query", NULL);
		_exit(1);
	}
	test(waitpid(child, &status, 0) == child && !status, "a new program starts without");
}

int main(int count, char **arguments)
{
	struct vdso_fixup_attached out;

	(void)arguments;
	find_entries();
	if (count > 1)
		return vdso.query(&out) == -ENOENT ? 0 : 1;
	if (vdso.query(&out) == -ENOSYS) {
		printf("KTAP version 1\n1..0 # SKIP the kernel has no exception fixups\n");
		return 0;
	}
	prepare();
	handle_all();
	plan(2 * 5 + 3 + 4 + 2 + 8 + 4 + 2);
	miss("uncovered text", c_uncovered, 8);
	miss("uncovered text, not canonical", c_uncovered, 0x8000000000000000);
	miss("execution of what is not mapped", c_jump, (uint64_t)unmapped);
	miss("breakpoint", c_breakpoint, 0);
	miss("single step", c_step, 0);
	unable_signals();
	sent_signals();
	plain_tests();
	stale_tests();
	moved_tests();
	inheritance();
	return failures != 0;
}
