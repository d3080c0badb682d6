/*
 * Addresses that are used again: texts whose pages were replaced while registered, beside texts of
 * the same pages.
 *
 * The kernel's marks are of pages, registrations of bytes. A fault lands if, and only if, its text
 * was registered since its page was mapped: a landing returns 2, and a fault without one is a
 * signal, which a handler turns into 3.
 */
#include "entries.h"

#include <pthread.h>

#define PAGE 4096
#define FUNCTION 64

/* A load; it returns 1, its landing 2. */
static const char code[] = "\x48\x8b\x07\xb8\1\0\0\0\xc3\xb8\2\0\0\0\xc3";
#define LANDING 9

static struct vdso_fixup_entry *tables;
static char *place;
static void *area;
static unsigned long area_size;

/* ---- Texts ---- */

static char *map_at(char *at, int pages, int flags)
{
	char *page = mmap(at, pages * PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);

	if (page == MAP_FAILED)
		die("mmap");
	for (char *text = page; text < page + pages * PAGE; text += FUNCTION)
		memcpy(text, code, sizeof(code));
	return page;
}

/* The page at `place` is unmapped, and another comes. */
static void replace(void)
{
	munmap(place, PAGE);
	map_at(place, 1, MAP_FIXED);
}

static long enroll_at(char *text, unsigned long len, int number)
{
	struct vdso_fixup_dso dso = { (uintptr_t)text, len, (uintptr_t)&tables[number], 1 };

	set_entry(&tables[number], text, 3, text + LANDING, VDSO_FIXUP_PLAIN);
	return vdso.reg(area, &dso);
}

static long enroll(int number)
{
	return enroll_at(place + number * FUNCTION, FUNCTION, number);
}

static int call(char *text)
{
	return ((int (*)(void *))text)(NULL);
}

static int lands(int number)
{
	return call(place + number * FUNCTION) == 2;
}

static void handler(int sig, siginfo_t *info, void *context)
{
	greg_t *registers = ((ucontext_t *)context)->uc_mcontext.gregs;

	(void)sig;
	(void)info;
	registers[REG_RAX] = 3;
	registers[REG_RIP] = *(greg_t *)registers[REG_RSP];
	registers[REG_RSP] += 8;
}

/* ---- Each in a child, which begins with a new registry ---- */

static int begin(void)
{
	struct sigaction action = { .sa_sigaction = handler, .sa_flags = SA_SIGINFO | SA_NODEFER };

	sigaction(SIGSEGV, &action, NULL);
	tables = map(PAGE, PROT_READ | PROT_WRITE);
	place = map_at(NULL, 1, 0);
	area = new_area(16, &area_size);
	return vdso.attach(area, area_size) != 0;
}

static int beside(void)
{
	if (begin() || enroll(2) || enroll(4) || enroll(7) || !lands(2) || !lands(4) || !lands(7))
		return 1;
	replace();
	if (lands(2) || lands(4) || lands(7))
		return 2;
	/* In front of one, and behind the others. */
	if (enroll(5) || !lands(5))
		return 3;
	return lands(2) || lands(4) || lands(7) ? 4 : 0;
}

/* The end of one page and the start of the next: only one of them is replaced. */
static int across(void)
{
	if (begin())
		return 1;
	place = map_at(NULL, 2, 0);
	if (enroll(1) || enroll_at(place + PAGE - 16, 32, 30) || enroll_at(place + PAGE + FUNCTION, FUNCTION, 31))
		return 2;
	replace();
	if (enroll(3) || lands(1) || !lands(3) || call(place + PAGE + FUNCTION) != 2)
		return 3;
	return 0;
}

static int same_again(void)
{
	if (begin() || enroll(1) || !lands(1))
		return 1;
	if (enroll(1) != -EEXIST)
		return 2;
	replace();
	if (lands(1) || enroll(1) || !lands(1))
		return 3;
	return enroll(1) != -EEXIST;
}

static int stays(void)
{
	for (int i = 0; i < 16; i++)
		if ((!i && begin()) || enroll(i * 5 % 16))
			return 1;
	for (int i = 0; i < 16; i++)
		if (!lands(i))
			return 2;
	return enroll(16) != -ENOSPC;
}

static int grows(void)
{
	struct vdso_fixup_hit hit;

	if (begin())
		return 1;
	place = map_at(NULL, 1, MAP_GROWSDOWN);
	return enroll(0) != -EINVAL || vdso.lookup(area, place, &hit) != -ENOENT || lands(0);
}

