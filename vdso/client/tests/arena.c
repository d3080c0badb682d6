/*
 * arena IMAGE: tables and code that are made at run time, in C. Prints what does not hold.
 */
#include "child.h"
#include "liblinux/frame.h"

static void entry_tests(void)
{
	struct vdso_fixup_entry entry;
	const uint64_t at = 0x700000000000, text = at - 0x1000;

	CHECK(!liblinux_fixup_entry(&entry, at, text, text + 3, text + 8, VDSO_FIXUP_PLAIN));
	CHECK(entry.start == -0x1000 && entry.len == 3 && entry.landing == -0x1000 && entry.flags == 1);
	CHECK(liblinux_fixup_entry(&entry, at, text, text, text, 0) == -EINVAL);
	CHECK(liblinux_fixup_entry(&entry, at, text + 1, text, text, 0) == -EINVAL);
	CHECK(liblinux_fixup_entry(&entry, at, text, text + 1, text, 4) == -EINVAL);
	CHECK(liblinux_fixup_entry(&entry, at, text, text + (1ULL << 32), text, 0) == -ERANGE);
	CHECK(liblinux_fixup_entry(&entry, at, text - (1ULL << 31), text, text, 0) == -ERANGE);
	CHECK(liblinux_fixup_entry(&entry, at, text, text + 1, text + (1ULL << 32), 0) == -ERANGE);
}

#define GRANULE (2 * PAGE)

static struct liblinux_arena arena;
static unsigned char *place;

static void write_code(void)
{
	/* mov 8, %rax; ret */
	memcpy(place, "\x48\x8b\x04\x25\x08\0\0\0\xc3", 9);
}

static void run_code(void)
{
	CHECK(((unsigned char *(*)(void))place)() == place);
}

static void arena_tests(void)
{
	/* 16 bytes of int3, then the landing: mov %rcx, %rax; ret */
	unsigned char stubs[PAGE];
	int all = PROT_READ | PROT_WRITE | PROT_EXEC;
	struct vdso_fixup_hit hit;

	memset(stubs, 0xcc, sizeof(stubs));
	memcpy(stubs + 16, "\x48\x89\xc8\xc3", 4);
	CHECK(liblinux_arena_reserve(&arena, &fixups, 8 * GRANULE, 64, stubs, 20, 16, 0) == -EINVAL);
	CHECK(liblinux_arena_reserve(&arena, &fixups, 8 * GRANULE + PAGE, GRANULE, stubs, 20, 16, 0) == -EINVAL);
	CHECK(liblinux_arena_reserve(&arena, &fixups, 8 * GRANULE, GRANULE, stubs, 20, 20, 0) == -EINVAL);
	CHECK(liblinux_arena_reserve(&arena, &fixups, 8 * GRANULE, GRANULE, stubs, PAGE - 15, 16, 0) == -EINVAL);
	CHECK(liblinux_arena_reserve(&arena, &fixups, 8 * GRANULE, GRANULE, stubs, 20, 16, 4) == -EINVAL);
	CHECK(liblinux_arena_reserve(&arena, &fixups, 1ULL << 31, GRANULE, stubs, 20, 16, 0) == -EINVAL);
	CHECK(!liblinux_arena_reserve(&arena, &fixups, 8 * GRANULE, GRANULE, stubs, 20, 16, 0));
	CHECK(!liblinux_arena_commit(&arena, GRANULE, 2 * GRANULE, all));
	place = arena.body + 2 * GRANULE - 4;
	write_code();
	run_code();
	/* As HotSpot commits: on top, without a word. */
	place = arena.body + 4 * GRANULE;
	CHECK(mmap(place, GRANULE, all, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == place);
	write_code();
	CHECK(dies(run_code));
	CHECK(!liblinux_arena_cover(&arena, 4 * GRANULE, GRANULE));
	run_code();
	CHECK(!liblinux_arena_uncover(&arena, 4 * GRANULE, GRANULE) && dies(run_code));
	CHECK(!liblinux_arena_cover(&arena, 4 * GRANULE, GRANULE));
	CHECK(!liblinux_arena_decommit(&arena, 4 * GRANULE, GRANULE) && dies(run_code));
	CHECK(liblinux_arena_cover(&arena, 0, 9 * GRANULE) == -EINVAL && liblinux_arena_cover(&arena, 0, 0) == -EINVAL);
	CHECK(liblinux_arena_cover(&arena, PAGE, GRANULE) == -EINVAL && liblinux_arena_uncover(&arena, 0, PAGE) == -EINVAL);
	CHECK(liblinux_fixups_mark(&fixups, &arena.dso, arena.dso.text_start - 1, 2) == -EINVAL);
	CHECK(liblinux_fixups_mark(&fixups, &arena.dso, arena.dso.text_start, arena.dso.text_len + 1) == -EINVAL);
	CHECK(!liblinux_fixups_mark(&fixups, &arena.dso, arena.dso.text_start, arena.dso.text_len));
	CHECK(!liblinux_image_call(image, "__vdso_fixup_lookup", liblinux_fixups_area(&fixups), (uint64_t)arena.body + GRANULE,
				   (uint64_t)&hit, 0, 0, 0) && hit.text_start == arena.dso.text_start);
	CHECK(!liblinux_arena_release(&arena));
	CHECK(liblinux_image_call(image, "__vdso_fixup_lookup", liblinux_fixups_area(&fixups), (uint64_t)arena.body + GRANULE,
				  (uint64_t)&hit, 0, 0, 0) == -ENOENT);
	CHECK(liblinux_arena_release(&arena) == -ENOENT);
}

JOINED(arena)

/* What an engine's code loads in place of what it wants, and how often it faulted. */
struct engine {
	uint64_t value;
	int landings;
};

static int on_fault(struct vdso_fixup_frame *frame, void *cookie)
{
	struct engine *engine = (struct engine *)cookie;

	engine->landings++;
	if (!engine->value)
		return LIBLINUX_DECLINE;
	frame->rax = engine->value;
	frame->ip += 8;
	return LIBLINUX_RESUME;
}

LIBLINUX_FRAME_HANDLER(handled, on_fault);

/* Two arenas with one function and a cookie each. */
static void cookie_tests(void)
{
	static struct engine engines[2] = { { 7, 0 }, { 0x123456789abcdef, 0 } };
	unsigned char stub[LIBLINUX_FRAME_STUB];
	struct liblinux_arena arenas[2];
	int i, j;

	CHECK(!liblinux_frame_prepare(image));
	for (i = 0; i < 2; i++) {
		liblinux_frame_stub(stub, handled, &engines[i]);
		CHECK(!liblinux_arena_reserve(&arenas[i], &fixups, PAGE, PAGE, stub, sizeof(stub), 0, VDSO_FIXUP_FRAME));
		CHECK(!liblinux_arena_commit(&arenas[i], 0, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC));
		place = arenas[i].body;
		write_code();
		for (j = 1; j < 4; j++)
			CHECK(((uint64_t (*)(void))place)() == engines[i].value && engines[i].landings == j);
	}
	CHECK(engines[0].landings == 3);
	engines[1].value = 0;
	CHECK(dies(run_code));
	CHECK(!liblinux_arena_release(&arenas[0]) && !liblinux_arena_release(&arenas[1]));
}

JOINED(cookie)

int main(int count, char **arguments)
{
	void (*const tests[])(void) = { entry_tests, joined_arena, joined_cookie };

	return count == 2 ? run_tests(arguments[1], tests, 3) : 2;
}
