/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * liblinux/arena.h - memory for code that is made at run time, with the same faults caught on every
 * kernel.
 *
 * An arena is one text with one landing, in which parts come and go: code that is committed is
 * covered, the rest is not. A compiler that registers its memory as a whole and then maps on top of
 * it (mmap with MAP_FIXED) has two outcomes without this: the patched kernel takes the new mapping
 * for other text, and a handler cannot see that it is new. So the arena covers nothing by itself:
 * liblinux_arena_cover() has the kernel mark the mapping, and then covers it. A range that was not
 * covered is an ordinary fault, under the kernel and under a handler. The guide is in
 * vdso/fixup/README.md, an example is vdso/client/examples/jit.c.
 *
 * 	head, a page: stubs | body: granules of code | tail, a page of zeros | the table
 *
 * head, body and tail are the text. Head and tail are there for as long as the arena is: the first
 * and last bytes of a text are its fingerprint. The table has one entry for each granule, whose
 * length is 0 unless it is covered, and an entry for the last byte of head and of tail each,
 * because the first and the last entry belong to the fingerprint, too.
 */
#ifndef LIBLINUX_ARENA_H
#define LIBLINUX_ARENA_H

#if !defined(__x86_64__) || !defined(__LP64__)
#error "liblinux is for 64-bit x86-64 Linux programs: compile without -m32, -mx32 and cross compilers for others"
#else

#include "registry.h"

#define LIBLINUX_ARENA_PAGE 4096UL

