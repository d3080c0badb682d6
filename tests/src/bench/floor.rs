//! The least code that could do what a function does: the call and the loads and stores that nothing can avoid.
//!
//! A floor checks nothing: neither the clock's id nor whether the data changed meanwhile. What a real function takes
//! beyond it is the price of being right.
//!
//! # Invariants
//!
//! 1. Floors are called as the functions are, so that a call is part of both.

#![expect(unsafe_code, reason = "naked functions and caller's memory")]

use crate::alternatives::has;
use liblinux_abi::alternative::FEATURE_RDPID;
use std::arch::naked_asm;

/// Only returns.
#[unsafe(naked)]
pub extern "C" fn nothing() -> isize {
    naked_asm!("xor eax, eax", "ret")
}

/// Reads the TSC, as the kernel's clocks do.
#[unsafe(naked)]
pub extern "C" fn counter() -> isize {
    naked_asm!("rdtscp", "ret")
}

/// Copies two words from `rdi` to `rsi`: a clock that is only read.
#[unsafe(naked)]
pub extern "C" fn pair() -> isize {
    naked_asm!(
        "mov rax, [rdi]",
        "mov rdx, [rdi + 8]",
        "mov [rsi], rax",
        "mov [rsi + 8], rdx",
        "xor eax, eax",
        "ret"
    )
}

/// Copies one word from `rdi` to `rsi` and returns it.
#[unsafe(naked)]
pub extern "C" fn word() -> isize {
    naked_asm!("mov rax, [rdi]", "mov [rsi], rax", "ret")
}

/// Returns the word at `rdi`.
#[unsafe(naked)]
pub extern "C" fn load() -> isize {
    naked_asm!("mov rax, [rdi]", "ret")
}

/// Stores zero and the 32-bit word at `rdi` to `rsi`: a resolution.
#[unsafe(naked)]
pub extern "C" fn resolution() -> isize {
    naked_asm!("mov eax, [rdi]", "mov qword ptr [rsi], 0", "mov [rsi + 8], rax", "xor eax, eax", "ret")
}

/// Stores the processor to `rdi` and the node to `rsi`.
#[unsafe(naked)]
extern "C" fn rdpid() -> isize {
    naked_asm!(
        ".byte 0xf3, 0x0f, 0xc7, 0xf8", // rdpid rax: the name needs a target feature.
        "mov edx, eax",
        "and edx, 0xfff",
        "mov [rdi], edx",
        "shr eax, 12",
        "mov [rsi], eax",
        "xor eax, eax",
        "ret"
    )
}

/// As [`rdpid`], for processors without it.
#[unsafe(naked)]
extern "C" fn lsl() -> isize {
    naked_asm!(
        "mov eax, 0x7b", // `liblinux_abi::processor::CPUNODE_SEGMENT`
        "lsl eax, eax",
        "mov edx, eax",
        "and edx, 0xfff",
        "mov [rdi], edx",
        "shr eax, 12",
        "mov [rsi], eax",
        "xor eax, eax",
        "ret"
    )
}

/// The floor of `getcpu`.
pub fn processor() -> *const () {
    let function: extern "C" fn() -> isize = if has(FEATURE_RDPID) { rdpid } else { lsl };
    function as *const ()
}

/// Makes the system call `edx` with two arguments.
#[unsafe(naked)]
pub extern "C" fn system_call() -> isize {
    naked_asm!("mov eax, edx", "syscall", "ret")
}

/// Copies bytes.
///
/// # Safety
///
/// Both buffers have that many bytes and do not overlap.
pub unsafe extern "C" fn copy(to: *mut u8, from: *const u8, len: usize) -> isize {
    // SAFETY: the caller's promise.
    unsafe { to.copy_from_nonoverlapping(from, len) };
    0
}
