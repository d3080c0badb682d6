/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * liblinux/own.h - what the running DSO knows of itself: its executable segments, and the table
 * that the linker put together.
 *
 * guard.h includes this where LIBLINUX_FIXUPS is defined. liblinux_fixups_register_own() is for a
 * DSO that registers itself when it wants to.
 */
#ifndef LIBLINUX_OWN_H
#define LIBLINUX_OWN_H

#if !defined(__x86_64__) || !defined(__LP64__)
#error "liblinux is for 64-bit x86-64 Linux programs: compile without -m32, -mx32 and cross compilers for others"
#else

#include "registry.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The linker defines these in each DSO. */
extern const unsigned char liblinux_ehdr[] __asm__("__ehdr_start") __attribute__((visibility("hidden")));
extern const struct vdso_fixup_entry liblinux_table[] __asm__("__start_fixup_table") __attribute__((visibility("hidden"), weak));
extern const struct vdso_fixup_entry liblinux_table_end[] __asm__("__stop_fixup_table") __attribute__((visibility("hidden"), weak));

/*
 * The next executable segment of the running DSO behind *INDEX program headers; 0 where there is
 * none.
 */
static inline int liblinux_own_segment(unsigned int *index, uint64_t *start, uint64_t *len)
{
	const unsigned char *headers = liblinux_ehdr + *(const uint64_t *)(liblinux_ehdr + 32);
	unsigned int count = *(const uint16_t *)(liblinux_ehdr + 56), i;
	uint64_t bias = (uint64_t)liblinux_ehdr;

	for (i = 0; i < count; i++) {
		const uint32_t *words = (const uint32_t *)(headers + 56 * i);
		const uint64_t *fields = (const uint64_t *)(headers + 56 * i);

		if (words[0] != 1 /* PT_LOAD */)
			continue;
		/* Segments ascend; the ELF header is at offset 0 of the file. */
		if (!fields[1])
			bias -= fields[2];
		if (i < *index || !(words[1] & 1 /* PF_X */))
			continue;
		*index = i + 1;
		*start = bias + fields[2];
		*len = fields[5];
		return 1;
	}
	return 0;
}

/* The address that a field of an entry stands for. */
static inline uint64_t liblinux_entry_address(const int32_t *field)
{
	return (uint64_t)field + (uint64_t)(int64_t)*field;
}

/* A copy of the running DSO's table in the order of its code, where the linker's is not. */
static const struct vdso_fixup_entry *liblinux_own_copy;

static inline const struct vdso_fixup_entry *liblinux_own_table(void)
{
	return liblinux_own_copy ? liblinux_own_copy : liblinux_table;
}

static inline unsigned long liblinux_own_count(void)
{
	return (unsigned long)(liblinux_table_end - liblinux_table);
}

static inline int liblinux_own_is_sorted(void)
{
	const struct vdso_fixup_entry *table = liblinux_own_table();
	unsigned long i;

	for (i = 1; i < liblinux_own_count(); i++)
		if (liblinux_entry_address(&table[i].start) < liblinux_entry_address(&table[i - 1].start))
			return 0;
	return 1;
}

/* Memory behind the DSO, where the 32 bits of an entry reach its code from; its address, or 0. */
static inline uint64_t liblinux_map_near(const void *image, uint64_t size)
{
	const uint64_t step = 16 << 20;
	uint64_t place = ((uint64_t)liblinux_table_end & ~(step - 1)) + step, area, i;

	for (i = 0; i < 64; i++, place += step) {
		/*
		 * PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, which
		 * kernels before 4.17 ignore
		 */
		area = (uint64_t)liblinux_image_call(image, "__vdso_mmap", place, size, 3, 0x100022, (uint64_t)-1, 0);
		if (area == place)
			return area;
		if (area <= (uint64_t)-4096)
			liblinux_image_call(image, "__vdso_munmap", area, size, 0, 0, 0, 0);
	}
	return 0;
}

