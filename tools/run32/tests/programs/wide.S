/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * A 32-bit program with 64-bit code of its own, which makes a system call: getpid, whose result is
 * compared with that of `int $0x80`. Ends with 0 if they are the same.
 */
	.globl	_start
_start:
	movl	$20, %eax
	int	$0x80
	movl	%eax, %esi
	lcall	$0x33, $wide
	cmpl	%esi, %eax
	setne	%bl
	movzbl	%bl, %ebx
	movl	$252, %eax
	int	$0x80
wide:
	.code64
	movl	$39, %eax
	syscall
	lretl
	.section .note.GNU-stack, "", @progbits
