/*
 * Saves what the kernel holds of a process's exception fixups, and restores it: in this process, in
 * a child that has lost it, after the registry moved, and under a filter.
 */
#include "saved_state.h"

#include "filter.h"

static void seen(int sig)
{
	(void)sig;
	_exit(9);
}

static int first_handled(void)
{
	signal(SIGSEGV, seen);
	return land_all(1);
}

/* Whether a fault in the first text is a signal. */
static int misses(void)
{
	int status = in_child(first_handled);

	return WIFEXITED(status) && WEXITSTATUS(status) == 9;
}

static void save_nothing(void)
{
	char buffer[STATE + 16];
	struct saved *saved = (void *)buffer;
	int good = 1;

	memset(buffer, 0x5a, sizeof(buffer));
	test(save(NULL, 0) == STATE && save((void *)8, 0) == STATE, "a length of 0 asks how many bytes there are");
	for (int len = 1; len < STATE; len++)
		good &= save(buffer, len) == -ERANGE && save(NULL, len) == -ERANGE;
	for (size_t i = 0; i < sizeof(buffer); i++)
		good &= buffer[i] == 0x5a;
	test(good, "too short a buffer is ERANGE, and is not written to");
	good = save(buffer, sizeof(buffer)) == STATE && !memcmp(&saved->magic, "LLSTATE1", 8) && saved->size == STATE &&
	       !saved->area && !saved->area_size;
	for (size_t i = STATE; i < sizeof(buffer); i++)
		good &= buffer[i] == 0x5a;
	test(good, "nothing attached: a state without an area");
	test(!restore(buffer, STATE) && consults(NULL, 0), "which can be restored");
}

static void bad_pointers(const struct saved *good_state)
{
	char *pages = map(8192, PROT_READ | PROT_WRITE), *read_only = map(4096, PROT_READ), *hidden = map(4096, PROT_NONE);
	const void *const places[] = {
		NULL, (void *)8, hidden, pages + 4096, pages + 4096 - 8, pages + 4096 - STATE + 8, (void *)0x7ffffffff000,
		(void *)0x7ffffffffff8, (void *)0x8000000000000000, (void *)0xffff888000000000, (void *)0xffffffffffffffe0,
		(void *)0xfffffffffffffff8,
	};
	int wrong = 0;

	memcpy(pages + 4096 - STATE, good_state, STATE);
	munmap(pages + 4096, 4096);
	for (size_t i = 0; i < sizeof(places) / sizeof(*places); i++) {
		if (save((void *)places[i], STATE) != -EFAULT || restore(places[i], STATE) != -EFAULT) {
			note("%p is not a bad pointer", places[i]);
			wrong++;
		}
	}
	test(!wrong && save(read_only, STATE) == -EFAULT && consults(area, area_size), "bad pointers are EFAULT");
	test(save(pages + 4096 - STATE, STATE) == STATE && !restore(pages + 4096 - STATE, STATE),
	     "a buffer may end where its memory does");
}

/* ---- Restoring ---- */

/* Everything is lost but memory: the area, and the marks, as the texts are mapped anew. */
static int restored_in_child(void)
{
	char before[4096], *again;

	strcpy(before, held());
	if (vdso.attach(NULL, 0))
		return 1;
	for (int i = 0; i < TEXTS; i++) {
		again = new_text();
		if (mremap(again, 4096, 4096, MREMAP_MAYMOVE | MREMAP_FIXED, texts[i]) != texts[i])
			return 2;
	}
	if (*held() || vdso.attach(area, area_size) || !misses() || vdso.attach(NULL, 0) || !misses())
		return 3;
	if (restore(&state, STATE) || !hits())
		return 4;
	return strcmp(before, held()) ? 5 : 0;
}

static int three_blocked(void)
{
	return two_blocked() || land_all(3);
}

/* The registry moves between saving and restoring, and gets one more text. */
static int moved_meanwhile(void)
{
	unsigned long size;
	void *larger = new_area(8, &size);

	if (vdso.grow(area, larger, size) || enroll(2) || !consults(larger, size))
		return 1;
	if (restore(&state, STATE) || !consults(larger, size))
		return 2;
	if (vdso.attach(NULL, 0) || restore(&state, STATE) || !consults(larger, size))
		return 3;
	return in_child(three_blocked) ? 4 : 0;
}

/* An area whose header is good, and nothing else. */
static int hollow(void)
{
	vdso.attach(NULL, 0);
	((uint64_t *)area)[4] = ((uint64_t *)area)[6] = 5;
	return restore(&state, STATE) != -EINVAL || !consults(NULL, 0);
}

static void restoring(void)
{
	int status;

	test(!restore(&state, STATE) && consults(area, area_size) && hits(), "what is attached may be restored");
	vdso.attach(NULL, 0);
	test(misses() && !restore(&state, STATE) && consults(area, area_size) && hits(), "what was detached is attached again");
	status = in_child(restored_in_child);
	if (status)
		note("status %#x", status);
	test(!status, "a child that lost area and marks has both again");
	vdso.attach(NULL, 0);
	if (vdso.attach(other_area, other_size))
		die("attach");
	test(restore(&state, STATE) == -EBUSY && consults(other_area, other_size), "another area that is attached is EBUSY");
	vdso.attach(NULL, 0);
	vdso.attach(area, area_size);
	status = in_child(moved_meanwhile);
	if (status)
		note("status %#x", status);
	test(!status, "a registry that has moved since is restored where it is");
	test(!in_child(hollow), "an area without a registry is EINVAL, and not attached");
}

/* ---- Filters ---- */

static int answer;

static int filtered(void)
{
	struct saved none = { state.magic, STATE }, untouched = { 1, 2, 3, 4 }, out = untouched;
	/*
	 * A kernel without fixups, or without an area, says the same, and has nothing to save. 0 is
	 * taken for the former.
	 */
	int unknown = answer == ENOSYS || answer == ENOENT || !answer;
	int said = answer ? answer : ENOSYS;

	if (set_filter(SECCOMP_RET_ERRNO | answer, -1))
		return 1;
	if (unknown ? save(&out, STATE) != STATE || memcmp(&out, &none, STATE)
		    : save(&out, STATE) != -answer || memcmp(&out, &untouched, STATE))
		return 2;
	if (restore(&state, STATE) != -said || restore(&none, STATE) != (said == ENOSYS ? 0 : -said))
		return 3;
	return two_blocked();
}

int main(void)
{
	static const int answers[] = { EPERM, EACCES, ENOSYS, ENOENT, 0 };
	int status;

	begin(4 + 3 + 6 + 5 + 1);
	save_nothing();
	save_area();
	bad_pointers(&state);
	restoring();
	for (size_t i = 0; i < sizeof(answers) / sizeof(*answers); i++) {
		answer = answers[i];
		status = in_child(filtered);
		if (status)
			note("status %#x", status);
		test(!status, "a filter that answers errno %d", answer);
	}
	test_log(kernel_log);
	return failures != 0;
}
