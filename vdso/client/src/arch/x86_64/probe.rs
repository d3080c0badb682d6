//! Accesses that may fault, each with its fixup.
//!
//! They are functions and not inline code so that there is one entry for each in a DSO's table.
//! Each returns 0, or 1 and what happened.
//!
//! # Invariants
//!
//! 1. A function touches the memory that it probes by the one instruction between its labels `2`
//!    and `3`.
//! 2. At the landing `rdi`, `rsi`, `rdx` and `rcx` hold what happened (the fixups' contract), and
//!    `r8` the caller's [`Fault`], in that order of its fields; error code and signal are the
//!    halves of `rsi`.

#![expect(unsafe_code, reason = "defines functions in assembly")]

use crate::fixup;
use crate::probe::Fault;
use core::arch::naked_asm;
use core::mem::offset_of;

const _: () = {
    assert!(offset_of!(Fault, trap) == 0 && offset_of!(Fault, error_code) == 8);
    // The two halves of rsi.
    assert!(u32::BITS == liblinux_abi::fixup::SIGNAL_SHIFT);
    assert!(offset_of!(Fault, address) == 16 && offset_of!(Fault, ip) == 24);
};

macro_rules! probes {
    ($($(#[$doc:meta])* $name:ident { $($before:literal),* ; $access:literal ; $($after:literal),* })+) => {
        $(
            $(#[$doc])*
            #[unsafe(naked)]
            pub(crate) unsafe extern "C" fn $name(
                to: *mut u8,
                from: *const u8,
                fault: *mut Fault,
                count: usize,
            ) -> usize {
                naked_asm!(
                    ".cfi_startproc",
                    "mov r8, rdx",
                    $($before,)*
                    concat!("2: ", $access),
                    "3:",
                    $($after,)*
                    "xor eax, eax",
                    "ret",
                    "4:",
                    "mov [r8], rdi",
                    "mov [r8 + 8], rsi",
                    "mov [r8 + 16], rdx",
                    "mov [r8 + 24], rcx",
                    "mov eax, 1",
                    "ret",
                    ".cfi_endproc",
                    fixup!("2b" .. "3b" => "4b"),
                )
            }
        )+
    };
}

probes! {
    /// Copies `count` bytes.
    copy { ; "rep movsb"; }
    /// Reads a byte.
    load1 { ; "mov al, [rsi]"; "mov [rdi], al" }
    /// Reads 2 bytes at once.
    load2 { ; "mov ax, [rsi]"; "mov [rdi], ax" }
    /// Reads 4 bytes at once.
    load4 { ; "mov eax, [rsi]"; "mov [rdi], eax" }
    /// Reads 8 bytes at once.
    load8 { ; "mov rax, [rsi]"; "mov [rdi], rax" }
    /// Writes a byte.
    store1 { "mov al, [rsi]"; "mov [rdi], al"; }
    /// Writes 2 bytes at once.
    store2 { "mov ax, [rsi]"; "mov [rdi], ax"; }
    /// Writes 4 bytes at once.
    store4 { "mov eax, [rsi]"; "mov [rdi], eax"; }
    /// Writes 8 bytes at once.
    store8 { "mov rax, [rsi]"; "mov [rdi], rax"; }
}
