/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * liblinux/registry.h - the registry of exception fixups that all DSOs of a process share, whatever they are written in.
 *
 * guard.h includes this where LIBLINUX_FIXUPS is defined. Where the kernel consults no areas, a handler of SIGSEGV, SIGBUS,
 * SIGILL and SIGFPE does, and passes on what is nobody's; the Rust crate (vdso/client/src/fixup) says how libraries
 * find each other, and what comes of it when a seccomp filter refuses the calls that have no number. One that kills for
 * them kills in liblinux_fixups_join() and liblinux_fixups_register(): call these before. What is registered stays so.
 */
#ifndef LIBLINUX_REGISTRY_H
#define LIBLINUX_REGISTRY_H

#if !defined(__x86_64__) || !defined(__LP64__)
#error "liblinux is for 64-bit x86-64 Linux programs: compile without -m32, -mx32 and cross compilers for others"
#else

#include "fixup.h"
#include "handler.h"
#include "resolve.h"

/* Bytes of the first area of a process: room for 127 DSOs. */
#define LIBLINUX_FIRST_SIZE (4 * 4096)

#ifdef __cplusplus
extern "C" {
#endif

/* The kernel's struct sigaction. */
struct liblinux_action {
	uint64_t handler, flags, restorer, mask;
};

/* The data of the handler's pages, as handler.s has them. */
struct liblinux_handler_data {
	uint64_t area, dispatch, rt_sigaction, rt_sigprocmask, rt_tgsigqueueinfo, getpid, gettid, free;
	struct liblinux_action previous[32];
};

/* The registry of this process. */
struct liblinux_fixups {
	const void *image;
	/* The area when this joined. Where the registry moved from there, the image finds the way. */
	uint64_t joined;
	/* The first of the handler's pages; a null pointer where the kernel consulted the area when this joined. */
	unsigned char *pages;
};

/* Where new registrations go. */
struct liblinux_place {
	uint64_t area;
	unsigned char *pages;	/* the handler that leads there, if one does */
	int is_consulted;	/* whether the kernel consults it */
};

/* Calls a function of the image; -ENOSYS if it has none of this name. */
static inline long liblinux_image_call(const void *image, const char *name, uint64_t a, uint64_t b, uint64_t c,
				       uint64_t d, uint64_t e, uint64_t f)
{
	void *entry = liblinux_symbol(image, name);

	if (!entry)
		return -38;
	return ((long (*)(uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t))(unsigned long)entry)(a, b, c, d, e, f);
}

static inline uint64_t liblinux_map(const void *image, uint64_t size)
{
	/* PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS */
	return (uint64_t)liblinux_image_call(image, "__vdso_mmap", 0, size, 3, 0x22, (uint64_t)-1, 0);
}

/* Maps an area of SIZE bytes; its address, or -errno. */
static inline long liblinux_make_area(const void *image, uint64_t size)
{
	uint64_t area = liblinux_map(image, size), capacity = (size - VDSO_FIXUP_HEADER_SIZE) / VDSO_FIXUP_DSO_SIZE;
	long result;

	if (area > (uint64_t)-4096)
		return (long)area;
	if (capacity > VDSO_FIXUP_MAX_CAPACITY)
		capacity = VDSO_FIXUP_MAX_CAPACITY;
	result = liblinux_image_call(image, "__vdso_fixup_init", area, size, capacity, 0, 0, 0);
	return result ? result : (long)area;
}

static inline struct liblinux_handler_data *liblinux_pages_data(unsigned char *pages)
{
	return (struct liblinux_handler_data *)(pages + 4096);
}

/* Address of the area that the handler consults. */
static inline uint64_t liblinux_pages_lead(unsigned char *pages)
{
	return __atomic_load_n(&liblinux_pages_data(pages)->area, __ATOMIC_ACQUIRE);
}

/* Leads to another area, if nobody else did in the meantime. Pairs with the load above, and with the handler's. */
static inline void liblinux_pages_follow(unsigned char *pages, uint64_t old, uint64_t area)
{
	__atomic_compare_exchange_n(&liblinux_pages_data(pages)->area, &old, area, 0, __ATOMIC_RELEASE, __ATOMIC_RELAXED);
}

/* The pages of a handler, if it is one of ours. A handler is code, so its page is there. */
static unsigned char *liblinux_pages_of(uint64_t handler)
{
	unsigned char *pages = (unsigned char *)(handler - 16);
	int i;

	if (handler < 4096 || handler % 4096 != 16)
		return 0;
	for (i = 0; i < 16; i++)
		if (pages[i] != liblinux_handler_page[i])
			return 0;
	return pages;
}

static long liblinux_sigaction(const void *image, int number, const struct liblinux_action *set, struct liblinux_action *get)
{
	return liblinux_image_call(image, "__vdso_rt_sigaction", (uint64_t)number, (uint64_t)set, (uint64_t)get, 8, 0, 0);
}

/* Makes the handler's pages and installs it; 0 or -errno. */
static long liblinux_pages_install(struct liblinux_fixups *fixups, uint64_t area)
{
	/* SIGILL, SIGBUS, SIGFPE, SIGSEGV: the one by which the pages are found is the last. */
	static const int numbers[] = {4, 7, 8, 11};
	const void *image = fixups->image;
	struct liblinux_handler_data *data;
	struct liblinux_action ours, replaced;
	unsigned char *pages;
	unsigned long i;
	long result;

	pages = (unsigned char *)liblinux_map(image, 8192);
	if ((uint64_t)pages > (uint64_t)-4096)
		return (long)pages;
	for (i = 0; i < (unsigned long)(liblinux_handler_end - liblinux_handler_page); i++)
		pages[i] = liblinux_handler_page[i];
	data = liblinux_pages_data(pages);
	data->area = area;
	data->dispatch = (uint64_t)liblinux_symbol(image, "__vdso_fixup_dispatch");
	data->rt_sigaction = (uint64_t)liblinux_symbol(image, "__vdso_rt_sigaction");
	data->rt_sigprocmask = (uint64_t)liblinux_symbol(image, "__vdso_rt_sigprocmask");
	data->rt_tgsigqueueinfo = (uint64_t)liblinux_symbol(image, "__vdso_rt_tgsigqueueinfo");
	data->getpid = (uint64_t)liblinux_symbol(image, "__vdso_getpid");
	data->gettid = (uint64_t)liblinux_symbol(image, "__vdso_gettid");
	ours.handler = (uint64_t)pages + 16;
	/* SA_SIGINFO | SA_RESTORER | SA_ONSTACK | SA_NODEFER */
	ours.flags = 4 | 0x04000000 | 0x08000000 | 0x40000000;
	ours.restorer = (uint64_t)liblinux_symbol(image, "__vdso_rt_sigreturn");
	ours.mask = 0;
	if (!data->dispatch || !data->rt_sigaction || !data->rt_sigprocmask || !data->rt_tgsigqueueinfo ||
	    !data->getpid || !data->gettid || !ours.restorer)
		return -38;
	for (i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		result = liblinux_sigaction(image, numbers[i], 0, &data->previous[numbers[i]]);
		if (result)
			return result;
	}
	/* PROT_READ | PROT_EXEC */
	result = liblinux_image_call(image, "__vdso_mprotect", (uint64_t)pages, 4096, 5, 0, 0, 0);
	for (i = 0; !result && i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		result = liblinux_sigaction(image, numbers[i], &ours, &replaced);
		data->previous[numbers[i]] = replaced;
	}
	/* A handler of ours that came in between stays the predecessor; both lead to the area of whoever came first. */
	if (!result && liblinux_pages_of(replaced.handler))
		liblinux_pages_follow(pages, area, liblinux_pages_lead(liblinux_pages_of(replaced.handler)));
	fixups->pages = pages;
	return result;
}

/* The pages of the handler that is installed, or of a new one that leads to AREA, 0 for a new area; 0 or -errno. */
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
		result = liblinux_make_area(fixups->image, LIBLINUX_FIRST_SIZE);
		if (result < 0)
			return result;
		area = (uint64_t)result;
	}
	return liblinux_pages_install(fixups, area);
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
		/* A filter refuses the call since this joined. Somebody's handler may stand in already. */
		if (!liblinux_sigaction(fixups->image, 11, 0, &action))
			place.pages = liblinux_pages_of(action.handler);
	}
	if (place.pages)
		place.area = liblinux_pages_lead(place.pages);
	return place;
}

