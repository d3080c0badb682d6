# The signal handler of exception fixups on kernels that do not consult areas, and of chains; and its frame of data. Pages of a
# chain have another signature, and a dispatch of their own.
#
# It is copied to pages of its own, which are never unmapped: the library that installed it may be unloaded while another
# handler still has it as its predecessor. So it refers to nothing outside of these pages. Byte 0 is the signature, byte 16
# the handler; the data are on the second page. It makes its system calls by the image.
#
# A signal that has no fixup (that no link takes) goes to the handler that was there before, by a jump. That handler finds what the kernel would
# have given it: arguments, return address, signal mask, and its frame on the stack that it asked for. This handler runs on
# the alternate stack, since a fixup may be for code without a usable stack. Where the handler before has no SA_ONSTACK, the
# frame is copied to where the kernel would have written it: below the red zone of the interrupted stack.

# The names of fields (`liblinux_area`), of flags (`liblinux_SA_ONSTACK`) and of sizes come from
# `liblinux_abi::arch::x86_64::handler`.

	.p2align 4
liblinux_handler_page:
	.ascii "liblinux fixups1"
	push	rbx
	push	rbp
	push	r12
	push	r13
	push	r14
	push	r15
	sub	rsp, 40			# a mask, an action that dispatch may choose, and the stack is aligned
	mov	ebx, edi		# the signal
	mov	r12, rsi		# siginfo_t
	mov	r13, rdx		# struct ucontext
	lea	r15, [rip + liblinux_handler_page + liblinux_data]
	# A fault of the copy below: the copy ends at the label for a stack without room.
	lea	rax, [rip + .Lliblinux_copy]
	cmp	[r13 + liblinux_ip], rax
	jne	.Lliblinux_ask
	cmp	dword ptr [r12 + liblinux_code], 0
	jle	.Lliblinux_ask
	lea	rax, [rip + .Lliblinux_no_room]
	mov	[r13 + liblinux_ip], rax
	jmp	.Lliblinux_return
.Lliblinux_ask:
	mov	rdi, [r15 + liblinux_area]
	lea	rcx, [rsp + 8]
	call	[r15 + liblinux_dispatch]
	cmp	rax, 1
	je	.Lliblinux_return
	lea	r14, [rsp + 8]
	cmp	rax, 2			# a chain's: the signal is for this action
	je	.Lliblinux_chosen

	# No fixup: which handler was there before?
	mov	eax, ebx
	shl	eax, 5
	lea	r14, [r15 + rax + liblinux_previous]
.Lliblinux_chosen:
	mov	rbp, [r14]
	test	dword ptr [r14 + liblinux_flags], liblinux_SA_RESETHAND	# once, whichever thread comes first
	jz	.Lliblinux_known
	xor	ebp, ebp
	xchg	[r14], rbp
.Lliblinux_known:
	cmp	rbp, 1
	jbe	.Lliblinux_no_handler

	# A handler, at rbp. Is this frame on the alternate stack although that handler has no SA_ONSTACK?
	test	dword ptr [r14 + liblinux_flags], liblinux_SA_ONSTACK
	jnz	.Lliblinux_in_place
	lea	rax, [rsp + 96]		# not if another handler called this one: the kernel puts a context behind its return address
	cmp	rax, r13
	jne	.Lliblinux_in_place
	mov	rcx, [r13 + liblinux_stack_size]
	mov	rdx, [r13 + liblinux_stack_start]
	sub	rax, rdx
	cmp	rax, rcx
	jae	.Lliblinux_in_place
	cmp	dword ptr [r13 + liblinux_stack_flags], 0	# SS_AUTODISARM, the sign: whatever was interrupted
	jl	.Lliblinux_move
	mov	rax, [r13 + liblinux_sp]
	sub	rax, rdx
	dec	rax
	cmp	rax, rcx
	jb	.Lliblinux_in_place		# the code that was interrupted ran there
.Lliblinux_move:
	# The frame ends with the state at fpstate, which has to be at a multiple of 64.
	mov	rdx, [r13 + liblinux_fpstate]
	mov	ecx, liblinux_fpstate_size
	cmp	dword ptr [rdx + liblinux_magic], liblinux_FP_XSTATE_MAGIC1
	jne	.Lliblinux_size
	mov	ecx, [rdx + liblinux_extended_size]
