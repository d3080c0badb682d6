//! Access to the caller's memory that does not crash.
//!
//! Each access is one instruction with an entry in the image's `__ex_table`. The kernel looks there before it delivers
//! a signal for a fault in its vDSO (`fixup_vdso_exception`), and resumes at the landing. The good path is the bare
//! instruction.
//!
//! # Invariants
//!
//! 1. An entry is a pair of 32-bit offsets from the table's start, of the instruction and of its landing (the kernel's
//!    `_ASM_VDSO_EXTABLE_HANDLE`).
//! 2. At a landing `rdi`, `rsi` and `rdx` hold trap, error code and address; so no access lets the compiler keep
//!    anything in them.
//! 3. What is behind the pointer belongs to the caller, who may change it at any time: values are copied, never
//!    borrowed.

#![expect(unsafe_code, reason = "accesses memory that may not exist")]

use core::arch::asm;
use liblinux_abi::errno::EFAULT;

/// The caller's memory was not accessible.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault;

/// Stores 4 bytes, aligned or not.
#[inline(always)]
pub fn store_u32(pointer: *mut u32, value: u32) -> Result<(), Fault> {
    // SAFETY: stores to memory that the caller of the image gave for it, or faults and lands below; the registers that
    // the kernel changes for the landing are declared.
    unsafe {
        asm!(
            "20: mov [rsi], {value:e}",
            ".pushsection __ex_table, \"a\", @progbits",
            ".long 20b - __ex_table, {landing} - __ex_table",
            ".popsection",
            value = in(reg) value,
            landing = label { return Err(Fault) },
            inlateout("rsi") pointer => _,
            lateout("rdi") _,
            lateout("rdx") _,
            options(nostack, preserves_flags),
        );
    }
    Ok(())
}

/// Stores 8 bytes, aligned or not.
#[inline(always)]
pub fn store_u64(pointer: *mut u64, value: u64) -> Result<(), Fault> {
    // SAFETY: as above.
    unsafe {
        asm!(
            "20: mov [rsi], {value}",
            ".pushsection __ex_table, \"a\", @progbits",
            ".long 20b - __ex_table, {landing} - __ex_table",
            ".popsection",
            value = in(reg) value,
            landing = label { return Err(Fault) },
            inlateout("rsi") pointer => _,
            lateout("rdi") _,
            lateout("rdx") _,
            options(nostack, preserves_flags),
        );
    }
    Ok(())
}

/// Stores 8 bytes and 8 bytes behind them, aligned or not. After a fault the first may have been stored.
#[inline(always)]
pub fn store_pair(pointer: *mut [u64; 2], [first, second]: [u64; 2]) -> Result<(), Fault> {
    // SAFETY: as above.
    unsafe {
        asm!(
            "20: mov [rsi], {first}",
            "21: mov [rsi + 8], {second}",
            ".pushsection __ex_table, \"a\", @progbits",
            ".long 20b - __ex_table, {landing} - __ex_table",
            ".long 21b - __ex_table, {landing} - __ex_table",
            ".popsection",
            first = in(reg) first,
            second = in(reg) second,
            landing = label { return Err(Fault) },
            inlateout("rsi") pointer => _,
            lateout("rdi") _,
            lateout("rdx") _,
            options(nostack, preserves_flags),
        );
    }
    Ok(())
}

/// What an entry returns that had to store its answer.
#[inline(always)]
pub fn stored(outcome: Result<(), Fault>) -> isize {
    match outcome {
        Ok(()) => 0,
        Err(Fault) => -EFAULT,
    }
}
