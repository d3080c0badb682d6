/*
 * seen IMAGE wait|decline: a child has a fault in a function that main calls, which lands. The
 * landing's function says which process it is in and waits, or it declines, and no handler takes
 * the signal.
 */
#include "child.h"
#include "liblinux/frame.h"

static int waits;

__attribute__((noinline)) static int on_fault(struct vdso_fixup_frame *frame)
{
	(void)frame;
	if (!waits)
		return LIBLINUX_DECLINE;
	printf("%d\n", (int)getpid());
	fflush(stdout);
	for (;;)
		pause();
}

LIBLINUX_FRAME_LANDING(landing, on_fault);

__attribute__((noinline)) uint64_t load_it(const uint64_t *from);
uint64_t load_it(const uint64_t *from)
{
	uint64_t value;

	__asm__ volatile("1:\tmovq (%1), %0\n2:\n" LIBLINUX_FIXUP_FRAME("1b", "2b", "landing")
			 : "=r"(value) : "r"(from) : "memory");
	return value + 1;
}

static void fault(void)
{
	static struct vdso_fixup_dso own;

	CHECK(!liblinux_frame_prepare(image));
	CHECK(!liblinux_fixups_join(&fixups, image) && fixups.pages);
	CHECK(!liblinux_fixups_register_own(&fixups, &own));
	printf("%d\n", (int)load_it((const uint64_t *)8));
}

int main(int count, char **arguments)
{
	void (*const tests[])(void) = { fault };

	waits = count == 3 && !strcmp(arguments[2], "wait");
	return count == 3 ? run_tests(arguments[1], tests, 1) : 2;
}
