/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * liblinux/signals.h - handlers of one signal that libraries share: a chain.
 *
 * The functions are in liblinux-signals.so, which is never unloaded: link with -llinux-signals. A
 * link is memory of the library that adds it, and stays where it is, as its handler does, until it
 * was removed:
 *
 *	static int on_signal(int signal, void *info, void *context, void *cookie) { ... }
 *
 *	static struct liblinux_signal_link link = LIBLINUX_SIGNAL_LINK(SIGUSR1, on_signal);
 *
 *	liblinux_signal_add(NULL, &link);
 *
 * A handler returns whether it takes the signal: 0 leaves it to the links behind, and behind the
 * last one to a handler that was installed by sigaction, which is called as the kernel would call
 * it. It preserves errno.
 */
#ifndef LIBLINUX_SIGNALS_H
#define LIBLINUX_SIGNALS_H

#if !defined(__x86_64__) || !defined(__LP64__)
#error "liblinux is for 64-bit x86-64 Linux programs: compile without -m32, -mx32 and cross compilers for others"
#else

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The handler only looks: the signal continues, whatever it returns. */
#define LIBLINUX_SIGNAL_OBSERVER 1

/*
 * The handler may jump away (siglongjmp). It is not counted while it runs, so the library has to
 * know by itself when it may be unloaded. Without this flag a link whose handler jumped away stays
 * busy for good. A thread may end in any handler, by glibc's pthread_exit or by cancellation.
 */
#define LIBLINUX_SIGNAL_NO_RETURN 2

/* It runs behind all links without this flag, and behind handlers of sigaction that are links. */
#define LIBLINUX_SIGNAL_LAST 8

struct liblinux_signal_link {
	int32_t signal;
	int32_t order; /* Links of a lower order run before; of the same, the one that was added last. */
	uint32_t flags; /* LIBLINUX_SIGNAL_OBSERVER, LIBLINUX_SIGNAL_NO_RETURN, LIBLINUX_SIGNAL_LAST. */
	uint32_t reserved_zero;
	int (*handler)(int signal, void *info, void *context, void *cookie);
	void *cookie; /* The handler's last argument. */
	uint64_t mask; /* Signals that are blocked while it runs, beside those that are: bit n - 1 is signal n. */
	uint64_t text_start; /* Code whose faults are this link's before all links that claim nothing. */
	uint64_t text_len; /* Its bytes, or 0. */
	uint64_t memory_start; /* Addresses whose faults are this link's first, whichever code touches them. */
	uint64_t memory_len; /* Their bytes, or 0. */
	uint64_t reserved[7]; /* Zero; the chain writes here. */
} __attribute__((aligned(64)));

#define LIBLINUX_SIGNAL_LINK(signal, handler) { (signal), 0, 0, 0, (handler), 0, 0, 0, 0, 0, 0, { 0 } }

/*
 * AREA is NULL for the chain of the process. Its handler is installed with the first link of a
 * signal.
 */

/*
 * Adds LINK. 0, or -EINVAL for a link that is not well formed, -EEXIST if it is in the chain,
 * -EBUSY if it leaves but has not left, -ENOSPC if the area is full.
 */
long liblinux_signal_add(void *area, struct liblinux_signal_link *link);

/*
 * Removes LINK: no handler of it is started any more. 0: none is in flight, and memory and code of
 * the link may go. -EBUSY: one is; call again later. -ENOENT: it is not in the chain.
 */
long liblinux_signal_remove(void *area, struct liblinux_signal_link *link);

/* The same, and waits in place of -EBUSY. Not for the link's own handler. */
long liblinux_signal_remove_wait(void *area, struct liblinux_signal_link *link);

/*
 * An area of the caller's, whose handler is the caller's, too: bytes for CAPACITY links (1 to
 * 65,536), aligned to 64, and an empty area there; or -EINVAL.
 */
long liblinux_signal_area_size(unsigned long capacity);
long liblinux_signal_init(void *area, unsigned long size, unsigned long capacity);

/* Runs the links of a signal: 1 if one took it, 0 if none did, -EINVAL if AREA is not an area. */
long liblinux_signal_dispatch(void *area, int signal, void *info, void *context);

#ifdef __cplusplus
}
#endif

#endif /* x86-64 */

#endif /* LIBLINUX_SIGNALS_H */