.Lliblinux_size:
	mov	rdi, [r13 + liblinux_sp]
	sub	rdi, liblinux_red_zone
	sub	rdi, rcx
	and	rdi, -64
	lea	rsi, [r13 - 8]
	sub	rdx, rsi
	sub	rdi, rdx
	add	rcx, rdx
	mov	r8, rdi
	sub	r8, rsi			# how far it is moved
.Lliblinux_copy:
	rep movsb
	add	r12, r8
	add	r13, r8
	add	[r13 + liblinux_fpstate], r8
	lea	rax, [r13 - 8]
	jmp	.Lliblinux_mask_it
.Lliblinux_in_place:
	lea	rax, [rsp + 88]
.Lliblinux_mask_it:
	# SIG_BLOCK its mask, and its signal unless it has SA_NODEFER. r14 becomes the stack pointer that it is called with.
	mov	rdx, [r14 + liblinux_mask]
	test	dword ptr [r14 + liblinux_flags], liblinux_SA_NODEFER
	mov	r14, rax
	jnz	.Lliblinux_block
	lea	ecx, [rbx - 1]
	bts	rdx, rcx
.Lliblinux_block:
	mov	[rsp], rdx
	xor	edi, edi
	mov	rsi, rsp
	xor	edx, edx
	mov	ecx, 8
	call	[r15 + liblinux_rt_sigprocmask]
	mov	edi, ebx
	mov	rsi, r12
	mov	rdx, r13
	mov	r10, r14
	mov	r11, rbp
	add	rsp, 40
	pop	r15
	pop	r14
	pop	r13
	pop	r12
	pop	rbp
	pop	rbx
	mov	rsp, r10
	xor	eax, eax		# as from the kernel
	jmp	r11

	# SIG_DFL or SIG_IGN. A fault that happens again (its code is below SI_KERNEL, which the kernel also has for frames that
	# it cannot write, and not BUS_MCEERR_AO) does so with that disposition in place.
.Lliblinux_no_handler:
	mov	ecx, [r12 + liblinux_code]
	cmp	ecx, liblinux_SI_KERNEL
	je	.Lliblinux_end
	cmp	ecx, 0
	jle	.Lliblinux_sent
	cmp	ecx, 5
	jne	.Lliblinux_again
	cmp	ebx, 7
	je	.Lliblinux_sent
.Lliblinux_again:
	mov	edi, ebx
	mov	rsi, r14
	xor	edx, edx
	mov	ecx, 8
	call	[r15 + liblinux_rt_sigaction]
	jmp	.Lliblinux_return
.Lliblinux_sent:
	test	ebp, ebp
	jnz	.Lliblinux_return	# it is ignored
.Lliblinux_end:
	mov	edi, ebx
	lea	rsi, [r15 + liblinux_previous]
	xor	edx, edx
	mov	ecx, 8
	call	[r15 + liblinux_rt_sigaction]
	# The signal is sent again, and is delivered when the interrupted mask is back: to the code that was interrupted.
.Lliblinux_send:
	mov	qword ptr [rsp], 0
	lea	ecx, [rbx - 1]
	bts	qword ptr [rsp], rcx
	xor	edi, edi
	mov	rsi, rsp
	xor	edx, edx
	mov	ecx, 8
	call	[r15 + liblinux_rt_sigprocmask]
	call	[r15 + liblinux_getpid]
	mov	r14d, eax
	call	[r15 + liblinux_gettid]
	mov	edi, r14d
	mov	esi, eax
	mov	edx, ebx
	mov	rcx, r12
	call	[r15 + liblinux_rt_tgsigqueueinfo]
.Lliblinux_return:
	add	rsp, 40
	pop	r15
	pop	r14
	pop	r13
	pop	r12
	pop	rbp
	pop	rbx
	ret

	# The interrupted stack has no room for the frame. There the kernel raises SIGSEGV, with SI_KERNEL, and without a handler
	# if that is the signal whose frame it was.
.Lliblinux_no_room:
	cmp	ebx, 11
	je	.Lliblinux_end
	mov	ebx, 11
	mov	dword ptr [r12], ebx
	mov	dword ptr [r12 + liblinux_code], liblinux_SI_KERNEL
	mov	qword ptr [r12 + 16], 0
	jmp	.Lliblinux_send
liblinux_handler_end:
