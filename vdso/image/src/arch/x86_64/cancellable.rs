// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! `__vdso_syscall_cancellable`: any call by its number, unless a word of the caller's is set; and
//! the slots of the other functions of cancellable calls.
//!
//! `abi::image::cancel` says what the window is. It is three instructions: look at the state, leave
//! if it is set, `syscall`. A thread that a signal finds in front of one of them has made no call,
//! or one that the kernel will make again from its beginning. Behind `syscall` a thread is not
//! moved: the call's result is in `rax`, and a descriptor in it would be lost. There the code
//! itself looks once more, and only where the kernel says that a signal ended the call: `-EINTR`
//! becomes `-ECANCELED` if the state is set by then.
//!
//! `close` is the exception. The kernel closes the descriptor even where it says `-EINTR`, so that
//! answer stays, and `-ECANCELED` always means that the descriptor is still open.
//!
//! # Invariants
//!
//! 1. It keeps the registers that the psABI says, as `__vdso_syscall` does, and not those of its
//!    arguments, which have to move by two. Saving those as well costs more than all the rest.
//! 2. The stack is the same from `vdso_cancel_start` to the end, at the landings and at the exit.
//! 3. A state that cannot be read gives `-EFAULT` and no call. Where it was readable before the
//!    call, the call's result is returned.
//! 4. Slot `n` is `export::CANCEL[n]`, at `layout::cancel_slot(n)` (the checker compares).

#![expect(unsafe_code, reason = "defines entries in assembly, turns linker symbols into numbers")]

use super::exception::on_fault;
use super::symbol::address;
use crate::cancel;
use core::arch::{asm, global_asm};
use liblinux_abi::image::cancel::Window;
use liblinux_abi::image::layout::SLOT_SIZE;
use liblinux_abi::kernel::errno::{ECANCELED, EFAULT, EINTR};
use liblinux_abi::syscall::number;

global_asm!(
    ".pushsection .text.library.syscall_cancellable, \"ax\", @progbits",
    ".globl __vdso_syscall_cancellable",
    ".type __vdso_syscall_cancellable, @function",
    "__vdso_syscall_cancellable:",
    ".cfi_startproc",
    "endbr64",
    "push rbx",
    ".cfi_adjust_cfa_offset 8",
    ".cfi_rel_offset rbx, 0",
    "push rsi",
    ".cfi_adjust_cfa_offset 8",
    "mov rbx, rdi",
    "mov rax, rsi",
    "mov rdi, rdx",
    "mov rsi, rcx",
    "mov rdx, r8",
    "mov r10, r9",
    "mov r8, [rsp + 24]",
    "mov r9, [rsp + 32]",
    ".local vdso_cancel_start, vdso_cancel_call, vdso_cancel_end, vdso_cancel_exit",
    "vdso_cancel_start:",
    "20: cmp dword ptr [rbx], 0",
    on_fault!("20b", "4f"),
    "jne vdso_cancel_exit",
    "vdso_cancel_call:",
    "syscall",
    "vdso_cancel_end:",
    "cmp rax, -{eintr}",
    "je 3f",
    "2: pop rcx",
    ".cfi_remember_state",
    ".cfi_adjust_cfa_offset -8",
    "pop rbx",
    ".cfi_adjust_cfa_offset -8",
    ".cfi_restore rbx",
    "ret",
    ".cfi_restore_state",
    // The number.
    "3: cmp dword ptr [rsp], {close}",
    "je 2b",
    "21: cmp dword ptr [rbx], 0",
    on_fault!("21b", "2b"),
    "je 2b",
    "vdso_cancel_exit:",
    "mov rax, -{ecanceled}",
    "jmp 2b",
    "4: mov rax, -{efault}",
    "jmp 2b",
    ".cfi_endproc",
    ".size __vdso_syscall_cancellable, . - __vdso_syscall_cancellable",
    ".popsection",
    ".macro cancel_slot name, body",
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
    ".pushsection .text.library.cancel, \"ax\", @progbits",
    "cancel_slot cancel_dispatch, {dispatch}",
    "cancel_slot cancel_window, {window}",
    ".popsection",
    ".purgem cancel_slot",
    eintr = const EINTR,
    ecanceled = const ECANCELED,
    efault = const EFAULT,
    close = const number("close"),
    slot_size = const SLOT_SIZE,
    dispatch = sym cancel::dispatch,
    window = sym cancel::window,
);

/// Where the window is in this process.
#[inline(always)]
pub fn cancel_window() -> Window {
    Window {
        start: address!("vdso_cancel_start"),
        call: address!("vdso_cancel_call"),
        end: address!("vdso_cancel_end"),
        exit: address!("vdso_cancel_exit"),
    }
}
