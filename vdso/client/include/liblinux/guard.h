/*
 * liblinux/guard.h - exception fixups: if an instruction of this range raises an exception, go on there.
 *
 * A program or library (a DSO) has a table of them. Each is a line of an asm statement:
 *
 *   asm goto("1:\tdivl %[divisor]\n2:\n" LIBLINUX_FIXUP_PLAIN("1b", "2b", "%l[trapped]")
 *            : "+a"(low), "+d"(high) : [divisor] "r"(divisor) : "cc" : trapped);
 *
 * LIBLINUX_FIXUP_PLAIN changes nothing but rip. LIBLINUX_FIXUP also sets rdi to the number of the exception, rsi to its
 * error code, rdx to the address of a page fault (else 0) and rcx to the address of the instruction; the statement has to
 * say that it changes them.
 *
 * The DSO registers its table. One of its source files defines LIBLINUX_FIXUPS before it includes this header: then the DSO
 * is registered when it is loaded and unregistered when it is unloaded, and liblinux_fixups_status is 0, or the -errno of
 * what went wrong (-ENOSYS on an image without fixups). All DSOs of a process share one area, also with those that are
 * written in Rust. Where the kernel consults no areas, a handler of SIGSEGV, SIGBUS, SIGILL and SIGFPE does, and passes on
 * what is nobody's; the Rust crate (vdso/client/src/fixup) says how they find each other.
 *
 * A program without a libc calls liblinux_fixups_join() and liblinux_fixups_register_own() itself.
 */
#ifndef LIBLINUX_GUARD_H
#define LIBLINUX_GUARD_H

#include "fixup.h"
#include "resolve.h"

