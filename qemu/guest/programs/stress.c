/*
 * Sixty-four threads at one registry: faults that must land, while others register, unregister,
 * grow, fork, exec and are killed.
 *
 * Every thread has text of its own, and its landing returns the thread's number: a wrong landing
 * returns another one, a lost registration raises a signal. An argument says for how many seconds.
 */
#include "entries.h"

#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <time.h>

#define FAULTERS 40
#define CHURNERS 16
#define FORKERS 4
#define KILLERS 4
#define THREADS (FAULTERS + CHURNERS + FORKERS + KILLERS)

static void *area;
static unsigned long capacity = 8;
static volatile int stop;
static __thread sigjmp_buf *back;

static unsigned long landings, registrations, misses, forks, killed, grown;
static unsigned long wrong_landings, lost, stale, bad_results, bad_children;

#define COUNT(what) __atomic_add_fetch(&(what), 1, __ATOMIC_RELAXED)

static void handler(int sig)
{
	(void)sig;
	if (!back)
		_exit(3);
	siglongjmp(*back, 1);
}

struct text {
	char code[64];
	struct vdso_fixup_entry table[1];
	char tail[64];		/* in the fingerprint, as the last bytes of the text: the number is here, too */
};

/* A load that returns -2 if it does not fault, and a landing that returns `number`. */
static struct text *new_text(unsigned number)
{
	struct text *text = map(4096, PROT_READ | PROT_WRITE | PROT_EXEC);

	memcpy(text->code, "\x48\x8b\x07\xb8\xfe\xff\xff\xff\xc3", 9);
	text->code[32] = (char)0xb8;
	memcpy(text->code + 33, &number, 4);
	text->code[37] = (char)0xc3;
	memcpy(text->tail + 40, &number, 4);
	set_entry(text->table, text->code, 3, text->code + 32, 0);
	return text;
}

/* What a fault in it returns; -1 if there was a signal. */
static int fault(struct text *text)
{
	sigjmp_buf here, *outer = back;
	int ret = -1;

	if (!sigsetjmp(here, 1)) {
		back = &here;
		ret = ((int (*)(void *))text->code)(NULL);
	}
	back = outer;
	return ret;
}

