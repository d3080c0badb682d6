/*
 * Takes an area away under its reader, in part or as a whole, and writes to it meanwhile.
 *
 * A fault lands or is a signal, while another thread maps, unmaps, protects or rewrites the area,
 * or is slow to bring its pages. The kernel's log stays empty, nothing hangs, and other processes
 * continue. An argument says for how many seconds each kind is tried.
 */
#include "attempts.h"

#include <linux/userfaultfd.h>
#include <pthread.h>
#include <sys/ioctl.h>

/* Header and cells on two pages each, the second gone. */
static void straddling(void)
{
	char *pages = map(3 * 4096, PROT_READ | PROT_WRITE);
	unsigned good = 0, bad = 0;
	char *old = area;

	vdso.attach(NULL, 0);
	for (unsigned offset = 64; offset < area_bytes; offset += 64) {
		char *place = pages + 4096 - offset;

		mprotect(pages + 4096, 4096, PROT_READ | PROT_WRITE);
		memcpy(place, good_area, area_bytes);
		if (vdso.attach(place, area_bytes))
			break;
		good += fault_to_its_end() == LANDED;
		mprotect(pages + 4096, 4096, PROT_NONE);
		bad += fault_to_its_end() == SIGNALLED;
		vdso.attach(NULL, 0);
	}
	area = old;
	vdso.attach(area, area_bytes);
	/*
	 * The kernel reads no byte of the last row's fingerprint, so the last places land even
	 * without the second page.
	 */
	test(good == area_bytes / 64 - 1 && bad && bad < good, "an area that straddles pages: %u landed, %u lost the second",
	     good, bad);
}

static void without_area(void)
{
	char *gone = map(4096, PROT_READ | PROT_WRITE);
	enum outcome readable, protected, unmapped;

	vdso.attach(NULL, 0);
	memcpy(gone, good_area, area_bytes);
	if (vdso.attach(gone, area_bytes))
		die("attach");
	readable = fault_to_its_end();
	mprotect(gone, 4096, PROT_NONE);
	protected = fault_to_its_end();
	munmap(gone, 4096);
	unmapped = fault_to_its_end();
	vdso.attach(NULL, 0);
	vdso.attach(area, area_bytes);
	test(readable == LANDED && protected == SIGNALLED && unmapped == SIGNALLED, "an area that is protected, then unmapped");
}

/* ---- Others at work meanwhile ---- */

static volatile int stop;