/* The area that new registrations go to. */
static inline uint64_t liblinux_fixups_area(const struct liblinux_fixups *fixups)
{
	return liblinux_fixups_place(fixups).area;
}

/* Moves the registry to a larger area, to which PLACE goes; 0 or -errno. Whoever moved it first wins: the old area leads there. */
static inline long liblinux_fixups_grow(const struct liblinux_fixups *fixups, struct liblinux_place *place)
{
	uint64_t old = place->area, capacity = ((const struct vdso_fixup_area *)old)->capacity, size;
	long area, result = -28;

	while (capacity < VDSO_FIXUP_MAX_CAPACITY) {
		capacity *= 2;
		size = (VDSO_FIXUP_HEADER_SIZE + capacity * VDSO_FIXUP_DSO_SIZE + 4095) & ~4095ULL;
		area = liblinux_make_area(fixups->image, size);
		if (area < 0)
			return area;
		result = liblinux_image_call(fixups->image, "__vdso_fixup_grow", old, (uint64_t)area, size, 0, 0, 0);
		if (!result) {
			if (place->pages)
				liblinux_pages_follow(place->pages, old, (uint64_t)area);
			place->area = (uint64_t)area;
			return 0;
		}
		liblinux_image_call(fixups->image, "__vdso_munmap", (uint64_t)area, size, 0, 0, 0, 0);
		/* -EINVAL: the registry may be in an area by now that is larger than ours. */
		if (result != -22)
			return result;
	}
	return result;
}