#ifdef __cplusplus
extern "C" {
#endif

struct liblinux_arena {
	struct liblinux_fixups fixups;
	struct vdso_fixup_dso dso;	/* the text and its table */
	unsigned char *head, *body;	/* the stubs, and the first granule */
	uint64_t len, granule;		/* bytes of the body and of each granule */
};

static inline long liblinux_arena_protect(const struct liblinux_arena *arena, const void *start, uint64_t len, int protection)
{
	return liblinux_image_call(arena->fixups.image, "__vdso_mprotect", (uint64_t)start, len, (uint64_t)protection, 0, 0, 0);
}

/* Maps on top of a range of the body: private memory of zeros. */
static inline long liblinux_arena_map(const struct liblinux_arena *arena, uint64_t start, uint64_t len, int protection,
				      uint64_t flags)
{
	/* MAP_PRIVATE | MAP_FIXED | MAP_ANONYMOUS */
	long result = liblinux_image_call(arena->fixups.image, "__vdso_mmap", (uint64_t)arena->body + start, len,
					  (uint64_t)protection, 0x32 | flags, (uint64_t)-1, 0);

	return result < 0 && result > -4096 ? result : 0;
}

/* Whether a range is of whole granules of the body. */
static inline int liblinux_arena_has(const struct liblinux_arena *arena, uint64_t start, uint64_t len)
{
	return len && start % arena->granule == 0 && len % arena->granule == 0 && start < arena->len &&
	       len <= arena->len - start;
}

/*
 * Sets how much of each granule of a range is covered: all, or nothing. Readers see each length
 * change at once.
 */
static inline void liblinux_arena_set(const struct liblinux_arena *arena, uint64_t start, uint64_t len, uint64_t covered)
{
	struct vdso_fixup_entry *entry = (struct vdso_fixup_entry *)arena->dso.table + 1 + start / arena->granule;

	for (; len; len -= arena->granule, entry++)
		__atomic_store_n(&entry->len, (uint32_t)covered, __ATOMIC_RELEASE);
}

/*
 * Covers whole granules, as they are mapped now; 0 or -errno. To be called after each mapping that
 * the program itself makes on top.
 */
static inline long liblinux_arena_cover(const struct liblinux_arena *arena, uint64_t start, uint64_t len)
{
	long result;

	if (!liblinux_arena_has(arena, start, len))
		return -22;
	result = liblinux_fixups_mark(&arena->fixups, &arena->dso, (uint64_t)arena->body + start, len);
	if (!result)
		liblinux_arena_set(arena, start, len, arena->granule);
	return result;
}

/* Covers a range no longer: before something is mapped on top of it. 0 or -errno. */
static inline long liblinux_arena_uncover(const struct liblinux_arena *arena, uint64_t start, uint64_t len)
{
	if (!liblinux_arena_has(arena, start, len))
		return -22;
	liblinux_arena_set(arena, start, len, 0);
	return 0;
}

/*
 * Gives a range new memory with this protection (PROT_READ ...), and covers it; 0 or -errno.
 * mprotect() may follow.
 */
static inline long liblinux_arena_commit(const struct liblinux_arena *arena, uint64_t start, uint64_t len, int protection)
{
	long result = liblinux_arena_uncover(arena, start, len);

	if (!result)
		result = liblinux_arena_map(arena, start, len, protection, 0);
	return result ? result : liblinux_arena_cover(arena, start, len);
}

/* Takes the memory of a range away; its addresses stay the arena's. 0 or -errno. */
static inline long liblinux_arena_decommit(const struct liblinux_arena *arena, uint64_t start, uint64_t len)
{
	long result = liblinux_arena_uncover(arena, start, len);

	/* PROT_NONE, MAP_NORESERVE */
	return result ? result : liblinux_arena_map(arena, start, len, 0, 0x4000);
}

/* Ends the registration and unmaps everything; 0 or -errno. No code of the arena may run. */
static inline long liblinux_arena_release(const struct liblinux_arena *arena)
{
	uint64_t size = arena->dso.text_len + arena->dso.count * sizeof(struct vdso_fixup_entry);
	long result = liblinux_fixups_unregister(&arena->fixups, arena->dso.text_start);

	return result ? result : liblinux_image_call(arena->fixups.image, "__vdso_munmap", (uint64_t)arena->head,
						     (size + LIBLINUX_ARENA_PAGE - 1) & ~(LIBLINUX_ARENA_PAGE - 1), 0, 0, 0, 0);
}

/*
 * Fills the table of an arena that is laid out: everything is covered, since registration takes no
 * empty entries.
 */
static inline long liblinux_arena_fill(const struct liblinux_arena *arena, uint64_t landing, uint32_t flags)
{
	struct vdso_fixup_entry *entry = (struct vdso_fixup_entry *)arena->dso.table;
	uint64_t start = (uint64_t)arena->body, end = start + arena->len, to = (uint64_t)arena->head + landing;
	uint64_t tail = arena->dso.text_start + arena->dso.text_len;
	long result = liblinux_fixup_entry(entry, (uint64_t)entry, start - 1, start, to, flags);

	for (entry++; !result && start < end; start += arena->granule, entry++)
		result = liblinux_fixup_entry(entry, (uint64_t)entry, start, start + arena->granule, to, flags);
	return result ? result : liblinux_fixup_entry(entry, (uint64_t)entry, tail - 1, tail, to, flags);
}

/*
 * Reserves an arena for LEN bytes of code in granules of GRANULE bytes, a multiple of the page; 0
 * or -errno, -EINVAL for sizes that do not fit each other, for stubs of 4,080 bytes and more, and
 * for 2 GiB and more in all.
 *
 * The first page gets the SIZE bytes of STUBS, which is code that runs wherever it is. A fault of
 * covered code lands at the offset LANDING in it.
 */
static inline long liblinux_arena_reserve(struct liblinux_arena *arena, const struct liblinux_fixups *fixups, uint64_t len,
					  uint64_t granule, const void *stubs, uint64_t size, uint64_t landing, uint32_t flags)
{
	const uint64_t page = LIBLINUX_ARENA_PAGE;
	uint64_t count, total, i;
	long result;

	if (!granule || granule % page || !len || len % granule || len >> 31 || size > page - 16 || landing >= size)
		return -22;
	count = len / granule + 2;
	total = page + len + page + ((count * sizeof(struct vdso_fixup_entry) + page - 1) & ~(page - 1));
	if (total >> 31)
		return -22;
	/* PROT_NONE; MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE */
	result = liblinux_image_call(fixups->image, "__vdso_mmap", 0, total, 0, 0x4022, (uint64_t)-1, 0);
	if (result < 0 && result > -4096)
		return result;
	arena->fixups = *fixups;
	arena->head = (unsigned char *)result;
	arena->body = arena->head + page;
	arena->len = len;
	arena->granule = granule;
	arena->dso.text_start = (uint64_t)arena->head;
	arena->dso.text_len = page + len + page;
	arena->dso.table = arena->dso.text_start + arena->dso.text_len;
	arena->dso.count = count;
	/* PROT_READ, PROT_WRITE and PROT_EXEC are 1, 2 and 4. */
	result = liblinux_arena_protect(arena, arena->head, page, 3);
	if (!result)
		result = liblinux_arena_protect(arena, (void *)arena->dso.table, arena->head + total - (unsigned char *)arena->dso.table, 3);
	for (i = 0; !result && i < size; i++)
		arena->head[i] = ((const unsigned char *)stubs)[i];
	if (!result)
		result = liblinux_arena_protect(arena, arena->head, page, 5);
	if (!result)
		result = liblinux_arena_protect(arena, arena->body + len, page, 1);
	if (!result)
		result = liblinux_arena_fill(arena, landing, flags);
	if (!result)
		result = liblinux_fixups_register(fixups, &arena->dso);
	if (result)
		liblinux_image_call(fixups->image, "__vdso_munmap", (uint64_t)arena->head, total, 0, 0, 0, 0);
	else
		liblinux_arena_set(arena, 0, len, 0);
	return result;
}

#ifdef __cplusplus
}
#endif

#endif /* x86-64 */

#endif /* LIBLINUX_ARENA_H */