static void limit_mappings(int count)
{
	FILE *limit = fopen("/proc/sys/vm/max_map_count", "w");

	if (!limit || fprintf(limit, "%d\n", count) < 0 || fclose(limit))
		die("/proc/sys/vm/max_map_count");
}

/* The middle of a mapping would make two more mappings of it. */
static int too_many(void)
{
	struct vdso_fixup_hit hit;
	char *pages;
	long ret;

	if (begin())
		return 1;
	pages = map_at(NULL, 3, 0);
	place = pages + PAGE;
	limit_mappings(10);
	ret = enroll(0);
	limit_mappings(65530);
	if (ret != -ENOMEM || vdso.lookup(area, place, &hit) != -ENOENT || lands(0))
		return 3;
	return enroll(0) || !lands(0) ? 4 : 0;
}

/* The kernel needs the area, not the image. */
/* What a child ends with if the image cannot be unmapped. */
#define SEALED 4

static int without_image(void)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	unsigned long start = 0, end = 0;
	char line[256];

	if (begin() || enroll(0))
		return 1;
	while (maps && fgets(line, sizeof(line), maps))
		if (strstr(line, "[vdso]"))
			sscanf(line, "%lx-%lx", &start, &end);
	if (munmap((void *)start, end - start))
		return errno == EPERM ? SEALED : 2;
	return lands(0) ? 0 : 3;
}

/* ---- Several at once ---- */

#define ROUNDS 2000

static int enroll_often(int number)
{
	for (int i = 0; i < ROUNDS; i++)
		if (enroll(number) || !lands(number) || vdso.unregister(area, (uintptr_t)place + number * FUNCTION))
			return 1;
	return 0;
}

static void *other_writer(void *number)
{
	return (void *)(long)enroll_often((int)(long)number);
}

static int together(void)
{
	pthread_t other;
	void *failed;
	int ret;

	if (begin() || pthread_create(&other, NULL, other_writer, (void *)9))
		return 1;
	ret = enroll_often(3);
	pthread_join(other, &failed);
	return ret || failed;
}

static volatile int stop;

static void *attacher(void *own)
{
	while (!stop) {
		vdso.attach(own, area_size);
		vdso.attach(NULL, 0);
	}
	return NULL;
}

/*
 * Attaching ends, whatever other threads attach and detach meanwhile. Many rounds pass while a
 * thread that has attached does not run, so there are as many as it takes to attach once.
 */
static int attached_by_others(void)
{
	unsigned long size, odd = 0, attached = 0;
	int rounds = 0;
	pthread_t others[2];

	if (begin())
		return 1;
	for (int i = 0; i < 2; i++)
		if (pthread_create(&others[i], NULL, attacher, new_area(16, &size)))
			return 2;
	do {
		long ret = vdso.attach(area, area_size);

		attached += !ret;
		odd += ret && ret != -EBUSY;
	} while (++rounds < ROUNDS || (!attached && !odd));
	stop = 1;
	for (int i = 0; i < 2; i++)
		pthread_join(others[i], NULL);
	note("attached %lu times of %d", attached, rounds);
	return odd != 0;
}

int main(void)
{
	static const struct {
		const char *name;
		int (*body)(void);
	} cases[] = {
		{ "texts of a page that was replaced are not heard again", beside },
		{ "a text across two pages goes with one of them", across },
		{ "the same text at the same place is registered again", same_again },
		{ "texts of one page, registered one by one", stays },
		{ "a text that grows is EINVAL", grows },
		{ "a text for which there are too many mappings is ENOMEM", too_many },
		{ "fixups work without the image", without_image },
		{ "two threads register on one page", together },
		{ "attaching ends while others attach and detach", attached_by_others },
	};
	struct vdso_fixup_attached out;
	int log;

	find_entries();
	if (vdso.query(&out) == -ENOSYS) {
		printf("KTAP version 1\n1..0 # SKIP the kernel has no exception fixups\n");
		return 0;
	}
	log = open_log();
	plan(sizeof(cases) / sizeof(*cases) + 1);
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		int status = in_child(cases[i].body);

		if (WIFEXITED(status) && WEXITSTATUS(status) == SEALED) {
			skip("the image is sealed", "%s", cases[i].name);
			continue;
		}
		if (status)
			note("status %#x", status);
		test(!status, "%s", cases[i].name);
	}
	test_log(log);
	return failures != 0;
}