static void grow(void)
{
	unsigned long now = __atomic_load_n(&capacity, __ATOMIC_RELAXED), size;
	void *larger;

	if (now >= 256)
		return;
	larger = new_area(2 * now, &size);
	/* -EEXIST: another thread was faster; the parent, maybe, just before it forked. */
	if (vdso.grow(area, larger, size))
		munmap(larger, size);
	else
		COUNT(grown);
	__atomic_compare_exchange_n(&capacity, &now, 2 * now, 0, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
}

static long enter(struct text *text)
{
	struct vdso_fixup_dso dso = { (uintptr_t)text, 128, (uintptr_t)text->table, 1 };
	long ret;

	while ((ret = vdso.reg(area, &dso)) == -ENOSPC && capacity < 256)
		grow();
	return ret;
}

static void *faulter(void *argument)
{
	unsigned number = (uintptr_t)argument;
	struct text *text = new_text(number);

	if (enter(text))
		COUNT(bad_results);
	while (!stop) {
		int got = fault(text);

		if (got == (int)number)
			COUNT(landings);
		else if (got == -1)
			COUNT(lost);
		else
			COUNT(wrong_landings);
	}
	return NULL;
}

static void *churner(void *argument)
{
	unsigned number = (uintptr_t)argument;

	while (!stop) {
		struct text *text = new_text(number);
		int got;

		if (enter(text))
			COUNT(bad_results);
		got = fault(text);
		if (got == -1)
			COUNT(lost);
		else if (got != (int)number)
			COUNT(wrong_landings);
		if (number % 2) {
			/* Replaced while registered: this is not the text that was registered. */
			if (mmap(text, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) !=
			    text)
				die("mmap");
			memcpy(text->code, "\x48\x8b\x07\xb8\xfe\xff\xff\xff\xc3", 9);
			if (fault(text) == -1)
				COUNT(misses);
			else
				COUNT(stale);
			if (vdso.unregister(area, (uintptr_t)text))
				COUNT(bad_results);
		} else {
			if (vdso.unregister(area, (uintptr_t)text))
				COUNT(bad_results);
			if (fault(text) == -1)
				COUNT(misses);
			else
				COUNT(stale);
		}
		COUNT(registrations);
		munmap(text, 4096);
	}
	return NULL;
}

/* A child continues where the parent was, whatever other threads were doing. */
static void *forker(void *argument)
{
	unsigned number = (uintptr_t)argument;
	struct text *text = new_text(number);

	if (enter(text))
		COUNT(bad_results);
	for (unsigned turn = 0; !stop; turn++) {
		int status = -1;
		pid_t child = fork();

		if (!child) {
			struct text *own;

			if (turn % 4 == 0) {
				execl("/proc/self/exe", "stress", "query", NULL);
				_exit(1);
			}
			if (fault(text) != (int)number)
				_exit(4);
			own = new_text(1000);
			for (int i = 0; i < 20; i++) {
				long ret = enter(own);

				if (ret)
					_exit(64 - ret);
				if (fault(own) != 1000)
					_exit(6);
				if (vdso.unregister(area, (uintptr_t)own))
					_exit(7);
			}
			_exit(0);
		}
		if (child < 0 || waitpid(child, &status, 0) != child || status) {
			COUNT(bad_children);
			note("a child ended with %#x", status);
		}
		COUNT(forks);
	}
	return NULL;
}

/*
 * Shares the memory, and registers until it is killed. It must not use the libc: it has another
 * thread's TLS.
 */
static int doomed(void *argument)
{
	struct text *text = argument;
	struct vdso_fixup_dso dso = { (uintptr_t)text, 128, (uintptr_t)text->table, 1 };

	while (!vdso.reg(area, &dso) || 1)
		vdso.unregister(area, (uintptr_t)text);
	return 0;
}

static void *killer(void *argument)
{
	unsigned number = (uintptr_t)argument, seed = number;
	struct text *text = new_text(number);
	char *stack = map(65536, PROT_READ | PROT_WRITE);

	while (!stop) {
		pid_t child = clone(doomed, stack + 65536, CLONE_VM | SIGCHLD, text);
		long ret;

		if (child < 0)
			die("clone");
		usleep(rand_r(&seed) % 3000);
		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
		COUNT(killed);
		/* Whatever it left, the text can be unregistered, registered, and lands. */
		ret = vdso.unregister(area, (uintptr_t)text);
		if (ret && ret != -ENOENT)
			COUNT(bad_results);
		/* -EEXIST: the operation that it had begun was finished by others in between. */
		ret = enter(text);
		if (ret && ret != -EEXIST)
			COUNT(bad_results);
		if (fault(text) != (int)number)
			COUNT(lost);
		if (vdso.unregister(area, (uintptr_t)text))
			COUNT(bad_results);
	}
	return NULL;
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

int main(int count, char **arguments)
{
	struct sigaction action = { .sa_handler = handler, .sa_flags = SA_NODEFER };
	int seconds = 3;
	pthread_t threads[THREADS];
	struct vdso_fixup_attached out;
	unsigned long size;
	double end;
	long ret;

	find_entries();
	if (count > 1 && !strcmp(arguments[1], "query"))
		return vdso.query(&out) == -ENOENT ? 0 : 1;
	if (count > 1)
		seconds = atoi(arguments[1]);
	if (vdso.query(&out) == -ENOSYS) {
		printf("KTAP version 1\n1..0 # SKIP the kernel has no exception fixups\n");
		return 0;
	}
	sigaction(SIGSEGV, &action, NULL);
	area = new_area(capacity, &size);
	ret = vdso.attach(area, size);
	if (ret)
		die("attach is %ld", ret);

	plan(9);
	for (uintptr_t i = 0; i < THREADS; i++) {
		void *(*body)(void *) = i < FAULTERS ? faulter : i < FAULTERS + CHURNERS ? churner :
			i < FAULTERS + CHURNERS + FORKERS ? forker : killer;

		if (pthread_create(&threads[i], NULL, body, (void *)i))
			die("pthread_create");
	}
	for (end = now() + seconds; now() < end || !forks || !killed || !registrations; ) {
		unsigned long before = landings + registrations + forks + killed;

		sleep(seconds > 60 ? 20 : 1);
		note("%lu landings, %lu registrations, %lu forks, %lu killed, %lu grown", landings, registrations, forks, killed,
		     grown);
		if (landings + registrations + forks + killed == before)
			break;
	}
	stop = 1;
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	test(landings && registrations && misses && forks && killed && grown, "everybody got on");
	/* From 8 DSOs to 256, however many threads find it full at the same time. */
	test(grown <= 5, "the registry moved %lu times", grown);
	test(!wrong_landings, "wrong landings: %lu", wrong_landings);
	test(!lost, "lost registrations: %lu", lost);
	test(!stale, "stale landings: %lu", stale);
	test(!bad_results, "wrong results: %lu", bad_results);
	test(!bad_children, "children that failed: %lu", bad_children);
	test(!vdso.query(&out) && out.area != (uintptr_t)area && out.size == (unsigned long)vdso.area_size(capacity),
	     "the largest area is attached");
	test(((uint64_t *)out.area)[0] == ((uint64_t *)area)[0], "and is one");
	return failures != 0;
}