static void *remapper(void *unused)
{
	(void)unused;
	while (!stop) {
		mmap(area, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
		memcpy(area, good_area, area_bytes);
		munmap(area, 4096);
	}
	mmap(area, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	return NULL;
}

static void *scribbler(void *unused)
{
	static uint64_t seed = 88172645463325252;
	uint64_t *words = (uint64_t *)area;

	(void)unused;
	while (!stop) {
		for (unsigned i = 0; i < area_bytes / 8; i++) {
			seed ^= seed << 13;
			seed ^= seed >> 7;
			seed ^= seed << 17;
			words[i] = seed % 8 ? ((uint64_t *)good_area)[i] : seed;
		}
		words[1]++;
		memcpy(area, good_area, area_bytes);
	}
	return NULL;
}

static void *generations(void *unused)
{
	(void)unused;
	while (!stop)
		((volatile uint64_t *)area)[1] += 2;
	return NULL;
}

static void with_thread(const char *name, void *(*body)(void *), int may_miss)
{
	double end = now() + seconds;
	pthread_t other;
	sigset_t alarm_only, old;

	sigemptyset(&alarm_only);
	sigaddset(&alarm_only, SIGALRM);
	sigprocmask(SIG_BLOCK, &alarm_only, &old);
	stop = 0;
	if (pthread_create(&other, NULL, body, NULL))
		die("pthread_create");
	sigprocmask(SIG_SETMASK, &old, NULL);
	landed = signalled = cut_short = 0;
	do {
		fault();
		show_life();
	} while (now() < end || !landed);
	stop = 1;
	pthread_join(other, NULL);
	/* On a busy machine a thread may rest for so long that its attempt is cut short. */
	note("%s: %lu landed, %lu signals, %lu cut short", name, landed, signalled, cut_short);
	restore();
	test(fault_to_its_end() == LANDED && (may_miss || !signalled), "%s", name);
}

static int slow;

/* Answers page faults of the area after a while. */
static void *pager(void *unused)
{
	struct uffd_msg message;
	static char page[4096] __attribute__((aligned(4096)));

	(void)unused;
	memcpy(page + (area - (char *)((uintptr_t)area & ~4095UL)), good_area, area_bytes);
	while (read(slow, &message, sizeof(message)) == sizeof(message)) {
		struct uffdio_copy copy = {
			.dst = message.arg.pagefault.address & ~4095UL, .src = (uintptr_t)page, .len = 4096,
		};

		usleep(20000);
		ioctl(slow, UFFDIO_COPY, &copy);
	}
	return NULL;
}

static int make_slow(void)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register range = {
		.range = { (uintptr_t)area & ~4095UL, 4096 }, .mode = UFFDIO_REGISTER_MODE_MISSING,
	};

	slow = syscall(SYS_userfaultfd, O_CLOEXEC);
	return slow < 0 || ioctl(slow, UFFDIO_API, &api) || ioctl(slow, UFFDIO_REGISTER, &range);
}

/* Whether a process falls asleep, and does not wake up. */
static int sleeps(pid_t pid)
{
	char path[64], state = 0;
	double end = now() + 20;
	int times = 0;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	while (now() < end && times < 10) {
		FILE *file = fopen(path, "r");

		if (!file || fscanf(file, "%*d (%*[^)]) %c", &state) != 1)
			die("%s", path);
		fclose(file);
		times = state == 'S' || state == 'D' ? times + 1 : 0;
		usleep(20000);
	}
	return times == 10;
}

static void slow_pages(void)
{
	sigset_t alarm_only, old;
	unsigned good = 0;
	pthread_t other;
	int status, pipe_ends[2];
	double start;
	pid_t child;
	char ready;

	if (make_slow()) {
		skip("no userfaultfd", "a page that comes slowly");
		skip("no userfaultfd", "a page that never comes");
		return;
	}
	sigemptyset(&alarm_only);
	sigaddset(&alarm_only, SIGALRM);
	sigprocmask(SIG_BLOCK, &alarm_only, &old);
	if (pthread_create(&other, NULL, pager, NULL))
		die("pthread_create");
	start = now();
	for (int i = 0; i < 10; i++) {
		madvise((void *)((uintptr_t)area & ~4095UL), 4096, MADV_DONTNEED);
		landed = 0;
		fault();
		good += landed;
	}
	test(good == 10 && now() - start > 0.2, "a page that comes slowly");
	pthread_cancel(other);
	pthread_join(other, NULL);
	close(slow);
	restore();

	/* No answer comes: the thread sleeps in the kernel, and can be killed. */
	if (pipe(pipe_ends))
		die("pipe");
	child = fork();
	if (child < 0)
		die("fork");
	if (!child) {
		if (make_slow())
			_exit(1);
		madvise((void *)((uintptr_t)area & ~4095UL), 4096, MADV_DONTNEED);
		if (write(pipe_ends[1], "", 1) != 1)
			_exit(3);
		fault();
		_exit(2);
	}
	close(pipe_ends[1]);
	good = read(pipe_ends[0], &ready, 1) == 1 && sleeps(child);
	close(pipe_ends[0]);
	kill(child, SIGKILL);
	waitpid(child, &status, 0);
	test(good && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "a page that never comes");
	sigprocmask(SIG_SETMASK, &old, NULL);
}

int main(int count, char **arguments)
{
	begin(count, arguments, 9);
	straddling();
	without_area();
	with_thread("an area that is mapped anew under the reader", remapper, 1);
	with_thread("an area that is rewritten under the reader", scribbler, 1);
	with_thread("generations that pass under the reader", generations, 0);
	slow_pages();
	test_what_was_watched();
	return failures != 0;
}
