//! The entry slots of exception fixups, and what the image knows of its own.
//!
//! # Invariants
//!
//! 1. Slot `n` is `export::FIXUPS[n]`, at `layout::fixup_slot(n)` (the checker compares): it jumps to a body, which may
//!    be elsewhere in the next build.

#![expect(unsafe_code, reason = "defines entries in assembly, turns linker symbols into numbers")]

use crate::fixup;
use core::arch::{asm, global_asm};
use liblinux_abi::layout::SLOT_SIZE;

global_asm!(
    ".macro fixup_slot name, body",
    "    .globl __vdso_fixup_\\name",
    "    .type __vdso_fixup_\\name, @function",
    "    .size __vdso_fixup_\\name, {slot_size}",
    "    __vdso_fixup_\\name:",
    "    .cfi_startproc",
    "    endbr64",
    "    jmp \\body",
    "    .cfi_endproc",
    "    .balign {slot_size}, 0xcc",
    ".endm",
    ".pushsection .text.library.fixups, \"ax\", @progbits",
    "fixup_slot area_size, {area_size}",
    "fixup_slot init, {init}",
    "fixup_slot register, {register}",
    "fixup_slot unregister, {unregister}",
    "fixup_slot grow, {grow}",
    "fixup_slot lookup, {lookup}",
    "fixup_slot attach, __vdso_fixup_attach.body",
    "fixup_slot query, __vdso_fixup_query.body",
    "fixup_slot mark, __vdso_fixup_mark.body",
    "fixup_slot dispatch, {dispatch}",
    ".popsection",
    ".purgem fixup_slot",
    slot_size = const SLOT_SIZE,
    area_size = sym fixup::area_size,
    init = sym fixup::init,
    register = sym fixup::register,
    unregister = sym fixup::unregister,
    grow = sym fixup::grow,
    lookup = sym fixup::lookup,
    dispatch = sym fixup::dispatch,
);

/// The address of a symbol of the linker script.
macro_rules! address {
    ($symbol:literal) => {{
        let address: u64;
        // SAFETY: computes an address.
        unsafe {
            asm!(
                concat!("lea {}, [rip + ", $symbol, "]"),
                out(reg) address,
                options(pure, nomem, nostack, preserves_flags)
            );
        }
        address
    }};
}

/// Start and end of the image's text, and of its mapped table of fixups.
#[inline(always)]
pub fn own_fixups() -> [u64; 4] {
    [address!("vdso_text"), address!("vdso_text_end"), address!("vdso_fixups"), address!("vdso_fixups_end")]
}

/// The selector of the code segment that this code runs in, which is 64-bit.
#[inline(always)]
pub fn code_segment() -> u16 {
    let selector: u64;
    // SAFETY: reads a register.
    unsafe { asm!("mov {:e}, cs", out(reg) selector, options(pure, nomem, nostack, preserves_flags)) };
    selector as u16
}