#ifdef __cplusplus
extern "C" {
#endif

#define LIBLINUX_FIXUP(start, end, landing) LIBLINUX_FIXUP_(start, end, landing, "0")
#define LIBLINUX_FIXUP_PLAIN(start, end, landing) LIBLINUX_FIXUP_(start, end, landing, "1")

/* The section is linked to that of the code, so the linker keeps the table in the order of the code. */
#define LIBLINUX_FIXUP_(start, end, landing, flags) \
	".Lliblinux_fixup%=_" start ":\n" \
	"\t.pushsection fixup_table, \"ao\", @progbits, .Lliblinux_fixup%=_" start "\n" \
	"\t.balign 4\n" \
	"\t.long " start " - .\n" \
	"\t.long " end " - " start "\n" \
	"\t.long " landing " - .\n" \
	"\t.long " flags "\n" \
	"\t.popsection\n"

/* An exception that an access raised. */
struct liblinux_fault {
	uint64_t trap;		/* its number: 14 is a page fault, 13 a general protection fault */
	uint64_t error_code;	/* what the processor says about it */
	uint64_t address;	/* the address of a page fault, else 0 */
	uint64_t ip;		/* the instruction */
};

/* Copies bytes upwards, from or to where memory may not be. 0, or 1 and what happened; some may have been copied then. */
static inline int liblinux_probe_copy(void *to, const void *from, unsigned long count, struct liblinux_fault *fault)
{
	/* The registers of the copy, and of the landing. */
	unsigned long rdi = (unsigned long)to, rsi = (unsigned long)from, rcx = count, rdx = 0, faulted = 1;

	__asm__ volatile("1:\trep movsb\n2:\txorl %k[faulted], %k[faulted]\n3:\n"
			 LIBLINUX_FIXUP("1b", "2b", "3b")
			 : "+D"(rdi), "+S"(rsi), "+c"(rcx), "+d"(rdx), [faulted] "+r"(faulted)
			 : : "cc", "memory");
	if (!faulted)
		return 0;
	fault->trap = rdi;
	fault->error_code = rsi;
	fault->address = rdx;
	fault->ip = rcx;
	return 1;
}

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
	/* The first of the handler's pages; a null pointer where the kernel consults the area. */
	unsigned char *pages;
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

/* The area; 0 if there is none. */
static inline uint64_t liblinux_fixups_area(const struct liblinux_fixups *fixups)
{
	struct vdso_fixup_attached attached;

	if (fixups->pages)
		return __atomic_load_n(&liblinux_pages_data(fixups->pages)->area, __ATOMIC_ACQUIRE);
	if (liblinux_image_call(fixups->image, "__vdso_fixup_query", (uint64_t)&attached, 0, 0, 0, 0, 0))
		return 0;
	return attached.area;
}

/* Leads to another area, if nobody else did in the meantime. Pairs with the load above, and with the handler's. */
static inline void liblinux_pages_follow(unsigned char *pages, uint64_t old, uint64_t area)
{
	__atomic_compare_exchange_n(&liblinux_pages_data(pages)->area, &old, area, 0, __ATOMIC_RELEASE, __ATOMIC_RELAXED);
}

/* Moves the registry to a larger area; 0 or -errno. Whoever moved it first wins: the old area leads there. */
static inline long liblinux_fixups_grow(const struct liblinux_fixups *fixups, uint64_t old)
{
	uint64_t capacity = ((const struct vdso_fixup_area *)old)->capacity, size;
	long area, result = -28;

	while (capacity < VDSO_FIXUP_MAX_CAPACITY) {
		capacity *= 2;
		size = (VDSO_FIXUP_HEADER_SIZE + capacity * VDSO_FIXUP_DSO_SIZE + 4095) & ~4095ULL;
		area = liblinux_make_area(fixups->image, size);
		if (area < 0)
			return area;
		result = liblinux_image_call(fixups->image, "__vdso_fixup_grow", old, (uint64_t)area, size, 0, 0, 0);
		if (!result) {
			if (fixups->pages)
				liblinux_pages_follow(fixups->pages, old, (uint64_t)area);
			return 0;
		}
		liblinux_image_call(fixups->image, "__vdso_munmap", (uint64_t)area, size, 0, 0, 0, 0);
		/* -EINVAL: the registry may be in an area by now that is larger than ours. */
		if (result != -22)
			return result;
	}
	return result;
}

/* Registers a text and its table; 0 or -errno. A full registry moves to a larger area. */
static inline long liblinux_fixups_register(const struct liblinux_fixups *fixups, const struct vdso_fixup_dso *dso)
{
	for (;;) {
		uint64_t area = liblinux_fixups_area(fixups);
		long result = liblinux_image_call(fixups->image, "__vdso_fixup_register", area, (uint64_t)dso, 0, 0, 0, 0);

		if (result != -28)
			return result;
		result = liblinux_fixups_grow(fixups, area);
		if (result)
			return result;
	}
}

/* Removes the registration of the text that starts at an address; 0 or -errno. */
static inline long liblinux_fixups_unregister(const struct liblinux_fixups *fixups, uint64_t text_start)
{
	return liblinux_image_call(fixups->image, "__vdso_fixup_unregister", liblinux_fixups_area(fixups), text_start, 0, 0, 0, 0);
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

#ifdef LIBLINUX_FIXUPS

#include "handler.h"

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
		liblinux_pages_follow(pages, area, __atomic_load_n(&liblinux_pages_data(liblinux_pages_of(replaced.handler))->area,
								    __ATOMIC_ACQUIRE));
	fixups->pages = pages;
	return result;
}

/* Joins the registry of this process, or begins one; 0 or -errno. */
static inline long liblinux_fixups_join(struct liblinux_fixups *fixups, const void *image)
{
	const uint64_t first_size = 4 * 4096;
	struct vdso_fixup_attached attached;
	struct liblinux_action action;
	long result, area;

	fixups->image = image;
	fixups->pages = 0;
	if (!image || !liblinux_symbol(image, "__vdso_fixup_query"))
		return -38;
	result = liblinux_image_call(image, "__vdso_fixup_query", (uint64_t)&attached, 0, 0, 0, 0, 0);
	if (!result)
		return 0;
	if (result == -2) {
		/* The kernel knows areas, and has none of this process. */
		area = liblinux_make_area(image, first_size);
		if (area < 0)
			return area;
		result = liblinux_image_call(image, "__vdso_fixup_attach", (uint64_t)area, first_size, 0, 0, 0, 0);
		if (!result)
			return 0;
		liblinux_image_call(image, "__vdso_munmap", (uint64_t)area, first_size, 0, 0, 0, 0);
		/* -EBUSY: somebody else's is attached by now. Anything else: no kernel for this. */
		if (result == -16 && !liblinux_image_call(image, "__vdso_fixup_query", (uint64_t)&attached, 0, 0, 0, 0, 0))
			return 0;
	}
	result = liblinux_sigaction(image, 11, 0, &action);
	if (result)
		return result;
	fixups->pages = liblinux_pages_of(action.handler);
	if (fixups->pages)
		return 0;
	area = liblinux_make_area(image, first_size);
	return area < 0 ? area : liblinux_pages_install(fixups, (uint64_t)area);
}

/* Registers the running DSO; 0 or -errno (-ENOENT if it has no fixups, -EEXIST if it is registered). */
static inline long liblinux_fixups_register_own(const struct liblinux_fixups *fixups, struct vdso_fixup_dso *own)
{
	if (!liblinux_own_dso(own, (uint64_t)&liblinux_pages_install))
		return -2;
	return liblinux_fixups_register(fixups, own);
}

#ifndef LIBLINUX_NO_LIBC
#include <sys/auxv.h>

/* 0 if this DSO is registered, else -errno. */
static long liblinux_fixups_status = -2;
static struct liblinux_fixups liblinux_fixups_joined;
static struct vdso_fixup_dso liblinux_fixups_own;

__attribute__((constructor)) static void liblinux_fixups_load(void)
{
	const void *image = liblinux_find(getauxval(33 /* AT_SYSINFO_EHDR */));

	liblinux_fixups_status = liblinux_fixups_join(&liblinux_fixups_joined, image);
	if (!liblinux_fixups_status)
		liblinux_fixups_status = liblinux_fixups_register_own(&liblinux_fixups_joined, &liblinux_fixups_own);
}

__attribute__((destructor)) static void liblinux_fixups_unload(void)
{
	if (!liblinux_fixups_status)
		liblinux_fixups_unregister(&liblinux_fixups_joined, liblinux_fixups_own.text_start);
}
#endif /* LIBLINUX_NO_LIBC */

#endif /* LIBLINUX_FIXUPS */

#ifdef __cplusplus
}
#endif

#endif /* LIBLINUX_GUARD_H */
