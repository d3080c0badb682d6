/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * liblinux/resolve.h - finds functions in the vDSO of this process, without a dynamic loader.
 *
 * For programs that cannot link with the vDSO (musl, static, no libc). Nothing here needs a libc,
 * allocates, or keeps state; the claims of an image are checked before they are used, and every
 * loop has a bound. Where a symbol leads is believed as every loader believes it, out of the image
 * too: a stand-in for a kernel may lead a name to that kernel's own function. Whether there is
 * code, no look at the image can tell.
 *
 *   const void *image = liblinux_find(getauxval(AT_SYSINFO_EHDR));
 *   if (!image)
 *           puts(liblinux_unfit(getauxval(AT_SYSINFO_EHDR)));
 *   void *entry = liblinux_symbol(image, "__vdso_close");
 *
 * A lookup hashes the name and walks one chain: keep the pointer, do not look up for each call.
 */
#ifndef LIBLINUX_RESOLVE_H
#define LIBLINUX_RESOLVE_H

#if !defined(__x86_64__) || !defined(__LP64__)
#error "liblinux is for 64-bit x86-64 Linux programs: compile without -m32, -mx32 and cross compilers for others"
#else

#ifdef __cplusplus
extern "C" {
#endif

/* The tables of an image. Offsets are from its start. */
struct liblinux_tables {
	const unsigned char *image;
	unsigned long size, bias;
	unsigned long strings, strings_size, symbols, versions, gnu_hash, sysv_hash;
	unsigned int version;
};

/* Reads SIZE bytes (1 to 8, little-endian) at an offset; sets *BAD if they are not in the image. */
static inline unsigned long liblinux_read(const struct liblinux_tables *tables, unsigned long offset,
					  unsigned int size, int *bad)
{
	unsigned long value = 0;

	if (offset > tables->size || tables->size - offset < size) {
		*bad = 1;
		return 0;
	}
	while (size--)
		value = value << 8 | tables->image[offset + size];
	return value;
}

/* Whether the string table has TEXT at an offset. */
static inline int liblinux_is(const struct liblinux_tables *tables, unsigned long offset, const char *text)
{
	unsigned long at;

	for (at = offset; at < tables->strings_size; at++, text++) {
		if (tables->image[tables->strings + at] != (unsigned char)*text)
			return 0;
		if (!*text)
			return 1;
	}
	return 0;
}

/* The index of version LINUX_2.6 in the version table; 0 if it is not defined. */
static inline unsigned int liblinux_version(const struct liblinux_tables *tables, unsigned long definition)
{
	int bad = 0, steps;

	for (steps = 0; steps < 16 && !bad; steps++) {
		unsigned long name = liblinux_read(tables, definition + 12, 4, &bad);
		unsigned long next = liblinux_read(tables, definition + 16, 4, &bad);

		name = liblinux_read(tables, definition + name, 4, &bad);
		if (!bad && liblinux_is(tables, name, "LINUX_2.6"))
			return liblinux_read(tables, definition + 4, 2, &bad) & 0x7fff;
		if (!next)
			break;
		definition += next;
	}
	return 0;
}

/* Reads the tables of the image at an address; a null pointer, or what is wrong with it. */
static inline const char *liblinux_tables(struct liblinux_tables *tables, unsigned long address)
{
	unsigned long headers, count, at, dynamic = 0, dynamic_size = 0, loaded = 0, soname = 0, definitions = 0;
	int bad = 0;

	if (!address)
		return "the kernel gave this process no vDSO (AT_SYSINFO_EHDR is missing or 0)";
	if (address % 4096)
		return "AT_SYSINFO_EHDR does not point at the start of a page";
	tables->image = (const unsigned char *)address;
	tables->size = 4096;
	tables->strings = tables->strings_size = tables->symbols = tables->versions = 0;
	tables->gnu_hash = tables->sysv_hash = 0;
	if (liblinux_read(tables, 0, 7, &bad) != 0x010102464c457fUL)
		return "what AT_SYSINFO_EHDR points at does not begin as a 64-bit ELF file does";
	if (liblinux_read(tables, 16, 2, &bad) != 3 /* ET_DYN */ || liblinux_read(tables, 18, 2, &bad) != 62 /* EM_X86_64 */)
		return "what AT_SYSINFO_EHDR points at is not a shared object for x86-64";
	headers = liblinux_read(tables, 32, 8, &bad);
	count = liblinux_read(tables, 56, 2, &bad);
	if (liblinux_read(tables, 54, 2, &bad) != 56 || headers > 4096 || count > (4096 - headers) / 56)
		return "the vDSO's program headers are not in its first page";
	for (at = headers; count--; at += 56) {
		unsigned long kind = liblinux_read(tables, at, 4, &bad);

		if (kind == 1 /* PT_LOAD */ && !loaded) {
			loaded = liblinux_read(tables, at + 40, 8, &bad);
			tables->bias = liblinux_read(tables, at + 16, 8, &bad);
			if (liblinux_read(tables, at + 8, 8, &bad) || (liblinux_read(tables, at + 4, 4, &bad) & 7) != 5)
				return "the vDSO's first segment is not the whole of it, readable and executable";
		} else if (kind == 2 /* PT_DYNAMIC */ && !dynamic) {
			dynamic = liblinux_read(tables, at + 16, 8, &bad);
			dynamic_size = liblinux_read(tables, at + 40, 8, &bad);
		}
	}
	if (bad || loaded < 1024 || loaded > 1UL << 20 || !dynamic)
		return "the vDSO has no PT_LOAD of an image's size, or no PT_DYNAMIC";
	tables->size = (loaded + 4095) & ~4095UL;
	dynamic -= tables->bias;
	for (; dynamic_size >= 16; dynamic += 16, dynamic_size -= 16) {
		unsigned long tag = liblinux_read(tables, dynamic, 8, &bad);
		unsigned long value = liblinux_read(tables, dynamic + 8, 8, &bad);

		if (!tag || bad)
			break;
		switch (tag) {
		case 4: tables->sysv_hash = value - tables->bias; break;
		case 5: tables->strings = value - tables->bias; break;
		case 6: tables->symbols = value - tables->bias; break;
		case 10: tables->strings_size = value; break;
		case 14: soname = value; break;
		case 0x6ffffef5UL: tables->gnu_hash = value - tables->bias; break;
		case 0x6ffffff0UL: tables->versions = value - tables->bias; break;
		case 0x6ffffffcUL: definitions = value - tables->bias; break;
		}
	}
	if (bad || tables->strings > tables->size || tables->strings_size > tables->size - tables->strings)
		return "the vDSO's dynamic table or string table is outside of it";
	if (!liblinux_is(tables, soname, "linux-vdso.so.1"))
		return "the vDSO's SONAME is not linux-vdso.so.1";
	if (!tables->symbols || !tables->versions || !definitions || (!tables->gnu_hash && !tables->sysv_hash))
		return "the vDSO has no symbols, no versions, or no hash table";
	tables->version = liblinux_version(tables, definitions);
	return tables->version ? (const char *)0 : "the vDSO does not define version LINUX_2.6";
}

/* The fault of the image at an address, in words; a null pointer if it can be used. */
static inline const char *liblinux_unfit(unsigned long sysinfo_ehdr)
{
	struct liblinux_tables tables;

	return liblinux_tables(&tables, sysinfo_ehdr);
}

/*
 * The image at an address, such as getauxval(AT_SYSINFO_EHDR); a null pointer if it cannot be used.
 */
static inline const void *liblinux_find(unsigned long sysinfo_ehdr)
{
	return liblinux_unfit(sysinfo_ehdr) ? (const void *)0 : (const void *)sysinfo_ehdr;
}

/* The address of symbol number SYMBOL if it is the function NAME, of our version; else 0. */
static inline unsigned long liblinux_function(const struct liblinux_tables *tables, unsigned long symbol, const char *name)
{
	int bad = 0;
	unsigned long at = tables->symbols + 24 * symbol;
	unsigned long text = liblinux_read(tables, at, 4, &bad), info = liblinux_read(tables, at + 4, 1, &bad);
	unsigned long section = liblinux_read(tables, at + 6, 2, &bad), value = liblinux_read(tables, at + 8, 8, &bad);
	unsigned long version = liblinux_read(tables, tables->versions + 2 * symbol, 2, &bad) & 0x7fff;
	unsigned long address;

	value -= tables->bias;
	address = (unsigned long)tables->image + value;
	/*
	 * Offset 0 is the ELF header. No function is in the first page, or (negative) in the
	 * kernel's half.
	 */
	if (bad || !section || version != tables->version || !value || (long)address < 4096)
		return 0;
	/* STT_NOTYPE or STT_FUNC; STB_GLOBAL or STB_WEAK. */
	if (((info & 15) != 0 && (info & 15) != 2) || (info >> 4 != 1 && info >> 4 != 2))
		return 0;
	return liblinux_is(tables, text, name) ? address : 0;
}

static inline unsigned long liblinux_gnu(const struct liblinux_tables *tables, const char *name)
{
	unsigned long table = tables->gnu_hash, first, buckets, bloom, symbol, found, link;
	unsigned int hash = 5381;
	const char *letter;
	int bad = 0;

	for (letter = name; *letter; letter++)
		hash = hash * 33 + (unsigned char)*letter;
	buckets = liblinux_read(tables, table, 4, &bad);
	first = liblinux_read(tables, table + 4, 4, &bad);
	bloom = liblinux_read(tables, table + 8, 4, &bad);
	if (bad || !buckets)
		return 0;
	table += 16 + 8 * bloom;
	symbol = liblinux_read(tables, table + 4 * (hash % buckets), 4, &bad);
	/* Each step is 4 bytes further in the image, which ends. */
	for (table += 4 * buckets; symbol >= first; symbol++) {
		link = liblinux_read(tables, table + 4 * (symbol - first), 4, &bad);
		if (bad)
			break;
		found = (link | 1) == (hash | 1) ? liblinux_function(tables, symbol, name) : 0;
		if (found || (link & 1))
			return found;
	}
	return 0;
}

static inline unsigned long liblinux_sysv(const struct liblinux_tables *tables, const char *name)
{
	unsigned long table = tables->sysv_hash, buckets, steps, symbol, found;
	unsigned int hash = 0;
	const char *letter;
	int bad = 0;

	for (letter = name; *letter; letter++) {
		hash = (hash << 4) + (unsigned char)*letter;
		hash = (hash ^ (hash >> 28) << 4) & 0x0fffffff;
	}
	buckets = liblinux_read(tables, table, 4, &bad);
	steps = liblinux_read(tables, table + 4, 4, &bad);
	if (bad || !buckets)
		return 0;
	symbol = liblinux_read(tables, table + 8 + 4 * (hash % buckets), 4, &bad);
	/* A chain that has no end comes by more symbols than there are bytes for. */
	if (steps > tables->size / 4)
		steps = tables->size / 4;
	while (steps-- && symbol && !bad) {
		found = liblinux_function(tables, symbol, name);
		if (found)
			return found;
		symbol = liblinux_read(tables, table + 8 + 4 * (buckets + symbol), 4, &bad);
	}
	return 0;
}

/*
 * The function NAME of an image that liblinux_find() found; a null pointer if the image exports
 * none.
 */
static inline void *liblinux_symbol(const void *image, const char *name)
{
	struct liblinux_tables tables;

	if (liblinux_tables(&tables, (unsigned long)image))
		return (void *)0;
	return (void *)(tables.gnu_hash ? liblinux_gnu(&tables, name) : liblinux_sysv(&tables, name));
}

#ifdef __cplusplus
}
#endif

#endif /* x86-64 */

#endif /* LIBLINUX_RESOLVE_H */