/* Removes the registration of the text that starts at an address; 0 or -errno. */
static inline long liblinux_fixups_unregister(const struct liblinux_fixups *fixups, uint64_t text_start)
{
	long result = liblinux_image_call(fixups->image, "__vdso_fixup_unregister", fixups->joined, text_start, 0, 0, 0, 0);

	/* -ENOENT: a handler may have brought another area. Otherwise the kernel is not asked, which a filter might punish. */
	if (result == -2)
		result = liblinux_image_call(fixups->image, "__vdso_fixup_unregister", liblinux_fixups_area(fixups), text_start,
					     0, 0, 0, 0);
	return result;
}

/* Registers where new registrations go, which becomes PLACE; 0 or -errno. */
static inline long liblinux_fixups_enter(const struct liblinux_fixups *fixups, const struct vdso_fixup_dso *dso,
					 struct liblinux_place *place)
{
	*place = liblinux_fixups_place(fixups);
	for (;;) {
		long result = liblinux_image_call(fixups->image, "__vdso_fixup_register", place->area, (uint64_t)dso, 0, 0, 0, 0);

		if (result != -28)
			return result;
		result = liblinux_fixups_grow(fixups, place);
		if (result)
			return result;
	}
}

/*
 * Registers a text and its table; 0 or -errno. A full registry moves to a larger area.
 *
 * Faults of a text that the kernel did not mark, because a filter has come that refuses this, meet a signal handler, which
 * is installed for it. Where a filter refuses that as well, this fails with what it says.
 */
