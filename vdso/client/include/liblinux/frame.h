/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * liblinux/frame.h - landings that are functions: they see all registers of an exception, may
 * change them, and resume or decline.
 *
 *   static int on_fault(struct vdso_fixup_frame *frame)
 *   {
 *           if (!mine(frame->address))
 *                   return LIBLINUX_DECLINE;
 *           mend(frame->address);
 *           return LIBLINUX_RESUME;
 *   }
 *   LIBLINUX_FRAME_LANDING(landing, on_fault);
 *
 *   asm volatile("1:\tmovq (%1), %0\n2:\n" LIBLINUX_FIXUP_FRAME("1b", "2b", "landing")
 *                : "=r"(value) : "r"(pointer));
 *
 * The landing keeps the vector registers and calls the function, in the same source file. The
 * function runs where the fault was: it is under the rules of signal handlers. LIBLINUX_RESUME
 * gives the thread all registers that the frame has then. LIBLINUX_DECLINE leaves the exception to
 * the others of this process: their handler is called, or the process ends, as if there had been no
 * fixup.
 *
 * Code that is made at run time has handlers of its own: LIBLINUX_FRAME_HANDLER(landing, on_fault)
 * makes a landing whose function takes a cookie as well, and liblinux_frame_stub() the code that
 * leads there, with the cookie. An arena (arena.h) that has it as its stub is a text whose faults
 * are all calls of that function:
 *
 *   static int on_fault(struct vdso_fixup_frame *frame, void *cookie) { ... }
 *   LIBLINUX_FRAME_HANDLER(landing, on_fault);
 *
 *   unsigned char stub[LIBLINUX_FRAME_STUB];
 *
 *   liblinux_frame_stub(stub, landing, cookie);
 *   liblinux_arena_reserve(&arena, &fixups, len, granule, stub, sizeof(stub), 0, VDSO_FIXUP_FRAME);
 *
 * The frame says which signal would have come (SIGSEGV, SIGBUS...), its code and its address.
 *
 * Each source file with a landing calls liblinux_frame_prepare() before the first fault.
 *
 * Without a kernel that has frames a signal handler stands in for it. There a landing declines by
 * raising another exception, of the same signal, which the handler turns into the declined one; and
 * under a shadow stack there are no such landings: a fault is the signal that it was.
 */
#ifndef LIBLINUX_FRAME_H
#define LIBLINUX_FRAME_H

#if !defined(__x86_64__) || !defined(__LP64__)
#error "liblinux is for 64-bit x86-64 Linux programs: compile without -m32, -mx32 and cross compilers for others"
#else

#include "fixup.h"
#include "resolve.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What a landing's function returns. */
#define LIBLINUX_RESUME 0
#define LIBLINUX_DECLINE 1

/* What landings of this source file need to know. */
struct liblinux_frame_ends {
	const void *resume, *decline;
	uint64_t mask;		/* which parts of the vector state are kept */
	uint64_t size;		/* and how many bytes that takes; 0 for fxsave */
};

static struct liblinux_frame_ends liblinux_frame_ends __asm__("liblinux_frame_ends") __attribute__((used));

