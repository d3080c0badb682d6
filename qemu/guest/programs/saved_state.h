/*
 * An area with texts, the state that is saved of it, and what the kernel says that it holds.
 *
 * The oracle is /proc/self/vdso_fixup, in which the kernel says what it holds, and faults: a hit
 * happens while SIGSEGV is blocked and has its default, so that it is the kernel's or the end of
 * the process; a miss is seen by a handler.
 */
#ifndef SAVED_STATE_H
#define SAVED_STATE_H

#include "entries.h"

#define STATE 32
#define TEXTS 3

struct saved {
	uint64_t magic, size, area, area_size;
};

static long (*save)(void *buffer, unsigned long len);
static long (*restore)(const void *buffer, unsigned long len);

static char *texts[TEXTS];
static struct vdso_fixup_entry *tables;
static void *area, *other_area;
static unsigned long area_size, other_size;

static struct saved state;

/* ---- What there is to save ---- */

/* A load; it returns 1, its landing 2. */
static const char code[] = "\x48\x8b\x07\xb8\1\0\0\0\xc3\xb8\2\0\0\0\xc3";
#define LANDING 9

static char *new_text(void)
{
	char *text = map(4096, PROT_READ | PROT_WRITE | PROT_EXEC);

	memcpy(text, code, sizeof(code));
	return text;
}

static long enroll(int number)
{
	struct vdso_fixup_dso dso = { (uintptr_t)texts[number], 4096, (uintptr_t)&tables[number], 1 };

	set_entry(&tables[number], texts[number], 3, texts[number] + LANDING, VDSO_FIXUP_PLAIN);
	return vdso.reg(area, &dso);
}

/* ---- What the kernel says ---- */

/* All that it holds, as text. */
static const char *held(void)
{
	static char text[4096];
	FILE *file = fopen("/proc/self/vdso_fixup", "r");
	size_t length;

	if (!file)
		die("/proc/self/vdso_fixup");
	length = fread(text, 1, sizeof(text) - 1, file);
	text[length] = 0;
	fclose(file);
	return text;
}

/* Whether the kernel consults this area of this size. */
static int consults(const void *wanted, unsigned long size)
{
	struct vdso_fixup_attached out;
	long ret = vdso.query(&out);

	return wanted ? !ret && out.area == (uintptr_t)wanted && out.size == size : ret == -ENOENT;
}

/* Faults in the first so many texts; whether all landed. */
static int land_all(int count)
{
	for (int i = 0; i < count; i++)
		if (((int (*)(void *))texts[i])(NULL) != 2)
			return 1;
	return 0;
}

static int two_blocked(void)
{
	sigset_t all;

	signal(SIGSEGV, SIG_DFL);
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	return land_all(2);
}

static int hits(void)
{
	return !in_child(two_blocked);
}

/* ---- The program's frame ---- */

static int kernel_log;

/*
 * Finds the entries, looks at the kernel's log from here on, and says how many tests there will be.
 */
static void begin(unsigned count)
{
	struct vdso_fixup_attached out;

	find_entries();
	save = vdso_function("__vdso_state_save");
	restore = vdso_function("__vdso_state_restore");
	if (!save || !restore)
		die("the image saves no state");
	if (vdso.query(&out) == -ENOSYS) {
		printf("KTAP version 1\n1..0 # SKIP the kernel has no exception fixups\n");
		exit(0);
	}
	kernel_log = open_log();
	plan(count);
}

/*
 * Attaches an area with two texts, and makes another, whose address has no byte in common; saves
 * the state: one test.
 */
static void save_area(void)
{
	void *far = (void *)0x200000040000;

	tables = map(4096, PROT_READ | PROT_WRITE);
	area = new_area(4, &area_size);
	other_area = mremap(new_area(2, &other_size), 4096, 4096, MREMAP_MAYMOVE | MREMAP_FIXED, far);
	if (other_area != far)
		die("mremap");
	for (int i = 0; i < TEXTS; i++)
		texts[i] = new_text();
	if (enroll(0) || enroll(1) || vdso.attach(area, area_size))
		die("register or attach");
	test(save(&state, STATE) == STATE && state.area == (uintptr_t)area && state.area_size == area_size && hits(),
	     "an area with two texts is saved");
}

#endif