static inline long liblinux_fixups_register(const struct liblinux_fixups *fixups, const struct vdso_fixup_dso *dso)
{
	struct liblinux_fixups other = *fixups;
	struct liblinux_place place, unused;
	long result = liblinux_fixups_enter(fixups, dso, &place);

	if (result || fixups->pages)
		return result;
	/* Registering asked for the mark and dropped the answer, which is the same once more. */
	if (place.is_consulted && !liblinux_image_call(fixups->image, "__vdso_fixup_mark", dso->text_start, dso->text_len, 0, 0, 0, 0))
		return 0;
	result = liblinux_fixups_handle(&other, place.area);
	if (!result && liblinux_pages_lead(other.pages) == place.area)
		return 0;
	/* A handler of somebody who could not ask the kernel for our area. Ours may have led there: -EEXIST. */
	if (!result)
		result = liblinux_fixups_enter(&other, dso, &unused);
	if (result == -17)
		return 0;
	liblinux_image_call(fixups->image, "__vdso_fixup_unregister", place.area, dso->text_start, 0, 0, 0, 0);
	return result;
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
		area = liblinux_make_area(image, LIBLINUX_FIRST_SIZE);
		if (area < 0)
			return area;
		result = liblinux_image_call(image, "__vdso_fixup_attach", (uint64_t)area, LIBLINUX_FIRST_SIZE, 0, 0, 0, 0);
		if (!result) {
			fixups->joined = (uint64_t)area;
			return 0;
		}
		liblinux_image_call(image, "__vdso_munmap", (uint64_t)area, LIBLINUX_FIRST_SIZE, 0, 0, 0, 0);
		/* -EBUSY: somebody else's is attached by now. Anything else: no kernel for this. */
		if (result == -16)
			result = liblinux_query(image, &attached);
	}
	if (!result) {
		fixups->joined = attached.area;
		return 0;
	}
	result = liblinux_fixups_handle(fixups, 0);
	if (!result)
		fixups->joined = liblinux_pages_lead(fixups->pages);
	return result;
}

/* The linker defines these in each DSO. */
extern const unsigned char liblinux_ehdr[] __asm__("__ehdr_start") __attribute__((visibility("hidden")));
extern const struct vdso_fixup_entry liblinux_table[] __asm__("__start_fixup_table") __attribute__((visibility("hidden"), weak));
extern const struct vdso_fixup_entry liblinux_table_end[] __asm__("__stop_fixup_table") __attribute__((visibility("hidden"), weak));

/* The running DSO: its executable segment, which CODE is in, and its table. 0 if it has no fixups. */
static inline int liblinux_own_dso(struct vdso_fixup_dso *dso, uint64_t code)
{
	const unsigned char *header = liblinux_ehdr + *(const uint64_t *)(liblinux_ehdr + 32);
	unsigned int count = *(const uint16_t *)(liblinux_ehdr + 56);
	uint64_t bias = (uint64_t)liblinux_ehdr;

	if (&liblinux_table[0] == &liblinux_table_end[0])
		return 0;
	for (; count--; header += 56) {
		const uint32_t *words = (const uint32_t *)header;
		const uint64_t *fields = (const uint64_t *)header;

		if (words[0] != 1 /* PT_LOAD */)
			continue;
		/* Segments ascend; the ELF header is at offset 0 of the file. */
		if (!fields[1])
			bias -= fields[2];
		dso->text_start = bias + fields[2];
		dso->text_len = fields[5];
		if ((words[1] & 1 /* PF_X */) && code - dso->text_start < dso->text_len) {
			dso->table = (uint64_t)liblinux_table;
			dso->count = (uint64_t)(liblinux_table_end - liblinux_table);
			return 1;
		}
	}
	return 0;
}

/* Registers the running DSO; 0 or -errno (-ENOENT if it has no fixups, -EEXIST if it is registered). */
static inline long liblinux_fixups_register_own(const struct liblinux_fixups *fixups, struct vdso_fixup_dso *own)
{
	if (!liblinux_own_dso(own, (uint64_t)&liblinux_pages_install))
		return -2;
	return liblinux_fixups_register(fixups, own);
}

#ifdef __cplusplus
}
#endif

#endif /* x86-64 */

#endif /* LIBLINUX_REGISTRY_H */
