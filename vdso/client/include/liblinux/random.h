/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * liblinux/random.h - random bytes from user space, from a state that the caller keeps.
 *
 * __vdso_getrandom is not the system call of that name: it has two arguments more, a state and its
 * size. With a state it answers without a system call, as long as the kernel's generator was not
 * reseeded.
 *
 *   struct liblinux_random random;
 *   long memory;
 *
 *   if (!liblinux_random_find(&random, image) && (memory = liblinux_random_map(&random, 16)) > 0)
 *           state = liblinux_random_state(&random, (void *)memory, 0);   // a thread's
 *   liblinux_random_fill(&random, state, buffer, length, 0);       // no state: a system call
 *
 * Rules for states:
 *
 * - Memory.  Only memory with the protection and the flags that the image names may hold states:
 *   the kernel zeroes it in a child of fork, and whenever it needs the memory. In other memory
 *   parent and child would get the same bytes. liblinux_random_map() maps it. All zeros is a new
 *   state. A state must not straddle pages, which liblinux_random_state() sees to.
 * - Threads.  One thread uses a state at a time. Give each thread one of its own.
 * - Fork.  Nothing to do: a child finds zeros, asks the kernel for a key, and shares no byte with
 *   its parent. A child of vfork runs while its parent waits, and may use the parent's states.
 * - Signal handlers.  A handler may use the state of the thread that it interrupts. If the function
 *   is at work on it, the handler's bytes come from a system call, and the state is left alone.
 * - A handler that does not return (longjmp, a cancelled thread) leaves the state marked as in use.
 *   It stays correct, and every later request is a system call. Zero it before another thread takes
 *   it over: liblinux_random_reset().
 * - Kernels before 6.11 have no such memory and no such function: liblinux_random_find() or
 *   liblinux_random_map() says so, and liblinux_getrandom() is the way.
 */
#ifndef LIBLINUX_RANDOM_H
#define LIBLINUX_RANDOM_H

#if !defined(__x86_64__) || !defined(__LP64__)
#error "liblinux is for 64-bit x86-64 Linux programs: compile without -m32, -mx32 and cross compilers for others"
#else

#include "resolve.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * The kernel's struct vgetrandom_opaque_params, by a name that does not clash with
 * <linux/random.h>.
 */
struct liblinux_vgetrandom_opaque_params {
	unsigned int size_of_opaque_state;	/* bytes of a state */
	unsigned int mmap_prot;			/* the third argument of mmap */
	unsigned int mmap_flags;		/* the fourth */
	unsigned int reserved[13];
};

/* The type of __vdso_getrandom. */
typedef long liblinux_getrandom_function(void *buffer, __SIZE_TYPE__ len, unsigned int flags, void *opaque_state,
					 __SIZE_TYPE__ opaque_len);

/* An image's generator. */
struct liblinux_random {
	const void *image;
	liblinux_getrandom_function *getrandom;
	struct liblinux_vgetrandom_opaque_params parameters;
};

static inline liblinux_getrandom_function *liblinux_getrandom_entry(const void *image)
{
	return (liblinux_getrandom_function *)(unsigned long)liblinux_symbol(image, "__vdso_getrandom");
}

/*
 * getrandom(2) with its three arguments: bytes written, or -errno; -ENOSYS (38) if the image has no
 * entry.
 */
static inline long liblinux_getrandom(const void *image, void *buffer, __SIZE_TYPE__ len, unsigned int flags)
{
	liblinux_getrandom_function *entry = liblinux_getrandom_entry(image);

	return entry ? entry(buffer, len, flags, (void *)0, 0) : -38;
}

/*
 * Asks an image for the parameters of states. 0, or -ENOSYS (38): no entry, or one that keeps no
 * states.
 */
static inline long liblinux_random_find(struct liblinux_random *random, const void *image)
{
	unsigned int size;

	random->image = image;
	random->getrandom = liblinux_getrandom_entry(image);
	if (!random->getrandom || random->getrandom((void *)0, 0, 0, &random->parameters, ~(__SIZE_TYPE__)0))
		return -38;
	size = random->parameters.size_of_opaque_state;
	return size && size <= 4096 ? 0 : -38;
}

/*
 * Bytes from a state to the next one: each begins a line of the cache, which no other thread's
 * state is in.
 */
static inline __SIZE_TYPE__ liblinux_random_stride(const struct liblinux_random *random)
{
	return ((__SIZE_TYPE__)random->parameters.size_of_opaque_state + 63) & ~(__SIZE_TYPE__)63;
}

/*
 * Bytes of memory for so many states: whole pages, in which no state straddles two. 0 if they are
 * too many.
 */
static inline __SIZE_TYPE__ liblinux_random_size(const struct liblinux_random *random, __SIZE_TYPE__ states)
{
	__SIZE_TYPE__ in_a_page = 4096 / liblinux_random_stride(random);

	return states > ~(__SIZE_TYPE__)0 / 8192 ? 0 : (states + in_a_page - 1) / in_a_page * 4096;
}

/* State number INDEX in memory that begins at a page. */
static inline void *liblinux_random_state(const struct liblinux_random *random, void *memory, __SIZE_TYPE__ index)
{
	__SIZE_TYPE__ stride = liblinux_random_stride(random), in_a_page = 4096 / stride;

	return (char *)memory + index / in_a_page * 4096 + index % in_a_page * stride;
}

/*
 * Maps memory for so many states, by the image's mmap. Its address, which munmap takes with
 * liblinux_random_size(); or -errno: -EINVAL (22) for none or too many, and from a kernel before
 * 6.11; -ENOSYS (38) from an image without an entry of mmap.
 */
static inline long liblinux_random_map(const struct liblinux_random *random, __SIZE_TYPE__ states)
{
	__SIZE_TYPE__ size = liblinux_random_size(random, states);
	long (*map)(unsigned long, unsigned long, unsigned long, unsigned long, unsigned long, unsigned long) =
		(long (*)(unsigned long, unsigned long, unsigned long, unsigned long, unsigned long, unsigned long))
		(unsigned long)liblinux_symbol(random->image, "__vdso_mmap");

	if (!size)
		return -22;
	if (!map)
		return -38;
	return map(0, size, random->parameters.mmap_prot, random->parameters.mmap_flags, ~0UL, 0);
}

/*
 * Random bytes from a state, or by a system call if STATE is null: bytes written, or -errno. Flags
 * are those of getrandom(2).
 */
static inline long liblinux_random_fill(const struct liblinux_random *random, void *state, void *buffer,
					__SIZE_TYPE__ len, unsigned int flags)
{
	return random->getrandom(buffer, len, flags, state, state ? random->parameters.size_of_opaque_state : 0);
}

/* Makes a state a new one. No call may be at work on it. */
static inline void liblinux_random_reset(const struct liblinux_random *random, void *state)
{
	volatile unsigned char *bytes = (volatile unsigned char *)state;
	unsigned int at;

	for (at = 0; at < random->parameters.size_of_opaque_state; at++)
		bytes[at] = 0;
}

#ifdef __cplusplus
}
#endif

#endif /* x86-64 */

#endif /* LIBLINUX_RANDOM_H */
