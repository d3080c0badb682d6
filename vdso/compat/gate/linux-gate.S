/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * The 32-bit image: what an i386 kernel maps as linux-gate.so.1.
 *
 * It is assembly because nothing in it can be said in another language, and so no compiler for i386
 * is needed: binutils alone assemble and link it.
 *
 * The loader writes the address of the shim's entry into the far jump, whose place is that of
 * __kernel_vsyscall.
 */

	.text
	.code32
	.balign 16
	.globl __kernel_vsyscall
	.type __kernel_vsyscall, @function
__kernel_vsyscall:
	.cfi_startproc
	/* ea, address, selector of the 64-bit code segment; the shim returns to the caller */
	ljmp	$0x33, $0
	.cfi_endproc
	.size __kernel_vsyscall, . - __kernel_vsyscall

/*
 * The clocks. Where the counter is the TSC the functions read the kernel's data, as the kernel's
 * own 32-bit image does: a reading counts if the sequence count is even, and the same before and
 * behind it. Loads are not reordered on x86, and lfence keeps rdtsc behind the first one.
 *
 * Everything else is the shim's: it is entered as for a call, with numbers that start at CLOCKS.
 *
 * The assembler is given all names in capitals: where the two clocksources are (ADJUSTED and RAW,
 * from the image's first byte), offsets in a clocksource, and facts of clocks.
 */
	.macro save register, number
	pushl	\register
	.cfi_adjust_cfa_offset 4
	.cfi_rel_offset \number, 0
	.endm
	.macro restore register, number
	popl	\register
	.cfi_adjust_cfa_offset -4
	.cfi_restore \number
	.endm

	.macro function name
	.balign 32
	.globl \name
	.type \name, @function
\name:
	.cfi_startproc
	save	%ebx, ebx
	save	%esi, esi
	save	%edi, edi
	.endm
	.macro end_function name
	restore	%edi, edi
	restore	%esi, esi
	restore	%ebx, ebx
	ret
	.cfi_endproc
	.size \name, . - \name
	.endm

/* The image's first byte in %edi: all of the image is in one page. */
	.macro find_image
	call	7f
	.cfi_adjust_cfa_offset 4
7:	popl	%edi
	.cfi_adjust_cfa_offset -4
	andl	$-PAGE_SIZE, %edi
	.endm

/* Begins a reading of the clock in %ebx, from the clocksource; \other is where it cannot be had. */
	.macro begin_reading source, other
	find_image
	shll	$TIMESTAMP_SHIFT, %ebx
	leal	\source + SECONDS(%edi, %ebx), %ebx
	movl	\source + SEQUENCE(%edi), %esi
	andl	$-2, %esi	/* so an odd one differs from itself */
	cmpl	$TSC, \source + MODE(%edi)
	jne	\other
	.endm

/* Ends it: the seconds are in %ecx and, the upper half, in %ebx. */
	.macro end_reading source, other
	movl	(%ebx), %ecx
	movl	4(%ebx), %ebx
	cmpl	%esi, \source + SEQUENCE(%edi)
	jne	\other
	.endm

/* Nanoseconds in %eax, below 2^32, from the counter; less than 2^32 counts since the update. */
	.macro read_counter source, other
	begin_reading \source, \other
	lfence
	rdtsc
	subl	\source + CYCLE_LAST(%edi), %eax
	sbbl	\source + CYCLE_LAST + 4(%edi), %edx
	jnz	\other
	mull	\source + MULT(%edi)
	addl	NANOSECONDS - SECONDS(%ebx), %eax
	adcl	NANOSECONDS - SECONDS + 4(%ebx), %edx
	jc	\other
	movl	\source + SHIFT(%edi), %ecx
	testl	$-32, %ecx
	jnz	\other
	shrdl	%cl, %edx, %eax
	shrl	%cl, %edx
	testl	%edx, %edx
	jnz	\other
	end_reading \source, \other
	.endm

/* The shim's answer, with the function's two arguments. */
	.macro by_shim number
	movl	16(%esp), %ebx
	movl	20(%esp), %ecx
	movl	$CLOCKS + \number, %eax
	call	__kernel_vsyscall
	.endm

	.macro clock_gettime name, number, is_wide
	function \name
	movl	16(%esp), %ebx
	cmpl	$31, %ebx
	ja	5f
	movl	$HIGH_RESOLUTION, %eax
	btl	%ebx, %eax
	jnc	3f
	read_counter ADJUSTED, 5f
