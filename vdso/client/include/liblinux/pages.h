/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * liblinux/pages.h - the pages of the handler that consults an area where the kernel does not: one
 * of code, one of what that code reads.
 *
 * registry.h includes this. The handler's code starts with a signature, by which libraries that
 * know nothing of each other find the pages of the handler that is installed, and share its area.
 */
#ifndef LIBLINUX_PAGES_H
#define LIBLINUX_PAGES_H

#if !defined(__x86_64__) || !defined(__LP64__)
#error "liblinux is for 64-bit x86-64 Linux programs: compile without -m32, -mx32 and cross compilers for others"
#else

#include "handler.h"
#include "resolve.h"

#ifdef __cplusplus
extern "C" {
#endif

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

static inline struct liblinux_handler_data *liblinux_pages_data(unsigned char *pages)
{
	return (struct liblinux_handler_data *)(pages + LIBLINUX_HANDLER_PAGE);
}

/* Address of the area that the handler consults. */
static inline uint64_t liblinux_pages_consulted(unsigned char *pages)
{
	return __atomic_load_n(&liblinux_pages_data(pages)->area, __ATOMIC_ACQUIRE);
}

/* Has the handler consult another area, unless another thread has changed it since. Pairs with the
 * load above, and with the handler's. */
static inline void liblinux_pages_consult(unsigned char *pages, uint64_t old, uint64_t area)
{
	__atomic_compare_exchange_n(&liblinux_pages_data(pages)->area, &old, area, 0, __ATOMIC_RELEASE, __ATOMIC_RELAXED);
}

/* The pages of a handler, if it is the client's. A handler is code, so its page is there. */
static inline unsigned char *liblinux_pages_of(uint64_t handler)
{
	unsigned char *pages = (unsigned char *)(handler - LIBLINUX_HANDLER_SIGNATURE);
	int i;

	if (handler < LIBLINUX_HANDLER_PAGE || handler % LIBLINUX_HANDLER_PAGE != LIBLINUX_HANDLER_SIGNATURE)
		return 0;
	for (i = 0; i < LIBLINUX_HANDLER_SIGNATURE; i++)
		if (pages[i] != liblinux_handler_page[i])
			return 0;
	return pages;
}

static inline long liblinux_sigaction(const void *image, int number, const struct liblinux_action *set, struct liblinux_action *get)
{
	return liblinux_image_call(image, "__vdso_rt_sigaction", (uint64_t)number, (uint64_t)set, (uint64_t)get, 8, 0, 0);
}

/*
 * Flags of a handler that takes this one's place: SA_SIGINFO, SA_RESTORER, SA_ONSTACK, SA_NODEFER.
 * The handler itself passes on what each handler is called with; whether a call is restarted behind
 * it (SA_RESTART) is the kernel's decision, by the flags that the kernel sees. A signal that is
 * ignored interrupts no call.
 */
static inline uint64_t liblinux_flags_in_front(const struct liblinux_action *previous)
{
	uint64_t restart = 0x10000000;

	if (previous->handler > 1 /* SIG_IGN */)
		restart &= previous->flags;
	return 4 | 0x04000000 | 0x08000000 | 0x40000000 | restart;
}

/*
 * Makes the pages of a handler that consults AREA, installs it, and stores where they are; 0 or
 * -errno.
 */
static inline long liblinux_pages_install(const void *image, uint64_t area, unsigned char **installed)
{
	/* SIGILL, SIGBUS, SIGFPE, SIGSEGV: the one by which the pages are found is the last. */
	static const int numbers[] = {4, 7, 8, 11};
	struct liblinux_handler_data *data;
	struct liblinux_action ours, replaced;
	unsigned char *pages;
	unsigned long i;
	long result;

	pages = (unsigned char *)liblinux_map(image, 2 * LIBLINUX_HANDLER_PAGE);
	if ((uint64_t)pages > (uint64_t)-4096)
		return (long)pages;
	for (i = 0; i < sizeof(liblinux_handler_page); i++)
		pages[i] = liblinux_handler_page[i];
	data = liblinux_pages_data(pages);
	data->area = area;
	data->dispatch = (uint64_t)liblinux_symbol(image, "__vdso_fixup_dispatch");
	data->rt_sigaction = (uint64_t)liblinux_symbol(image, "__vdso_rt_sigaction");
	data->rt_sigprocmask = (uint64_t)liblinux_symbol(image, "__vdso_rt_sigprocmask");
	data->rt_tgsigqueueinfo = (uint64_t)liblinux_symbol(image, "__vdso_rt_tgsigqueueinfo");
	data->getpid = (uint64_t)liblinux_symbol(image, "__vdso_getpid");
	data->gettid = (uint64_t)liblinux_symbol(image, "__vdso_gettid");
	ours.handler = (uint64_t)pages + LIBLINUX_HANDLER_SIGNATURE;
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
	result = liblinux_image_call(image, "__vdso_mprotect", (uint64_t)pages, LIBLINUX_HANDLER_PAGE, 5, 0, 0, 0);
	for (i = 0; !result && i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		ours.flags = liblinux_flags_in_front(&data->previous[numbers[i]]);
		result = liblinux_sigaction(image, numbers[i], &ours, &replaced);
		data->previous[numbers[i]] = replaced;
	}
	/*
	 * A handler that another library installed in between stays the predecessor; both consult
	 * its area.
	 */
	if (!result && liblinux_pages_of(replaced.handler))
		liblinux_pages_consult(pages, area, liblinux_pages_consulted(liblinux_pages_of(replaced.handler)));
	*installed = pages;
	return result;
}

#ifdef __cplusplus
}
#endif

#endif /* x86-64 */

#endif /* LIBLINUX_PAGES_H */
