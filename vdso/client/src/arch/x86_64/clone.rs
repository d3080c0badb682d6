//! The call of `clone3` whose child has a new stack.
//!
//! # Invariants
//!
//! 1. The entry preserves, in the child as in the parent, every register but `rax`, `rcx`, `r10`,
//!    `r11`. So the values that the child needs wait in `rbx`, `r12` and `r13`.

#![expect(unsafe_code, reason = "a function in assembly")]

use crate::thread::{CloneArgs, Function};
use core::arch::naked_asm;
use core::ffi::c_void;

/// Calls the entry `clone3`, and returns its result. The child calls `function` with `argument`,
/// and then the entry `exit`.
///
/// # Safety
///
/// As for `clone3_with`.
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn clone3(
    clone3: usize,
    exit: usize,
    arguments: *const CloneArgs,
    size: usize,
    function: Function,
    argument: *mut c_void,
) -> isize {
    naked_asm!(
        ".cfi_startproc",
        "push rbx",
        ".cfi_adjust_cfa_offset 8",
        ".cfi_rel_offset rbx, 0",
        "push r12",
        ".cfi_adjust_cfa_offset 8",
        ".cfi_rel_offset r12, 0",
        "push r13",
        ".cfi_adjust_cfa_offset 8",
        ".cfi_rel_offset r13, 0",
        "mov rax, rdi",
        "mov rbx, rsi",
        "mov r12, r8",
        "mov r13, r9",
        "mov rdi, rdx",
        "mov rsi, rcx",
        "call rax",
        "test rax, rax",
        "jz 2f",
        ".cfi_remember_state",
        "pop r13",
        ".cfi_adjust_cfa_offset -8",
        ".cfi_restore r13",
        "pop r12",
        ".cfi_adjust_cfa_offset -8",
        ".cfi_restore r12",
        "pop rbx",
        ".cfi_adjust_cfa_offset -8",
        ".cfi_restore rbx",
        "ret",
        // The child. Nothing was called on this stack, and a backtrace ends here.
        ".cfi_restore_state",
        ".cfi_undefined rip",
        "2:",
        "xor ebp, ebp",
        "mov rdi, r13",
        "call r12",
        "mov edi, eax",
        "call rbx",
        "ud2",
        ".cfi_endproc",
    )
}
