/*
 * Attaches areas that no honest writer makes, and takes them away under the reader.
 *
 * Whatever is in an area or a table, a fault ends in the text that was registered or in a signal; the kernel's log
 * stays empty, nothing hangs, and other processes go on. An argument says for how many seconds each kind of random
 * areas is tried.
 */
#include "fixups.h"

#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <setjmp.h>
#include <sys/ioctl.h>
#include <sys/time.h>
#include <time.h>

#define CAPACITY 4
#define ENTRIES 8
#define TEXT 4096

/* Any address of this text is a good place to go on: it faults again, or returns. */
static char *text;
static char *area, *table_page;
static struct entry *table;
static unsigned long area_bytes;
static char good_area[4096], good_table[ENTRIES * sizeof(struct entry)];

static sigjmp_buf back;
static volatile unsigned long attempt, seen_attempt;
static unsigned long landed, signalled;
static int seconds = 1;

static void escape(int sig)
{
	(void)sig;
	siglongjmp(back, 1);
}

/* Ends an attempt that goes round and round: a landing may be the instruction itself. */
static void tick(int sig)
{
	(void)sig;
	if (attempt && attempt == seen_attempt)
		siglongjmp(back, 1);
	seen_attempt = attempt;
}

static void fault(void)
{
	static unsigned long number;

	if (sigsetjmp(back, 0)) {
		signalled++;
	} else {
		attempt = ++number;
		((void (*)(void *))text)(NULL);
		landed++;
	}
	attempt = 0;
}

static uint64_t state = 0x9e3779b97f4a7c15;

static uint64_t random64(void)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return state;
}

static uint64_t nasty(void)
{
	static const uint64_t values[] = {
		0, 1, 2, 3, 4095, 4096, 65535, 65536, 65537, 0x7fffffff, 0x80000000, 0xffffffff, 0x100000000,
		0x7fffffffefff, 0x7ffffffff000, 0x7fffffffffff, 0x800000000000, 0x8000000000000000, 0xffff800000000000,
		0xffff888000000000, 0xffffffff81000000, 0xffffffffff600000, 0xfffffffffffff000, 0xffffffffffffffff,
	};

	switch (random64() % 6) {
	case 0:
		return random64();
	case 1:
		return (uint64_t)text + random64() % (2 * TEXT) - TEXT / 2;
	case 2:
		return (uint64_t)table_page + random64() % 12288 - 4096;
	default:
		return values[random64() % (sizeof(values) / sizeof(*values))];
	}
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

/* Says every half minute that it goes on: whoever reads this has a watchdog. */
static void show_life(void)
{
	static double next;

	if (now() < next)
		return;
	if (next)
		note("%lu landed, %lu signals", landed, signalled);
	next = now() + 30;
}

static void prepare(void)
{
	struct itimerval often = { { 0, 50000 }, { 0, 50000 } };
	struct dso dso = {};
	struct sigaction action = { .sa_handler = escape, .sa_flags = SA_NODEFER | SA_ONSTACK };
	stack_t stack = { .ss_sp = map(65536, PROT_READ | PROT_WRITE), .ss_size = 65536 };
	static const int all[] = { SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP };
	long ret;

	text = map(TEXT, PROT_READ | PROT_WRITE | PROT_EXEC);
	memset(text, 0xc3, TEXT);
	memcpy(text, "\x48\x8b\x07", 3);
	table_page = map(4096, PROT_READ | PROT_WRITE);
	table = (struct entry *)table_page;
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
	action.sa_handler = tick;
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &often, NULL);
}

/* Runs `change` and a fault again and again; both outcomes must be seen, and the good area must work afterwards. */
static void random_test(const char *name, void (*change)(void))
{
	double end = now() + seconds;
	unsigned long rounds = 0;

	landed = signalled = 0;
	do {
		restore();
		change();
		fault();
		rounds++;
		if (rounds % 1024 == 0)
			show_life();
	} while (now() < end || !landed || !signalled);
	note("%s: %lu areas, %lu landed, %lu signals", name, rounds, landed, signalled);
	restore();
	landed = 0;
	fault();
	test(landed == 1, "%s", name);
}

static void change_header(void)
{
	for (unsigned n = 1 + random64() % 3; n; n--)
		((uint64_t *)area)[random64() % 16] = nasty();
}