/* 0, or -ENOSYS on an image without frames. */
static inline long liblinux_frame_prepare(const void *image)
{
	struct liblinux_frame_ends *ends = &liblinux_frame_ends;
	uint32_t a = 1, b, c = 0, d;

	ends->resume = liblinux_symbol(image, "__vdso_fixup_resume");
	ends->decline = liblinux_symbol(image, "__vdso_fixup_decline");
	if (!ends->resume || !ends->decline)
		return -38;
	__asm__("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
	if (!(c & 1U << 27)) /* OSXSAVE */
		return 0;
	c = 0;
	__asm__("xgetbv" : "=a"(a), "=d"(d) : "c"(c));
	/* x87, SSE, AVX, AVX-512, and the general registers of APX. */
	ends->mask = (a | (uint64_t)d << 32) & (0xe7 | 1 << 19);
	a = 13;
	__asm__("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
	ends->size = b;
	return 0;
}

/* Where registers are in the frame, as call-frame information has it. */
#define LIBLINUX_SAVED_(number, offset) \
	"\t.cfi_escape 0x10, " number ", 3, 0x73, (" offset " & 0x7f) | 0x80, " offset " >> 7\n"

/* Bytes of the code that leads to a landing with a cookie. */
#define LIBLINUX_FRAME_STUB 24

/* Writes that code, which runs wherever it is. */
static inline void liblinux_frame_stub(unsigned char stub[LIBLINUX_FRAME_STUB], const void *landing, void *cookie)
{
	/* movabs $cookie, %rsi; jmp *(%rip): the landing's address is behind it. */
	static const unsigned char code[] = { 0x48, 0xbe, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0x25, 0, 0, 0, 0 };
	unsigned int i;

	for (i = 0; i < LIBLINUX_FRAME_STUB; i++) {
		if (i >= 2 && i < 10)
			stub[i] = (unsigned char)((uint64_t)cookie >> 8 * (i - 2));
		else
			stub[i] = i < 16 ? code[i] : (unsigned char)((uint64_t)landing >> 8 * (i - 16));
	}
}

/* A landing of int FUNCTION(struct vdso_fixup_frame *frame). */
#define LIBLINUX_FRAME_LANDING(name, function) \
	static int (*const name##_function)(struct vdso_fixup_frame *) __asm__(#name "_function") \
		__attribute__((used)) = function; \
	LIBLINUX_FRAME_CODE_(name)

/*
 * A landing of int FUNCTION(struct vdso_fixup_frame *frame, void *cookie), to be reached by a stub.
 * NAME is an array of bytes.
 */
#define LIBLINUX_FRAME_HANDLER(name, function) \
	static int (*const name##_function)(struct vdso_fixup_frame *, void *) __asm__(#name "_function") \
		__attribute__((used)) = function; \
	extern const unsigned char name[] __asm__(#name) __attribute__((visibility("hidden"))); \
	LIBLINUX_FRAME_CODE_(name)

/*
 * The code of a landing, which leaves rsi as it is until the call. In the default dialect of
 * assembly: not for files that are compiled with -masm=intel.
 */
#define LIBLINUX_FRAME_CODE_(name) \
	__asm__(".pushsection .text\n" \
		"\t.type " #name ", @function\n" \
		#name ":\n" \
		"\t.cfi_startproc\n" \
		"\t.cfi_signal_frame\n" \
		"\t.cfi_escape 0x0f, 4, 0x77, 0x98, 0x01, 0x06\n" \
		"\t.cfi_escape 0x10, 16, 3, 0x77, 0x80, 0x01\n" \
		"\t.cfi_escape 0x10, 3, 2, 0x77, 40\n" \
		"\tmovq\t%rdi, %rbx\n" \
		"\t.cfi_escape 0x0f, 4, 0x73, 0x98, 0x01, 0x06\n" \
		"\t.cfi_escape 0x10, 16, 3, 0x73, 0x80, 0x01\n" \
		LIBLINUX_SAVED_("15", "0") LIBLINUX_SAVED_("14", "8") LIBLINUX_SAVED_("13", "16") \
		LIBLINUX_SAVED_("12", "24") LIBLINUX_SAVED_("6", "32") LIBLINUX_SAVED_("3", "40") \
		LIBLINUX_SAVED_("11", "48") LIBLINUX_SAVED_("10", "56") LIBLINUX_SAVED_("9", "64") \
		LIBLINUX_SAVED_("8", "72") LIBLINUX_SAVED_("0", "80") LIBLINUX_SAVED_("2", "88") \
		LIBLINUX_SAVED_("1", "96") LIBLINUX_SAVED_("4", "104") LIBLINUX_SAVED_("5", "112") \
		"\tleaq\tliblinux_frame_ends(%rip), %rbp\n" \
		"\tmovq\t24(%rbp), %rcx\n" \
		"\ttestq\t%rcx, %rcx\n" \
		"\tjz\t3f\n" \
		"\tsubq\t%rcx, %rsp\n" \
		"\tandq\t$-64, %rsp\n" \
		"\txorl\t%eax, %eax\n" \
		"\t.irp\toffset, 512, 520, 528, 536, 544, 552, 560, 568\n" \
		"\tmovq\t%rax, \\offset(%rsp)\n" \
		"\t.endr\n" \
		"\tmovl\t16(%rbp), %eax\n" \
		"\tmovl\t20(%rbp), %edx\n" \
		"\txsave64\t(%rsp)\n" \
		"\tjmp\t4f\n" \
		"3:\tsubq\t$512, %rsp\n" \
		"\tfxsave64\t(%rsp)\n" \
		"4:\tfninit\n" \
		"\tpushq\t$0x1f80\n" \
		"\tldmxcsr\t(%rsp)\n" \
		"\tpopq\t%rax\n" \
		"\tmovq\t%rbx, %rdi\n" \
		"\tcall\t*" #name "_function(%rip)\n" \
		"\tmovl\t%eax, %r12d\n" \
		"\tcmpq\t$0, 24(%rbp)\n" \
		"\tjz\t5f\n" \
		"\tmovl\t16(%rbp), %eax\n" \
		"\tmovl\t20(%rbp), %edx\n" \
		"\txrstor64\t(%rsp)\n" \
		"\tjmp\t6f\n" \
		"5:\tfxrstor64\t(%rsp)\n" \
		"6:\tmovq\t%rbx, %rdi\n" \
		"\ttestl\t%r12d, %r12d\n" \
		"\tjnz\t7f\n" \
		"\tjmp\t*(%rbp)\n" \
		"7:\tjmp\t*8(%rbp)\n" \
		"\t.cfi_endproc\n" \
		"\t.size " #name ", . - " #name "\n" \
		"\t.popsection\n")

#ifdef __cplusplus
}
#endif

#endif /* x86-64 */

#endif /* LIBLINUX_FRAME_H */
