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
	/* ea, address, selector of the 64-bit code segment; the shim returns behind the call of this */
	ljmp	$0x33, $0
	.cfi_endproc
	.size __kernel_vsyscall, . - __kernel_vsyscall

/*
 * What reads a clock: the shim by the same entry, with numbers that start at CLOCKS, which the
 * assembler is given.
 */
	.macro clock name, number
	.balign 16
	.globl \name
	.type \name, @function
\name:
	.cfi_startproc
	pushl	%ebx
	.cfi_adjust_cfa_offset 4
	.cfi_rel_offset ebx, 0
	movl	8(%esp), %ebx
	movl	12(%esp), %ecx
	movl	$CLOCKS + \number, %eax
	call	__kernel_vsyscall
	popl	%ebx
	.cfi_adjust_cfa_offset -4
	.cfi_restore ebx
	ret
	.cfi_endproc
	.size \name, . - \name
	.endm

	clock	__vdso_clock_gettime64, 0
	clock	__vdso_clock_gettime, 1
	clock	__vdso_gettimeofday, 2
	clock	__vdso_time, 3

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