1:	cmpl	$NSEC_PER_SEC, %eax
	jae	2f
	movl	20(%esp), %edx
	movl	%ecx, (%edx)
	.if \is_wide
	movl	%ebx, 4(%edx)
	movl	%eax, 8(%edx)
	movl	$0, 12(%edx)
	.else
	movl	%eax, 4(%edx)
	.endif
	xorl	%eax, %eax
	jmp	6f
2:	subl	$NSEC_PER_SEC, %eax
	addl	$1, %ecx
	adcl	$0, %ebx
	jmp	1b
3:	movl	$COARSE, %eax
	btl	%ebx, %eax
	jnc	4f
	begin_reading ADJUSTED, 5f
	movl	NANOSECONDS - SECONDS(%ebx), %eax
	end_reading ADJUSTED, 5f
	jmp	1b
4:	cmpl	$MONOTONIC_RAW, %ebx
	jne	5f
	read_counter RAW, 5f
	jmp	1b
5:	by_shim	\number
6:
	end_function \name
	.endm

	clock_gettime __vdso_clock_gettime64, 0, 1
	clock_gettime __vdso_clock_gettime, 1, 0

	function __vdso_gettimeofday
	cmpl	$0, 16(%esp)
	je	3f
	cmpl	$0, 20(%esp)	/* the time zone is the kernel's to know */
	jne	3f
	movl	$REALTIME, %ebx
	read_counter ADJUSTED, 3f
1:	cmpl	$NSEC_PER_SEC, %eax
	jae	2f
	movl	$0x10624dd3, %edx	/* 2^38 / 1000, rounded up: right for all 32 bits */
	mull	%edx
	shrl	$6, %edx
	movl	16(%esp), %eax
	movl	%ecx, (%eax)
	movl	%edx, 4(%eax)
	xorl	%eax, %eax
	jmp	4f
2:	subl	$NSEC_PER_SEC, %eax
	incl	%ecx
	jmp	1b
3:	by_shim	2
4:
	end_function __vdso_gettimeofday

	function __vdso_time
	find_image
	cmpl	$TSC, ADJUSTED + MODE(%edi)
	jne	2f
	/* one field, so it needs no sequence */
	movl	ADJUSTED + SECONDS + (REALTIME << TIMESTAMP_SHIFT)(%edi), %eax
	movl	16(%esp), %edx
	testl	%edx, %edx
	jz	3f
	movl	%eax, (%edx)
	jmp	3f
2:	by_shim	3
3:
	end_function __vdso_time

/*
 * Where handlers without a restorer of their own return to. The frame's registers are where
 * struct sigcontext_32 has them: at 4 in a plain frame, behind the signal's number, and at 160 in
 * one with information, from the stack pointer at the return.
 */
	.macro saved register, offset
	/* DW_CFA_expression: register, DW_OP_breg4 (esp) + offset */
	.cfi_escape 0x10, \register, 3, 0x74, ((\offset) & 0x7f) | 0x80, (\offset) >> 7
	.endm
	.macro frame context
	.cfi_signal_frame
	/* DW_CFA_def_cfa_expression: the value at esp + offset of the saved esp */
	.cfi_escape 0x0f, 4, 0x74, ((\context + 28) & 0x7f) | 0x80, (\context + 28) >> 7, 0x06
	saved	0, \context + 44
	saved	1, \context + 40
	saved	2, \context + 36
	saved	3, \context + 32
	saved	5, \context + 24
	saved	6, \context + 20
	saved	7, \context + 16
	saved	8, \context + 56
	.endm

	.balign 32
	.cfi_startproc
	frame	4
	nop	/* unwinders look for the instruction in front of the return address */
	.globl __kernel_sigreturn
	.type __kernel_sigreturn, @function
__kernel_sigreturn:
	popl	%eax
	frame	0
	movl	$119, %eax
	call	__kernel_vsyscall
	ud2
	.cfi_endproc
	.size __kernel_sigreturn, . - __kernel_sigreturn

	.balign 32
	.cfi_startproc
	frame	160
	nop
	.globl __kernel_rt_sigreturn
	.type __kernel_rt_sigreturn, @function
__kernel_rt_sigreturn:
	movl	$173, %eax
	call	__kernel_vsyscall
	ud2
	.cfi_endproc
	.size __kernel_rt_sigreturn, . - __kernel_rt_sigreturn

	.section .note.GNU-stack, "", @progbits