static void change_rows(void)
{
	uint64_t *words = (uint64_t *)area;

	for (unsigned n = 1 + random64() % 4; n; n--)
		words[16 + random64() % (area_bytes / 8 - 16)] = nasty();
	if (random64() % 2)
		words[4 + 2 * (random64() % 2)] = random64() % (CAPACITY + 1);
}

static void change_bits(void)
{
	for (unsigned n = 1 + random64() % 4; n; n--)
		area[random64() % area_bytes] ^= 1 << random64() % 8;
}

static void change_table(void)
{
	for (unsigned n = 1 + random64() % 4; n; n--)
		((uint32_t *)table)[random64() % (ENTRIES * 4)] = nasty();
}

static void change_all(void)
{
	for (unsigned i = 0; i < area_bytes / 8; i++)
		if (random64() % 4 == 0)
			((uint64_t *)area)[i] = nasty();
	((uint64_t *)area)[0] = ((uint64_t *)good_area)[0];
	change_table();
	if (random64() % 2)
		restore();
}

/* A column of the current buffer, row 0: start, table, sizes. */
#define ROW(column) \
	((uint64_t *)area)[16 + (((uint64_t *)good_area)[1] & 1) * 8 * CAPACITY + (column) * 2 * CAPACITY]

/* Tables at the edges of what can be read. */
static void edges(void)
{
	static const uint64_t places[] = {
		0, 8, 0x7fffffffeff0, 0x7fffffffeff8, 0x7ffffffff000, 0x7ffffffffff0, 0x7ffffffffff8, 0x800000000000,
		0xffff800000000000, 0xffff888000000000, 0xffffffff81000000, 0xfffffffffffffff0, 0xfffffffffffffff8,
	};
	static const uint64_t counts[] = { 0, 1, 2, 4096, 0x7fffffff, 0x80000000, 0xffffffff };
	unsigned wrong = 0;

	for (unsigned i = 0; i < sizeof(places) / sizeof(*places); i++) {
		for (unsigned j = 0; j < sizeof(counts) / sizeof(*counts); j++) {
			restore();
			ROW(1) = places[i];
			ROW(2) = TEXT | counts[j] << 32;
			signalled = 0;
			fault();
			wrong += !signalled;
		}
	}
	restore();
	test(!wrong, "tables outside what can be read");
}

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
		landed = signalled = 0;
		fault();
		good += landed;
		mprotect(pages + 4096, 4096, PROT_NONE);
		fault();
		bad += signalled;
		vdso.attach(NULL, 0);
	}
	area = old;
	vdso.attach(area, area_bytes);
	/* What is read of the last row's witness is nothing, so the last places land even without the second page. */
	test(good == area_bytes / 64 - 1 && bad && bad < good, "an area that straddles pages: %u landed, %u lost the second",
	     good, bad);
}

