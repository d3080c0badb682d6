// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Access to the caller's memory that does not crash.
//!
//! Each access is one instruction with an entry in the image's `__ex_table` (see
//! `super::exception`). The kernel looks there before it delivers a signal for a fault in its vDSO
//! (`fixup_vdso_exception`), and resumes at the landing. The good path is the bare instruction.
//!
//! # Invariants
//!
//! 1. An instruction that accesses the caller's memory has an entry.
//! 2. At a landing `rdi`, `rsi` and `rdx` hold trap, error code and address; so no access lets the
//!    compiler keep anything in them.
//! 3. The memory behind the pointer belongs to the caller, which may change it at any time: values
//!    are copied, never borrowed.

#![expect(unsafe_code, reason = "accesses memory that may not exist")]

use super::exception::on_fault;
use core::arch::asm;
use core::ffi::c_void;
use liblinux_abi::kernel::errno::EFAULT;
pub use liblinux_fixup::Fault;

/// Loads by one instruction, and continues behind it after a fault as well. The last operand
/// declares `rdi`.
macro_rules! load {
    ($instruction:literal, $($operand:tt)+) => {
        // SAFETY: loads from memory that the caller of the image gave for it, or faults and loads
        // nothing; the registers that the kernel changes for the landing are declared.
        unsafe {
            asm!(
                concat!("20: ", $instruction),
                "21:",
                on_fault!("20b", "21b"),
                $($operand)+,
                lateout("rsi") _,
                lateout("rdx") _,
                options(nostack, preserves_flags),
            )
        }
    };
}

pub(super) use load;

/// Loads the byte at an offset; `absent` if it is not accessible.
#[inline(always)]
pub fn load_u8<const OFFSET: usize>(base: *const c_void, absent: u32) -> u32 {
    let mut value = absent;
    load!(
        "movzx {value:e}, byte ptr [{base} + {offset}]",
        value = inlateout(reg) value, base = in(reg) base, offset = const OFFSET, lateout("rdi") _
    );
    value
}

/// Loads the 8 bytes at an offset, aligned or not; `absent` if they are not accessible.
#[inline(always)]
pub fn load_u64<const OFFSET: usize>(base: *const c_void, absent: u64) -> u64 {
    let mut value = absent;
    load!(
        "mov {value}, [{base} + {offset}]",
        value = inlateout(reg) value, base = in(reg) base, offset = const OFFSET, lateout("rdi") _
    );
    value
}

/// Stores by instructions with a label each, which comes with the way to refer back to it; a fault
/// in any returns.
macro_rules! store {
    ([$($label:literal $place:literal $instruction:literal),+], $($operand:tt)+) => {
        // SAFETY: stores to memory that the caller of the image gave for it, or faults and lands
        // below; the registers that the kernel changes for the landing are declared.
        unsafe {
            asm!(
                $(concat!($label, ": ", $instruction),)+
                $(on_fault!($place, "{landing}"),)+
                $($operand)+,
                landing = label { return Err(Fault) },
                lateout("rdi") _,
                lateout("rsi") _,
                lateout("rdx") _,
                options(nostack, preserves_flags),
            )
        }
    };
}

/// Stores a byte at an offset.
#[inline(always)]
pub fn store_u8<const OFFSET: usize>(base: *mut c_void, value: u8) -> Result<(), Fault> {
    store!(
        ["20" "20b" "mov [{base} + {offset}], {value}"],
        value = in(reg_byte) value, base = in(reg) base, offset = const OFFSET
    );
    Ok(())
}

/// Stores 4 bytes, aligned or not.
#[inline(always)]
pub fn store_u32(pointer: *mut u32, value: u32) -> Result<(), Fault> {
    store!(["20" "20b" "mov [{pointer}], {value:e}"], value = in(reg) value, pointer = in(reg) pointer);
    Ok(())
}

/// Stores 8 bytes, aligned or not.
#[inline(always)]
pub fn store_u64(pointer: *mut u64, value: u64) -> Result<(), Fault> {
    store!(["20" "20b" "mov [{pointer}], {value}"], value = in(reg) value, pointer = in(reg) pointer);
    Ok(())
}

/// Stores 8 bytes and 8 bytes behind them, aligned or not. After a fault the first may have been
/// stored.
#[inline(always)]
pub fn store_pair(pointer: *mut [u64; 2], [first, second]: [u64; 2]) -> Result<(), Fault> {
    store!(
        ["20" "20b" "mov [{pointer}], {first}", "21" "21b" "mov [{pointer} + 8], {second}"],
        first = in(reg) first, second = in(reg) second, pointer = in(reg) pointer
    );
    Ok(())
}

/// Moves `len` bytes, at least one, and leaves zeros behind. After a fault part of them may have
/// been moved.
///
/// Words are moved from the last to the first, which is read before a word that overlaps with it is
/// gone.
#[inline(always)]
pub fn move_out(target: *mut u8, source: *mut u8, len: usize) -> Result<(), Fault> {
    // SAFETY: accesses memory that the caller of the image gave for it, or faults and lands below;
    // the registers that are changed here, or by the kernel for the landing, are declared.
    unsafe {
        asm!(
            ".macro user instruction:vararg",
            "20: \\instruction",
            on_fault!("20b", "{landing}"),
            ".endm",
            "cmp {len}, 8",
            "jb 3f",
            "user mov {first}, [rsi]",
            "lea rdx, [{len} - 8]",
            "2:",
            "user mov {last}, [rsi + rdx]",
            "user mov [rdi + rdx], {last}",
            "user mov qword ptr [rsi + rdx], 0",
            "sub rdx, 8",
            "ja 2b",
            "user mov [rdi], {first}",
            "user mov qword ptr [rsi], 0",
            "jmp 9f",
            "3: cmp {len}, 4",
            "jb 4f",
            "user mov {first:e}, [rsi]",
            "user mov {last:e}, [rsi + {len} - 4]",
            "user mov [rdi], {first:e}",
            "user mov [rdi + {len} - 4], {last:e}",
            "user mov dword ptr [rsi], 0",
            "user mov dword ptr [rsi + {len} - 4], 0",
            "jmp 9f",
            "4:",
            "user movzx {first:e}, byte ptr [rsi]",
            "user movzx {last:e}, byte ptr [rsi + {len} - 1]",
            "user mov byte ptr [rsi + {len} - 1], 0",
            "user mov [rdi + {len} - 1], {last:l}",
            "cmp {len}, 3",
            "jb 5f",
            "user movzx {last:e}, byte ptr [rsi + 1]",
            "user mov byte ptr [rsi + 1], 0",
            "user mov [rdi + 1], {last:l}",
            "5: user mov byte ptr [rsi], 0",
            "user mov [rdi], {first:l}",
            "9:",
            ".purgem user",
            first = out(reg) _,
            last = out(reg) _,
            len = in(reg) len,
            inlateout("rdi") target => _,
            inlateout("rsi") source => _,
            out("rdx") _,
            landing = label { return Err(Fault) },
            options(nostack),
        );
    }
    Ok(())
}

/// The result of an entry that had to store its answer.
#[inline(always)]
pub fn stored(outcome: Result<(), Fault>) -> isize {
    match outcome {
        Ok(()) => 0,
        Err(Fault) => efault(),
    }
}

/// `-EFAULT`, in assembly: a constant that the compiler knows it would load before the access, on
/// the good path.
#[inline(always)]
fn efault() -> isize {
    let error;
    // SAFETY: sets a register.
    unsafe {
        asm!("mov {}, -{efault}", out(reg) error, efault = const EFAULT, options(nomem, nostack, preserves_flags));
    }
    error
}
