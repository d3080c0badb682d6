/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * liblinux/vfork.h - vfork by an entry that was looked up.
 *
 * A compiler has to know that vfork returns twice, and it knows so by the function's declaration: a
 * call by a pointer is an ordinary one, after which it expects its registers and stack slots to be
 * as they were. So LIBLINUX(image, vfork)() is a call of liblinux_vfork(), which is declared that
 * way, and jumps to the entry.
 */
#ifndef LIBLINUX_VFORK_H
#define LIBLINUX_VFORK_H

#if !defined(__x86_64__) || !defined(__LP64__)
#error "liblinux is for 64-bit x86-64 Linux programs: compile without -m32, -mx32 and cross compilers for others"
#else

#include "resolve.h"

#ifdef __cplusplus
extern "C" {
#endif

/* endbr64; jmp *%rdi, as bytes, which every dialect of the assembler takes. */
__asm__(
	".pushsection .text.liblinux_vfork, \"axG\", @progbits, liblinux_vfork_by, comdat\n"
	".weak liblinux_vfork_by\n"
	".hidden liblinux_vfork_by\n"
	".type liblinux_vfork_by, @function\n"
	"liblinux_vfork_by:\n"
	".byte 0xf3, 0x0f, 0x1e, 0xfa, 0xff, 0xe7\n"
	".size liblinux_vfork_by, . - liblinux_vfork_by\n"
	".popsection\n");

/*
 * vfork(2) by its entry: 0 in the child, which runs on this stack and must call execve or exit
 * before this function returns; the child's number in the parent, or -errno.
 */
extern long liblinux_vfork_by(void *entry) __attribute__((__returns_twice__, __visibility__("hidden")));

/*
 * The same by an image that has the entry: a macro, because the function that calls must not return
 * in the child.
 */
#define liblinux_vfork(image) liblinux_vfork_by(liblinux_symbol((image), "__vdso_vfork"))

#ifdef __cplusplus
}
#endif

#endif /* x86-64 */

#endif /* LIBLINUX_VFORK_H */