static void without_area(void)
{
	char *gone = map(4096, PROT_READ | PROT_WRITE);
	unsigned long before;

	vdso.attach(NULL, 0);
	memcpy(gone, good_area, area_bytes);
	if (vdso.attach(gone, area_bytes))
		die("attach");
	landed = signalled = 0;
	fault();
	before = landed;
	mprotect(gone, 4096, PROT_NONE);
	fault();
	munmap(gone, 4096);
	fault();
	vdso.attach(NULL, 0);
	vdso.attach(area, area_bytes);
	test(before == 1 && landed == 1 && signalled == 2, "an area that is protected, then unmapped");
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
	landed = signalled = 0;
	do {
		fault();
		show_life();
	} while (now() < end || !landed);
	stop = 1;
	pthread_join(other, NULL);
	note("%s: %lu landed, %lu signals", name, landed, signalled);
	restore();
	end = landed;
	fault();
	test(landed == end + 1 && (may_miss || !signalled), "%s", name);
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

static void slow_pages(void)
{
	sigset_t alarm_only, old;
	unsigned good = 0;
	pthread_t other;
	double start;
	int status;
	pid_t child;

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

	/* Nobody answers: the thread sleeps in the kernel, and can be killed. */
	child = fork();
	if (!child) {
		if (make_slow())
			_exit(1);
		madvise((void *)((uintptr_t)area & ~4095UL), 4096, MADV_DONTNEED);
		fault();
		_exit(2);
	}
	usleep(200000);
	status = 0;
	good = waitpid(child, &status, WNOHANG) == 0;
	kill(child, SIGKILL);
	waitpid(child, &status, 0);
	test(good && WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL, "a page that never comes");
	sigprocmask(SIG_SETMASK, &old, NULL);
}

static void state_file(void)
{
	static const char *const words[] = {
		"area", "text", "0", "1000", "7fffffffefff", "ffffffffffffffff", "ffff888000000000", "-1", "0x10", " ", "\n",
		"\t", "area 0 0", "\n\n", "", "g", "10000000000000000", "text 0 ffffffffffffffff\n", "%s",
	};
	double end = now() + seconds;
	unsigned long rounds = 0, accepted = 0, strange = 0;
	int file = open("/proc/self/vdso_fixup", O_RDWR);
	char line[256], before[4096], after[4096];
	ssize_t length;

	length = pread(file, before, sizeof(before) - 1, 0);
	if (length <= 0)
		die("reading /proc/self/vdso_fixup");
	before[length] = 0;
	do {
		line[0] = 0;
		for (unsigned n = random64() % 8; n; n--)
			strcat(strcat(line, words[random64() % (sizeof(words) / sizeof(*words))]), random64() % 2 ? " " : "");
		if (random64() % 2)
			strcat(line, "\n");
		errno = 0;
		if (write(file, line, random64() % 16 ? strlen(line) : random64() % sizeof(line)) >= 0)
			accepted++;
		else if (errno != EINVAL && errno != EFAULT && errno != ENOMEM && errno != EBUSY)
			strange++;
		rounds++;
		if (rounds % 1024 == 0)
			show_life();
	} while (now() < end);
	note("/proc/self/vdso_fixup: %lu writes, %lu accepted, %lu strange errors", rounds, accepted, strange);
	write(file, "area 0 0\n", 9);
	test(write(file, before, length) == length && pread(file, after, sizeof(after), 0) >= length &&
	     !memcmp(before, after, strchr(before, '\n') - before) && !strange, "/proc/self/vdso_fixup");
	close(file);
}

int main(int count, char **arguments)
{
	int log = open("/dev/kmsg", O_RDONLY | O_NONBLOCK), pipe_ends[2];
	unsigned long beats = 0, beat, records = 0;
	struct attached out;
	char line[8192];
	ssize_t length;
	pid_t other;

	if (count > 1)
		seconds = atoi(arguments[1]);
	find_entries();
	if (vdso.query(&out) == -ENOSYS) {
		printf("KTAP version 1\n1..0 # SKIP the kernel has no exception fixups\n");
		return 0;
	}
	if (log >= 0)
		lseek(log, 0, SEEK_END);
	/* Another process, which says that it goes on. */
	if (pipe(pipe_ends))
		die("pipe");
	other = fork();
	if (!other) {
		close(pipe_ends[0]);
		for (beat = 1; write(pipe_ends[1], &beat, sizeof(beat)) > 0; beat++)
			usleep(10000);
		_exit(0);
	}
	fcntl(pipe_ends[0], F_SETFL, O_NONBLOCK);
	prepare();

	plan(16);
	random_test("headers", change_header);
	random_test("rows", change_rows);
	random_test("bits", change_bits);
	random_test("tables", change_table);
	random_test("everything", change_all);
	edges();
	straddling();
	without_area();
	with_thread("an area that is mapped anew under the reader", remapper, 1);
	with_thread("an area that is rewritten under the reader", scribbler, 1);
	with_thread("generations that pass under the reader", generations, 0);
	slow_pages();
	state_file();

	while (read(pipe_ends[0], &beat, sizeof(beat)) == sizeof(beat))
		beats = beat;
	test(beats > 10, "another process goes on");
	kill(other, SIGKILL);
	waitpid(other, NULL, 0);
	/* A record starts with its level; 4 is a warning. Faults that nobody handles would be told of at a lower one. */
	while (log >= 0 && (length = read(log, line, sizeof(line) - 1)) > 0) {
		line[length] = 0;
		if ((atoi(line) & 7) <= 4 || strstr(line, "segfault") || strstr(line, "traps:")) {
			note("%.200s", line);
			records++;
		}
	}
	if (log < 0)
		skip("no /dev/kmsg", "the kernel's log stays empty");
	else
		test(!records, "the kernel's log stays empty");
	return failures != 0;
}
