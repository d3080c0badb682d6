# The signal handler of exception fixups on kernels that do not consult areas, and its frame of data.
#
# It is copied to pages of its own, which are never unmapped: the library that installed it may be unloaded while another
# handler still has it as its predecessor. So it refers to nothing outside of these pages. Byte 0 is the signature, byte 16
# the handler; the data begin at byte 4096. It makes its system calls by the image.
#
# A fault that has no fixup goes to the handler that was there before, by a jump: that handler finds the arguments, the
# stack and the return address that the kernel would have given it, and its signal mask.

	.equ liblinux_area, 0
	.equ liblinux_dispatch, 8
	.equ liblinux_rt_sigaction, 16
	.equ liblinux_rt_sigprocmask, 24
	.equ liblinux_rt_tgsigqueueinfo, 32
	.equ liblinux_getpid, 40
	.equ liblinux_gettid, 48
	.equ liblinux_previous, 64	# struct sigaction of the kernel, by signal number: handler, flags, restorer, mask

	.p2align 4
liblinux_handler_page:
	.ascii "liblinux fixups1"
	push	rbx
	push	r12
	push	r13
	push	r14
	push	r15
	mov	ebx, edi
	mov	r12, rsi
	mov	r13, rdx
	lea	r15, [rip + liblinux_handler_page + 4096]
	mov	rdi, [r15 + liblinux_area]
	call	[r15 + liblinux_dispatch]
	cmp	rax, 1
	je	5f
	# Nobody's: what was there before?
	mov	eax, ebx
	shl	eax, 5
	lea	r14, [r15 + rax + liblinux_previous]
	mov	rax, [r14]
	cmp	rax, 1
	jbe	3f
	# A handler. SIG_BLOCK its mask, and its signal unless it has SA_NODEFER.
	mov	rax, [r14 + 24]
	test	dword ptr [r14 + 8], 0x40000000
	jnz	1f
	lea	ecx, [rbx - 1]
	bts	rax, rcx
1:	push	rax
	push	rax
	xor	edi, edi
	mov	rsi, rsp
	xor	edx, edx
	mov	ecx, 8
	call	[r15 + liblinux_rt_sigprocmask]
	pop	rax
	pop	rax
	mov	rax, [r14]
	# SA_RESETHAND: once.
	test	dword ptr [r14 + 8], 0x80000000
	jz	2f
	mov	qword ptr [r14], 0
2:	mov	edi, ebx
	mov	rsi, r12
	mov	rdx, r13
	pop	r15
	pop	r14
	pop	r13
	pop	r12
	pop	rbx
	jmp	rax
	# SIG_DFL or SIG_IGN. A signal that somebody sent and that is ignored (si_code not above 0) is done with. Else that
	# disposition is put in place again: a fault happens again, and ends as it would have; a sent signal is sent again.
3:	cmp	dword ptr [r12 + 8], 0
	jg	4f
	test	eax, eax
	jnz	5f
4:	mov	edi, ebx
	mov	rsi, r14
	xor	edx, edx
	mov	ecx, 8
	call	[r15 + liblinux_rt_sigaction]
	cmp	dword ptr [r12 + 8], 0
	jg	5f
	call	[r15 + liblinux_getpid]
	mov	r14d, eax
	call	[r15 + liblinux_gettid]
	mov	edi, r14d
	mov	esi, eax
	mov	edx, ebx
	mov	rcx, r12
	call	[r15 + liblinux_rt_tgsigqueueinfo]
5:	pop	r15
	pop	r14
	pop	r13
	pop	r12
	pop	rbx
	ret
liblinux_handler_end:
