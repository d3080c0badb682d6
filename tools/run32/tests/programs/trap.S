/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * A static program that makes its calls by `int $0x80`: it writes, makes a child by vfork that ends
 * with 9, and ends as that child did. Then the child's stack is the parent's, and registers and the
 * vector registers are as they were.
 */
	.globl	_start
_start:
	movl	$0x12345678, %edi
	movd	%edi, %xmm5
	movl	$4, %eax
	movl	$1, %ebx
	movl	$text, %ecx
	movl	$6, %edx
	int	$0x80
	cmpl	$6, %eax
	jne	bad
	movl	$190, %eax
	int	$0x80
	testl	%eax, %eax
	jnz	parent
	pushl	$0
	pushl	$0
	movl	$1, %eax
	movl	$9, %ebx
	int	$0x80
parent:
	movl	%eax, %ebx
	movl	$7, %eax
	movl	$status, %ecx
	xorl	%edx, %edx
	int	$0x80
	cmpl	$0x12345678, %edi
	jne	bad
	movd	%xmm5, %edx
	cmpl	%edi, %edx
	jne	bad
	/* A fault in 32-bit code, whose handler gets the frame of an i386 kernel. */
	movl	$67, %eax
	movl	$11, %ebx
	movl	$action, %ecx
	xorl	%edx, %edx
	int	$0x80
	movl	%esp, %ebp
	movl	$7, %esi
	movl	0x20, %eax
	/* Here the handler has put the stack pointer, and 8 in esi. */
	cmpl	%esp, %ebp
	jne	bad
	cmpl	$8, %esi
	jne	bad
	movzbl	status + 1, %ebx
	movl	$252, %eax
	int	$0x80
bad:
	movl	$77, %ebx
	movl	$252, %eax
	int	$0x80

/* struct sigframe: return address, signal, then struct sigcontext. */
handler:
	cmpl	$11, 4(%esp)
	jne	bad
	cmpl	$7, 8 + 20(%esp)		/* esi */
	jne	bad
	cmpl	$0x20, 8 + 84(%esp)		/* cr2 */
	jne	bad
	cmpl	$14, 8 + 48(%esp)		/* trapno: a page fault */
	jne	bad
	movl	$8, 8 + 20(%esp)
	addl	$5, 8 + 56(%esp)		/* eip: behind the load */
	ret

	.data
text:	.ascii	"trap.\n"
status:	.long	0
action:	.long	handler, 0, 0, 0
	.section .note.GNU-stack, "", @progbits
