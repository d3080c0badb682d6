/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * liblinux/registry.h - the registry of exception fixups that all DSOs of a process share, whatever
 * they are written in.
 *
 * guard.h includes this where LIBLINUX_FIXUPS is defined. Where the kernel consults no areas, a
 * handler of SIGSEGV, SIGBUS, SIGILL and SIGFPE does, and passes on signals without a fixup; the
 * Rust crate (vdso/client/src/fixup) says how libraries find each other, and what happens when a
 * seccomp filter refuses private calls. A filter that kills on unknown numbers kills in
 * liblinux_fixups_join() and liblinux_fixups_register(): call these before. Registrations last.
 */
#ifndef LIBLINUX_REGISTRY_H
#define LIBLINUX_REGISTRY_H

#if !defined(__x86_64__) || !defined(__LP64__)
#error "liblinux is for 64-bit x86-64 Linux programs: compile without -m32, -mx32 and cross compilers for others"
#else

#include "fixup.h"
#include "pages.h"

/* Bytes of the pages of an area for so many DSOs. They take no memory before they are used. */
#define LIBLINUX_AREA_PAGES(capacity) ((VDSO_FIXUP_AREA_SIZE(capacity) + 4095) / 4096 * 4096)

/* The first area of a process: how many DSOs it has room for, and its bytes. */
#define LIBLINUX_FIRST_CAPACITY 135
#define LIBLINUX_FIRST_SIZE LIBLINUX_AREA_PAGES(LIBLINUX_FIRST_CAPACITY)

