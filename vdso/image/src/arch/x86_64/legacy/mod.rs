// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Legacy calls as functions over the calls that superseded them: see `abi::syscall::legacy` for
//! which, and which not.
//!
//! Most of them lack one argument of the newer call, a folder or flags. The kernel preserves the
//! registers of arguments, so a body moves each argument to the next register, puts the missing one
//! in front, and moves all back behind the call. A register that it overwrites it keeps in `r10`,
//! where the newer call takes no fourth argument, or on the stack.
//!
//! [`times`] and [`directory`] convert structures, [`descriptor`], [`process`] and [`wait`] are
//! about what their names say, [`path`] about file names.
//!
//! # Invariants
//!
//! 1. A body preserves what a plain stub does: every register but `rax`, `rcx`, `r10` and `r11`.
//!    The status flags too, so constants are loaded by `mov` and tests are made by `jrcxz`, but for
//!    the calls of `abi::syscall::legacy::CHANGES_FLAGS`.
//! 2. Between `syscall` and the instructions that undo the moves nothing is needed but registers
//!    that the kernel preserves and the stack above `rsp`: so the kernel may restart the call
//!    there, with the same arguments, and a handler may run in between.
//! 3. The number of the newer call is loaded right before `syscall`.
//! 4. A body stays where it is, and so does what it keeps on the stack across `syscall`: a thread
//!    that a checkpoint finds blocked there continues in the same body of a later image
//!    (`linker/x86_64/vdso.abi`).
//! 5. A body accesses the caller's memory only by `user_access`: a fault there lands in the body.

#![expect(unsafe_code, reason = "defines macros in assembly")]

mod descriptor;
mod directory;
mod path;
mod process;
mod times;
mod wait;

use super::exception::on_fault;
use core::arch::global_asm;
use liblinux_abi::kernel::errno::EFAULT;

global_asm!(
    ".macro begin_legacy name, number",
    "    slot_jump \\name, \\number",
    "    body_open \\name",
    ".endm",
    ".macro end_legacy name",
    "    ret",
    "    body_close \\name",
    ".endm",
    ".macro newer_call number",
    "    mov eax, \\number",
    "    syscall",
    ".endm",
    ".macro keep register",
    "    push \\register",
    "    .cfi_adjust_cfa_offset 8",
    ".endm",
    ".macro give_back register",
    "    pop \\register",
    "    .cfi_adjust_cfa_offset -8",
    ".endm",
    // By `lea`, which changes no flags.
    ".macro reserve bytes",
    "    lea rsp, [rsp - \\bytes]",
    "    .cfi_adjust_cfa_offset \\bytes",
    ".endm",
    ".macro release bytes",
    "    lea rsp, [rsp + \\bytes]",
    "    .cfi_adjust_cfa_offset -\\bytes",
    ".endm",
    // An access to the caller's memory. At the landing `rdi`, `rsi` and `rdx` are lost.
    ".macro user_access landing, instruction:vararg",
    "    20: \\instruction",
    on_fault!("20b", "\\landing"),
    ".endm",
    ".macro bad_address",
    "    mov rax, -{efault}",
    ".endm",
    efault = const EFAULT,
);
