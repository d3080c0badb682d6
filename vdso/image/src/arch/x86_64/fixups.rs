// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The entry slots of exception fixups and of the state of a process, and the image's facts about
//! its own.
//!
//! # Invariants
//!
//! 1. Slot `n` is `export::FIXUPS[n]`, at `layout::fixup_slot(n)` (the checker compares): it jumps
//!    to a body, which may be elsewhere in the next build.

#![expect(unsafe_code, reason = "defines entries in assembly, turns linker symbols into numbers")]

use super::symbol::address;
use crate::{fixup, state};
use core::arch::{asm, global_asm};
use liblinux_abi::image::layout::SLOT_SIZE;

global_asm!(
    ".macro fixup_slot name, body",
    "    .globl __vdso_\\name",
    "    .type __vdso_\\name, @function",
    "    .size __vdso_\\name, {slot_size}",
    "    __vdso_\\name:",
    "    .cfi_startproc",
    "    endbr64",
    "    jmp \\body",
    "    .cfi_endproc",
    "    .balign {slot_size}, 0xcc",
    ".endm",
    ".pushsection .text.library.fixups, \"ax\", @progbits",
    "fixup_slot fixup_area_size, {area_size}",
    "fixup_slot fixup_init, {init}",
    "fixup_slot fixup_register, {register}",
    "fixup_slot fixup_unregister, {unregister}",
    "fixup_slot fixup_grow, {grow}",
    "fixup_slot fixup_lookup, {lookup}",
    "fixup_slot fixup_attach, __vdso_fixup_attach.body",
    "fixup_slot fixup_query, __vdso_fixup_query.body",
    "fixup_slot fixup_mark, __vdso_fixup_mark.body",
    "fixup_slot fixup_dispatch, {dispatch}",
    "fixup_slot state_save, {state_save}",
    "fixup_slot state_restore, {state_restore}",
    "fixup_slot fixup_marked, __vdso_fixup_marked.body",
    "fixup_slot fixup_resume, __vdso_fixup_resume.body",
    "fixup_slot fixup_decline, __vdso_fixup_decline.body",
    "fixup_slot fixup_return, __vdso_fixup_return.body",
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
    state_save = sym state::save,
    state_restore = sym state::restore,
);

/// Start and end of the image's text, and of its mapped table of fixups.
#[inline(always)]
pub fn own_fixups() -> [u64; 4] {
    [
        address!("vdso_text"),
        address!("vdso_text_end"),
        address!("vdso_fixups"),
        address!("vdso_fixups_end"),
    ]
}

/// The selector of the code segment that this code runs in, which is 64-bit.
#[inline(always)]
pub fn code_segment() -> u16 {
    let selector: u64;
    // SAFETY: reads a register.
    unsafe {
        asm!("mov {:e}, cs", out(reg) selector, options(pure, nomem, nostack, preserves_flags))
    };
    selector as u16
}

/// The selector of the stack segment.
#[inline(always)]
pub fn stack_segment() -> u16 {
    let selector: u64;
    // SAFETY: reads a register.
    unsafe {
        asm!("mov {:e}, ss", out(reg) selector, options(pure, nomem, nostack, preserves_flags))
    };
    selector as u16
}

/// Whether the thread has a shadow stack.
#[inline(always)]
pub fn shadow_stack() -> bool {
    let mut pointer = 0_u64;
    // SAFETY: reads a register; without a shadow stack the instruction does nothing.
    unsafe {
        asm!("rdsspq {}", inout(reg) pointer, options(pure, nomem, nostack, preserves_flags))
    };
    pointer != 0
}