/* Some linkers lose the order of the table (gold, `ld -r`): a copy is sorted. 0 or -errno. */
static inline long liblinux_own_sort(const void *image)
{
	uint64_t size = (liblinux_own_count() * sizeof(struct vdso_fixup_entry) + 4095) & ~(uint64_t)4095, start, landing;
	struct vdso_fixup_entry *copy;
	unsigned long i, to;

	if (liblinux_own_is_sorted())
		return 0;
	copy = (struct vdso_fixup_entry *)liblinux_map_near(image, size);
	if (!copy)
		return -12;
	for (i = 0; i < liblinux_own_count(); i++) {
		start = liblinux_entry_address(&liblinux_table[i].start);
		landing = liblinux_entry_address(&liblinux_table[i].landing);
		for (to = i; to && liblinux_entry_address(&copy[to - 1].start) > start; to--) {
			copy[to] = copy[to - 1];
			copy[to].start -= (int32_t)sizeof(*copy);
			copy[to].landing -= (int32_t)sizeof(*copy);
		}
		copy[to] = liblinux_table[i];
		copy[to].start = (int32_t)(start - (uint64_t)&copy[to].start);
		copy[to].landing = (int32_t)(landing - (uint64_t)&copy[to].landing);
	}
	liblinux_own_copy = copy;
	/* PROT_READ */
	return liblinux_image_call(image, "__vdso_mprotect", (uint64_t)copy, size, 1, 0, 0, 0);
}

/* Unmaps the copy, which no registration refers to any more. */
static inline void liblinux_own_unsort(const void *image)
{
	if (liblinux_own_copy)
		liblinux_image_call(image, "__vdso_munmap", (uint64_t)liblinux_own_copy,
				    liblinux_own_count() * sizeof(struct vdso_fixup_entry), 0, 0, 0, 0);
	liblinux_own_copy = 0;
}

/* Whether a fixup of the running DSO leads from one of its executable segments to another. */
static inline int liblinux_own_crosses(void)
{
	const struct vdso_fixup_entry *entry = liblinux_own_table(), *end = entry + liblinux_own_count();
	uint64_t start = 0, len = 0;
	unsigned int index = 0;

	for (; entry != end; entry++) {
		while (liblinux_entry_address(&entry->start) - start >= len)
			if (!liblinux_own_segment(&index, &start, &len))
				return 0;
		if (liblinux_entry_address(&entry->landing) - start >= len)
			return 1;
	}
	return 0;
}

/*
 * A text of the running DSO and the part of its table for it: the first, the second... 0 where
 * there is none. Each executable segment that has fixups is a text, unless a fixup leads from one
 * to another: then they are one.
 */
static inline int liblinux_own_text(struct vdso_fixup_dso *dso, unsigned int number)
{
	const struct vdso_fixup_entry *entry = liblinux_own_table(), *end = entry + liblinux_own_count(), *first;
	int crosses = liblinux_own_crosses();
	uint64_t start, len, text_start = 0;
	unsigned int index = 0, segments = 0;

	while (entry != end && liblinux_own_segment(&index, &start, &len)) {
		if (!segments++ || !crosses)
			text_start = start;
		dso->text_start = text_start;
		dso->text_len = start + len - text_start;
		if (crosses)
			continue;
		for (first = entry; entry != end; entry++)
			if (liblinux_entry_address(&entry->start) - start >= len)
				break;
		if (entry == first || number--)
			continue;
		dso->table = (uint64_t)first;
		dso->count = (uint64_t)(entry - first);
		return 1;
	}
	dso->table = (uint64_t)liblinux_own_table();
	dso->count = liblinux_own_count();
	return crosses && !number;
}

/* Removes what liblinux_fixups_register_own() registered; 0 or -errno. */
static inline long liblinux_fixups_unregister_own(const struct liblinux_fixups *fixups)
{
	struct vdso_fixup_dso text;
	unsigned int number;
	long result = 0, removed;

	for (number = 0; liblinux_own_text(&text, number); number++) {
		removed = liblinux_fixups_unregister(fixups, text.text_start);
		if (!result)
			result = removed;
	}
	if (!result)
		liblinux_own_unsort(fixups->image);
	return result;
}

/*
 * Registers the running DSO; 0 or -errno (-ENOENT if it has no fixups, -EEXIST if it is
 * registered). OWN becomes its text, the first one if it has several.
 */
static inline long liblinux_fixups_register_own(const struct liblinux_fixups *fixups, struct vdso_fixup_dso *own)
{
	struct vdso_fixup_dso text;
	unsigned int number;
	long result = liblinux_own_sort(fixups->image);

	if (result)
		return result;
	result = -2;
	for (number = 0; liblinux_own_text(&text, number); number++) {
		if (!number)
			*own = text;
		result = liblinux_fixups_register(fixups, &text);
		if (result)
			break;
	}
	while (result && number--)
		if (liblinux_own_text(&text, number))
			liblinux_fixups_unregister(fixups, text.text_start);
	return result;
}

#ifdef __cplusplus
}
#endif

#endif /* x86-64 */

#endif /* LIBLINUX_OWN_H */