#ifdef __cplusplus
extern "C" {
#endif

/* The registry of this process. */
struct liblinux_fixups {
	const void *image;
	/*
	 * The area when this joined. Where the registry moved from there, the image finds the way.
	 */
	uint64_t joined;
	/*
	 * The first of the handler's pages; a null pointer where the kernel consulted the area when
	 * this joined.
	 */
	unsigned char *pages;
};

/* Where new registrations go. */
struct liblinux_place {
	uint64_t area;
	unsigned char *pages;	/* the handler that leads there, if one does */
	int is_consulted;	/* whether the kernel consults it */
};

/* Maps an area of SIZE bytes, for CAPACITY DSOs; its address, or -errno. */
static inline long liblinux_make_area(const void *image, uint64_t size, uint64_t capacity)
{
	uint64_t area = liblinux_map(image, size);
	long result;

	if (area > (uint64_t)-4096)
		return (long)area;
	result = liblinux_image_call(image, "__vdso_fixup_init", area, size, capacity, 0, 0, 0);
	return result ? result : (long)area;
}

/*
 * The pages of the handler that is installed, or of a new one that leads to AREA, 0 for a new area;
 * 0 or -errno.
 */
static inline long liblinux_fixups_handle(struct liblinux_fixups *fixups, uint64_t area)
{
	struct liblinux_action action;
	long result = liblinux_sigaction(fixups->image, 11, 0, &action);

	if (result)
		return result;
	fixups->pages = liblinux_pages_of(action.handler);
	if (fixups->pages)
		return 0;
	if (!area) {
		result = liblinux_make_area(fixups->image, LIBLINUX_FIRST_SIZE, LIBLINUX_FIRST_CAPACITY);
		if (result < 0)
			return result;
		area = (uint64_t)result;
	}
	return liblinux_pages_install(fixups->image, area, &fixups->pages);
}

/* The area that the kernel has; 0 or -errno. */
static inline long liblinux_query(const void *image, struct vdso_fixup_attached *attached)
{
	long result;

	attached->area = 0;
	result = liblinux_image_call(image, "__vdso_fixup_query", (uint64_t)attached, 0, 0, 0, 0, 0);
	/* An answer that wrote nothing is a filter's: -ENOSYS. */
	return !result && !attached->area ? -38 : result;
}

static inline struct liblinux_place liblinux_fixups_place(const struct liblinux_fixups *fixups)
{
	struct liblinux_place place = {fixups->joined, fixups->pages, 0};
	struct vdso_fixup_attached attached;
	struct liblinux_action action;

	if (!place.pages) {
		if (!liblinux_query(fixups->image, &attached)) {
			place.area = attached.area;
			place.is_consulted = 1;
			return place;
		}
		/*
		 * A filter refuses the call since this joined. A handler of another library may
		 * stand in already.
		 */
		if (!liblinux_sigaction(fixups->image, 11, 0, &action))
			place.pages = liblinux_pages_of(action.handler);
	}
	if (place.pages)
		place.area = liblinux_pages_consulted(place.pages);
	return place;
}

/* The area that new registrations go to. */
static inline uint64_t liblinux_fixups_area(const struct liblinux_fixups *fixups)
{
	return liblinux_fixups_place(fixups).area;
}

/*
 * Moves the registry to a larger area than one for CAPACITY DSOs, which becomes that of the new
 * one; 0 or -errno. PLACE goes there, or stays if another thread was faster: that area leads to the
 * registry.
 */
static inline long liblinux_fixups_grow(const struct liblinux_fixups *fixups, struct liblinux_place *place,
					uint64_t *capacity)
{
	uint64_t old = place->area, size;
	long area, result = -28;

	while (*capacity < VDSO_FIXUP_MAX_CAPACITY) {
		*capacity *= 2;
		if (*capacity > VDSO_FIXUP_MAX_CAPACITY)
			*capacity = VDSO_FIXUP_MAX_CAPACITY;
		size = LIBLINUX_AREA_PAGES(*capacity);
		area = liblinux_make_area(fixups->image, size, *capacity);
		if (area < 0)
			return area;
		result = liblinux_image_call(fixups->image, "__vdso_fixup_grow", old, (uint64_t)area, size, 0, 0, 0);
		if (!result) {
			if (place->pages)
				liblinux_pages_consult(place->pages, old, (uint64_t)area);
			place->area = (uint64_t)area;
			return 0;
		}
		liblinux_image_call(fixups->image, "__vdso_munmap", (uint64_t)area, size, 0, 0, 0, 0);
		if (result == -17)	/* -EEXIST */
			return 0;
		/*
		 * -EINVAL: so an older image says that the registry is in a larger area than the
		 * new one.
		 */
		if (result != -22)
			return result;
	}
	return result;
}

/* Removes the registration of the text that starts at an address; 0 or -errno. */
static inline long liblinux_fixups_unregister(const struct liblinux_fixups *fixups, uint64_t text_start)
{
	long result = liblinux_image_call(fixups->image, "__vdso_fixup_unregister", fixups->joined, text_start, 0, 0, 0, 0);

	/*
	 * -ENOENT: a handler may have brought another area. Otherwise the kernel is not asked,
	 * which a filter might punish.
	 */
	if (result == -2)
		result = liblinux_image_call(fixups->image, "__vdso_fixup_unregister", liblinux_fixups_area(fixups), text_start,
					     0, 0, 0, 0);
	return result;
}

/* Registers where new registrations go, which becomes PLACE; 0 or -errno. */
static inline long liblinux_fixups_enter(const struct liblinux_fixups *fixups, const struct vdso_fixup_dso *dso,
					 struct liblinux_place *place)
{
	uint64_t capacity;

	*place = liblinux_fixups_place(fixups);
	capacity = ((const struct vdso_fixup_area *)place->area)->capacity;
	for (;;) {
		long result = liblinux_image_call(fixups->image, "__vdso_fixup_register", place->area, (uint64_t)dso, 0, 0, 0, 0);

		if (result != -28)
			return result;
		result = liblinux_fixups_grow(fixups, place, &capacity);
		if (result)
			return result;
	}
}

/*
 * Has a handler look up a text that the kernel does not know, and that was registered in AREA; 0 or
 * -errno.
 */
static inline long liblinux_fixups_stand_in(const struct liblinux_fixups *fixups, const struct vdso_fixup_dso *dso,
					    uint64_t area)
{
	struct liblinux_fixups other = *fixups;
	struct liblinux_place unused;
	long result = liblinux_fixups_handle(&other, area);

	if (result || liblinux_pages_consulted(other.pages) == area)
		return result;
	/* A handler of another library, which could not ask the kernel for this area. */
	result = liblinux_fixups_enter(&other, dso, &unused);
	if (result == -17)	/* -EEXIST: the registry moved there from AREA */
		return 0;
	if (!result)
		liblinux_image_call(fixups->image, "__vdso_fixup_unregister", area, dso->text_start, 0, 0, 0, 0);
	return result;
}

/*
 * Whether an answer to the question for a mark is the kernel's own, and not that of a filter in its
 * place.
 */
static inline int liblinux_is_kernels(long result)
{
	return result == -22 /* -EINVAL */ || result == -12 /* -ENOMEM */ || result == -4 /* -EINTR */;
}

/*
 * Registers a text and its table; 0 or -errno. A full registry moves to a larger area.
 *
 * Memory that the program maps upon later (MAP_FIXED) belongs in an arena (arena.h): registered
 * here, its faults would land under a handler alone.
 *
 * If the kernel cannot mark the text, nothing is registered, and the result is its error: -EINVAL
 * for part of a huge page (hugetlbfs), -ENOMEM for a hole in the text or a process that has as many
 * mappings as it may.
 *
 * Faults of a text that the kernel did not mark, because a filter has come that refuses this, meet
 * a signal handler, which is installed for it. Where a filter refuses that as well, this fails with
 * what it says.
 */
static inline long liblinux_fixups_register(const struct liblinux_fixups *fixups, const struct vdso_fixup_dso *dso)
{
	struct liblinux_place place;
	long result = liblinux_fixups_enter(fixups, dso, &place), marked = -38;

	if (result || fixups->pages)
		return result;
	/* Older images register and drop the answer to the mark, which is the same once more. */
	if (place.is_consulted)
		marked = liblinux_image_call(fixups->image, "__vdso_fixup_mark", dso->text_start, dso->text_len, 0, 0, 0, 0);
	if (!marked)
		return 0;
	result = liblinux_is_kernels(marked) ? marked : liblinux_fixups_stand_in(fixups, dso, place.area);
	if (result)
		liblinux_image_call(fixups->image, "__vdso_fixup_unregister", place.area, dso->text_start, 0, 0, 0, 0);
	return result;
}

/*
 * Marks part of a registered text anew; 0 or -errno. For a text in which a mapping was made on top
 * of another (MAP_FIXED, MREMAP_FIXED): the kernel takes such text for other text until it is
 * marked. Where a handler does the work, texts have no marks, and this succeeds at once. -EINVAL if
 * the range leaves the text.
 */
static inline long liblinux_fixups_mark(const struct liblinux_fixups *fixups, const struct vdso_fixup_dso *dso, uint64_t start,
					uint64_t len)
{
	long result;

	if (!len || start < dso->text_start || start - dso->text_start > dso->text_len ||
	    len > dso->text_len - (start - dso->text_start))
		return -22;
	if (fixups->pages)
		return 0;
	if (liblinux_fixups_place(fixups).is_consulted) {
		result = liblinux_image_call(fixups->image, "__vdso_fixup_mark", start, len, 0, 0, 0, 0);
		if (!result || liblinux_is_kernels(result))
			return result;
	}
	return liblinux_fixups_stand_in(fixups, dso, fixups->joined);
}

/*
 * Lets the calling thread's faults reach the handler that looks up fixups; 0 or -errno. BLOCKED
 * becomes what was blocked of SIGILL, SIGBUS, SIGFPE and SIGSEGV, for liblinux_fixups_reblock().
 *
 * A kernel with the series does not ask for the mask. Without it a fault is a signal, and one that
 * is blocked ends the process. So code with fixups that may run where these signals are blocked, in
 * a handler of SIGSEGV without SA_NODEFER above all, runs between the two. Both are safe in a
 * handler. A signal of the four that another process sent, and that waits, is delivered by the
 * first one.
 */
static inline long liblinux_fixups_unblock(const struct liblinux_fixups *fixups, uint64_t *blocked)
{
	/* Signal n is bit n - 1. */
	static const uint64_t faults = 1 << (4 - 1) | 1 << (7 - 1) | 1 << (8 - 1) | 1 << (11 - 1);
	uint64_t mask = 0;
	/* SIG_UNBLOCK */
	long result = liblinux_image_call(fixups->image, "__vdso_rt_sigprocmask", 1, (uint64_t)&faults, (uint64_t)&mask, 8, 0, 0);

	*blocked = result ? 0 : mask & faults;
	return result;
}

/* Blocks again what liblinux_fixups_unblock() found blocked; 0 or -errno. */
static inline long liblinux_fixups_reblock(const struct liblinux_fixups *fixups, uint64_t blocked)
{
	/* SIG_BLOCK */
	return blocked ? liblinux_image_call(fixups->image, "__vdso_rt_sigprocmask", 0, (uint64_t)&blocked, 0, 8, 0, 0) : 0;
}

/*
 * Fills an entry: a fault in [START, END) lands at LANDING. 0, -ERANGE where 32 bits do not lead
 * from the entry to both, -EINVAL for a range that is empty or for flags other than 0 and
 * VDSO_FIXUP_PLAIN or VDSO_FIXUP_FRAME.
 *
 * AT is the entry's address in the table that is registered, which another mapping of the same
 * memory may have.
 */
static inline long liblinux_fixup_entry(struct vdso_fixup_entry *entry, uint64_t at, uint64_t start, uint64_t end,
					uint64_t landing, uint32_t flags)
{
	int64_t to_start = (int64_t)(start - at), to_landing = (int64_t)(landing - (at + 8));

	if (start >= end || flags > VDSO_FIXUP_FRAME)
		return -22;
	if (to_start != (int32_t)to_start || to_landing != (int32_t)to_landing || end - start > 0xffffffff)
		return -34;
	entry->start = (int32_t)to_start;
	entry->len = (uint32_t)(end - start);
	entry->landing = (int32_t)to_landing;
	entry->flags = flags;
	return 0;
}

/* Joins the registry of this process, or begins one; 0 or -errno. */
static inline long liblinux_fixups_join(struct liblinux_fixups *fixups, const void *image)
{
	struct vdso_fixup_attached attached;
	long result, area;

	fixups->image = image;
	fixups->joined = 0;
	fixups->pages = 0;
	if (!image || !liblinux_symbol(image, "__vdso_fixup_query"))
		return -38;
	result = liblinux_query(image, &attached);
	if (result == -2) {
		/* The kernel knows areas, and has none of this process. */
		area = liblinux_make_area(image, LIBLINUX_FIRST_SIZE, LIBLINUX_FIRST_CAPACITY);
		if (area < 0)
			return area;
		result = liblinux_image_call(image, "__vdso_fixup_attach", (uint64_t)area, LIBLINUX_FIRST_SIZE, 0, 0, 0, 0);
		if (!result) {
			fixups->joined = (uint64_t)area;
			return 0;
		}
		liblinux_image_call(image, "__vdso_munmap", (uint64_t)area, LIBLINUX_FIRST_SIZE, 0, 0, 0, 0);
		/*
		 * -EBUSY: another thread has attached an area. Anything else: the kernel has no
		 * such call.
		 */
		if (result == -16)
			result = liblinux_query(image, &attached);
	}
	if (!result) {
		fixups->joined = attached.area;
		return 0;
	}
	result = liblinux_fixups_handle(fixups, 0);
	if (!result)
		fixups->joined = liblinux_pages_consulted(fixups->pages);
	return result;
}

#ifdef __cplusplus
}
#endif

#endif /* x86-64 */

#endif /* LIBLINUX_REGISTRY_H */
