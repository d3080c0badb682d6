// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The three functions with the instruction `syscall`, and the way to the process's own ones.
//!
//! They are for a process without our image, and do what the image's `__vdso_syscall`,
//! `__vdso_clone` and `__vdso_rt_sigreturn` do. They lie side by side: where the kernel dispatches
//! system calls by the place of the instruction, this is the range.

#![expect(unsafe_code, reason = "defines functions in assembly")]

use core::arch::{global_asm, naked_asm};
use core::mem::offset_of;

use crate::facts::Facts;

global_asm!(
    // The page of facts, which the file does not have.
    ".pushsection .compat.facts, \"aw\", @nobits",
    ".hidden compat_facts",
    ".globl compat_facts",
    "compat_facts:",
    ".zero 4096",
    ".popsection",
    ".pushsection .compat.text, \"ax\", @progbits",
    ".balign 16",
    ".globl compat_entries, compat_entries_end",
    "compat_entries:",
    // (number, a1, ..., a6)
    "compat_syscall:",
    "    mov rax, rdi",
    "    mov rdi, rsi",
    "    mov rsi, rdx",
    "    mov rdx, rcx",
    "    mov r10, r8",
    "    mov r8, r9",
    "    mov r9, [rsp + 8]",
    "    syscall",
    "    ret",
    // (flags, stack, parent's number, child's number, tls)
    "compat_clone_entry:",
    "    pop r9",
    "    mov r10, rcx",
    "    mov eax, 56",
    "    syscall",
    "    test rax, rax",
    "    jz 2f",
    "    push r9",
    "    ret",
    "2:  jmp r9",
    "compat_sigreturn:",
    "    mov eax, 15",
    "    syscall",
    "    ud2",
    "compat_entries_end:",
    ".popsection",
);

/// Reads a clock by the 64-bit image, which must have the function: a timespec at `time`.
///
/// # Safety
///
/// The address must be of such memory.
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn clock_gettime(clock: u32, time: u64) -> i32 {
    naked_asm!(
        "jmp qword ptr [rip + compat_facts + {clock_gettime}]",
        clock_gettime = const offset_of!(Facts, clock_gettime),
    )
}

/// Makes a system call, by the process's entry.
///
/// # Safety
///
/// As for the call.
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn call(
    number: u64,
    a1: u64,
    a2: u64,
    a3: u64,
    a4: u64,
    a5: u64,
    a6: u64,
) -> isize {
    naked_asm!(
        "jmp qword ptr [rip + compat_facts + {syscall}]",
        syscall = const offset_of!(Facts, syscall),
    )
}
