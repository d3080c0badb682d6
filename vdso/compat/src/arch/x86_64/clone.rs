// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A new thread or process, from a call of 32-bit code.
//!
//! Where parent and child share memory, the shim's frame is not safe. A child on the parent's stack
//! (`vfork`) returns first, and overwrites it; a child on a new stack does not have it. So all that
//! both need is in registers when the kernel makes the child, and both go back to 32-bit code from
//! there.
//!
//! # Invariants
//!
//! 1. After the call no memory is read but the facts, and none is written but below the 32-bit
//!    stack pointer.
//! 2. All signals are blocked from before the call to behind its last use of `xmm15`, which is 0
//!    from then on: a handler must not look for the frame.

#![expect(unsafe_code, reason = "defines a function in assembly")]

use super::enter::far_jump;
use crate::facts::Facts;
use crate::frame::Frame;
use core::arch::naked_asm;
use core::mem::offset_of;

/// What the child gets.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request {
    /// `CLONE_...`, and the signal at the child's end.
    pub(crate) flags: u64,
    /// The stack pointer; 0 is the parent's.
    pub(crate) stack: u64,
    /// Where its number is written in the parent.
    pub(crate) parent_tid: u64,
    /// Where its number is written in the child.
    pub(crate) child_tid: u64,
    /// The signals that parent and child have blocked when they return.
    pub(crate) mask: u64,
    /// The base of the child's `gs`.
    pub(crate) base: u64,
}

/// Makes the call, and returns to 32-bit code in parent and child.
///
/// # Safety
///
/// The frame must be that of the call that is being made, with all signals blocked.
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn clone(request: &Request, frame: &Frame) -> ! {
    naked_asm!(
        "    movups xmm0, [rsi + {vectors}]",
        "    movups xmm1, [rsi + {vectors} + 16]",
        "    movups xmm2, [rsi + {vectors} + 32]",
        "    movups xmm3, [rsi + {vectors} + 48]",
        "    movups xmm4, [rsi + {vectors} + 64]",
        "    movups xmm5, [rsi + {vectors} + 80]",
        "    movups xmm6, [rsi + {vectors} + 96]",
        "    movups xmm7, [rsi + {vectors} + 112]",
        "    xorps xmm15, xmm15",
        // Two registers in each: ebx and ecx, edx and esi, edi and ebp, esp and eip, the child's
        // stack and its base.
        "    mov rbx, [rsi + {ebx}]",
        "    mov rbp, [rsi + {edx}]",
        "    mov r12, [rsi + {edi}]",
        "    mov r13, [rsi + {esp}]",
        "    mov r14, [rdi + {mask}]",
        "    mov r15, [rdi + {base}]",
        "    shl r15, 32",
        "    mov rax, rdi",
        "    mov rsi, [rax + {stack}]",
        "    or r15, rsi",
        "    mov rdi, [rax + {flags}]",
        "    mov rdx, [rax + {parent_tid}]",
        "    mov rcx, [rax + {child_tid}]",
        "    xor r8d, r8d",
        "    call qword ptr [rip + compat_facts + {clone}]",
        "    test eax, eax",
        "    jnz 4f",
        // The child.
        "    mov ecx, r15d",
        "    test ecx, ecx",
        "    jz 2f",
        "    shr r13, 32",
        "    shl r13, 32",
        "    or r13, rcx",
        "2:  shr r15, 32",
        "    wrgsbase r15",
        "    mov esp, r13d",
        "    sub rsp, 32",
        "    and rsp, -16",
        "    mov r8, [rip + compat_facts + {dispatch_size}]",
        "    test r8, r8",
        "    jz 3f",
        "    mov edi, 157", // prctl(PR_SET_SYSCALL_USER_DISPATCH, ON, start, size, 0)
        "    mov esi, 59",
        "    mov edx, 1",
        "    mov rcx, [rip + compat_facts + {dispatch_start}]",
        "    xor r9d, r9d",
        "    mov qword ptr [rsp], 0",
        "    call qword ptr [rip + compat_facts + {syscall}]",
        "3:  xor eax, eax",
        "4:  mov r15d, eax",
        "    mov esp, r13d",
        "    sub rsp, 32",
        "    and rsp, -16",
        "    mov [rsp + 8], r14",
        "    mov edi, 14", // rt_sigprocmask(SIG_SETMASK, mask, 0, 8)
        "    mov esi, 2",
        "    lea rdx, [rsp + 8]",
        "    xor ecx, ecx",
        "    mov r8d, 8",
        "    xor r9d, r9d",
        "    call qword ptr [rip + compat_facts + {syscall}]",
        "    mov eax, r15d",
        "    mov r11d, r13d",
        "    shr r13, 32",
        "    mov [r11 - 8], r13d",
        "    mov dword ptr [r11 - 4], {code}",
        "    mov esp, r11d",
        "    mov rcx, rbx",
        "    shr rcx, 32",
        "    mov edx, ebp",
        "    mov rsi, rbp",
        "    shr rsi, 32",
        "    mov edi, r12d",
        "    mov rbp, r12",
        "    shr rbp, 32",
        far_jump!(),
        vectors = const offset_of!(Frame, vectors),
        ebx = const offset_of!(Frame, ebx),
        edx = const offset_of!(Frame, edx),
        edi = const offset_of!(Frame, edi),
        esp = const offset_of!(Frame, esp),
        mask = const offset_of!(Request, mask),
        base = const offset_of!(Request, base),
        stack = const offset_of!(Request, stack),
        flags = const offset_of!(Request, flags),
        parent_tid = const offset_of!(Request, parent_tid),
        child_tid = const offset_of!(Request, child_tid),
        clone = const offset_of!(Facts, clone),
        syscall = const offset_of!(Facts, syscall),
        dispatch_start = const offset_of!(Facts, dispatch_start),
        dispatch_size = const offset_of!(Facts, dispatch_size),
        code = const super::enter::CODE_32,
    )
}

const _: () = assert!(
    offset_of!(Frame, ecx) == offset_of!(Frame, ebx) + 4
        && offset_of!(Frame, esi) == offset_of!(Frame, edx) + 4
        && offset_of!(Frame, ebp) == offset_of!(Frame, edi) + 4
        && offset_of!(Frame, eip) == offset_of!(Frame, esp) + 4,
    "two registers are loaded at once"
);
