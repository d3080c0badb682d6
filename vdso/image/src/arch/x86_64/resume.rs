// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Frames of landings: the two ends of a landing, and the way to one from a signal handler.
//!
//! `__vdso_fixup_resume` loads every register from the frame and continues where the frame says, by
//! `iretq`: one instruction takes address, flags and stack pointer, so no signal comes in between
//! and finds half of them. Under a shadow stack `iretq` faults, so the kernel resumes the thread
//! (`__vdso_fixup_return`).
//!
//! `__vdso_fixup_decline` has the kernel raise the signal, if the kernel wrote the frame. For a
//! frame of a signal handler, or if a filter refuses the call, it raises an exception with the same
//! signal here, and `__vdso_fixup_dispatch` makes it the one that is declined
//! (`liblinux_fixup::arch`). Without a handler that asks dispatch, that one ends the process.
//!
//! `vdso_fixup_enter`, behind the first function, completes a frame that dispatch has begun: at
//! `rsp` are the words of the frame from `via` on, which is the address of the landing.
//!
//! # Invariants
//!
//! 1. The CFI describes the interrupted code: by `rdi` where that is the frame, else by `rsp`. It
//!    does not say that this is a signal frame, since readers expect one of these in a vDSO, that
//!    of `rt_sigreturn`. An unwinder that comes through here in the midst looks the address of the
//!    instruction up minus one.
//! 2. What is loaded from the frame is above `rsp`, or in the red zone.
//! 3. In front of each instruction from `vdso_decline_start` to `vdso_decline_end`, `rdi` is the
//!    frame.

#![expect(unsafe_code, reason = "defines functions in assembly, turns their labels into numbers")]

use super::symbol::address;
use core::arch::{asm, global_asm};
use core::mem::offset_of;
use core::ops::Range;
use liblinux_abi::arch::x86_64::exception::{SIGBUS, SIGFPE, SIGILL};
use liblinux_abi::image::fixup::Frame;
use liblinux_abi::image::layout::BODY_ALIGN;

// Each register's DWARF number (psABI, figure 3.36) and place. `DW_CFA_def_cfa_expression` (0x0f)
// and `DW_CFA_expression` (0x10) of `DW_OP_breg5` (0x75: rdi) or `DW_OP_breg7` (0x77: rsp) plus an
// offset, a two-byte SLEB128; `DW_OP_deref` is 0x06.
const _: () = assert!(size_of::<Frame>() < 1 << 13, "offsets fit two bytes of SLEB128");

global_asm!(
    ".macro frame_saved register, base, offset",
    "    .cfi_escape 0x10, \\register, 3, \\base, ((\\offset) & 0x7f) | 0x80, ((\\offset) >> 7) & 0x7f",
    ".endm",
    ".macro frame_pointer base, offset",
    "    .cfi_escape 0x0f, 4, \\base, ((\\offset) & 0x7f) | 0x80, ((\\offset) >> 7) & 0x7f, 0x06",
    ".endm",
    // Everything is in the frame at rdi.
    ".macro frame_at_rdi",
    "    frame_pointer 0x75, {sp}",
    "    frame_saved 15, 0x75, 0",
    "    frame_saved 14, 0x75, 8",
    "    frame_saved 13, 0x75, 16",
    "    frame_saved 12, 0x75, 24",
    "    frame_saved 6, 0x75, 32",
    "    frame_saved 3, 0x75, 40",
    "    frame_saved 11, 0x75, 48",
    "    frame_saved 10, 0x75, 56",
    "    frame_saved 9, 0x75, 64",
    "    frame_saved 8, 0x75, 72",
    "    frame_saved 0, 0x75, 80",
    "    frame_saved 2, 0x75, 88",
    "    frame_saved 1, 0x75, 96",
    "    frame_saved 4, 0x75, 104",
    "    frame_saved 5, 0x75, 112",
    "    frame_saved 16, 0x75, {ip}",
    ".endm",
    ".pushsection .text.later.fixup_resume, \"ax\", @progbits",
    ".balign {body_align}",
    ".type __vdso_fixup_resume.body, @function",
    "__vdso_fixup_resume.body:",
    ".cfi_startproc",
    "frame_at_rdi",
    "xor eax, eax",
    "rdsspq rax",
    "test rax, rax",
    "jnz 2f",
    "mov r15, [rdi]",
    "mov r14, [rdi + 8]",
    "mov r13, [rdi + 16]",
    "mov r12, [rdi + 24]",
    "mov rbp, [rdi + 32]",
    "mov rbx, [rdi + 40]",
    "mov r11, [rdi + 48]",
    "mov r10, [rdi + 56]",
    "mov r9, [rdi + 64]",
    "mov r8, [rdi + 72]",
    "mov rax, [rdi + 80]",
    "mov rcx, [rdi + 88]",
    "mov rdx, [rdi + 96]",
    "mov rsi, [rdi + 104]",
    "lea rsp, [rdi + {ip}]",
    "mov rdi, [rdi + 112]",
    ".cfi_remember_state",
    "frame_pointer 0x77, {sp} - {ip}",
    ".irp register, 15, 14, 13, 12, 6, 3, 11, 10, 9, 8, 0, 2, 1, 4, 5",
    "    .cfi_restore \\register",
    ".endr",
    "frame_saved 16, 0x77, 0",
    "iretq",
    ".cfi_restore_state",
    "2: mov esi, 1",
    "jmp __vdso_fixup_return.body",
    ".local vdso_fixup_enter",
    "vdso_fixup_enter:",
    ".irp register, 15, 14, 13, 12, 6, 3, 11, 10, 9, 8, 0, 2, 1, 4, 5",
    "    .cfi_restore \\register",
    ".endr",
    "frame_pointer 0x77, {sp} - {via}",
    "frame_saved 16, 0x77, {ip} - {via}",
    "lea rsp, [rsp - {via}]",
    "frame_pointer 0x77, {sp}",
    "frame_saved 16, 0x77, {ip}",
    "mov [rsp + 112], rdi",
    "frame_saved 5, 0x77, 112",
    "mov [rsp + 104], rsi",
    "mov [rsp + 96], rdx",
    "mov [rsp + 88], rcx",
    "mov [rsp + 80], rax",
    "mov [rsp + 72], r8",
    "mov [rsp + 64], r9",
    "mov [rsp + 56], r10",
    "mov [rsp + 48], r11",
    "mov [rsp + 40], rbx",
    "mov [rsp + 32], rbp",
    "mov [rsp + 24], r12",
    "mov [rsp + 16], r13",
    "mov [rsp + 8], r14",
    "mov [rsp], r15",
    "mov rdi, rsp",
    "jmp qword ptr [rsp + {via}]",
    ".cfi_endproc",
    ".size __vdso_fixup_resume.body, . - __vdso_fixup_resume.body",
    ".popsection",
    ".pushsection .text.later.fixup_decline, \"ax\", @progbits",
    ".balign {body_align}",
    ".type __vdso_fixup_decline.body, @function",
    "__vdso_fixup_decline.body:",
    ".cfi_startproc",
    "frame_at_rdi",
    "cmp qword ptr [rdi + {via}], 0",
    "jne 2f",
    "xor esi, esi",
    "call __vdso_fixup_return.body",
    "2: mov eax, [rdi + {signal}]",
    "cmp eax, {sigill}",
    "je 3f",
    "cmp eax, {sigfpe}",
    "je 4f",
    "cmp eax, {sigbus}",
    "je 5f",
    ".local vdso_decline_start, vdso_decline_end",
    "vdso_decline_start:",
    "movabs rax, 0x8000000000000000",
    "mov rax, [rax]", // #GP: SIGSEGV
    "3: ud2",
    "4: xor eax, eax",
    "div eax",
    "5: movabs rbp, 0x8000000000000000",
    "mov rax, [rbp]", // #SS: SIGBUS
    "vdso_decline_end:",
    "ud2",
    ".cfi_endproc",
    ".size __vdso_fixup_decline.body, . - __vdso_fixup_decline.body",
    ".popsection",
    ".purgem frame_saved",
    ".purgem frame_pointer",
    ".purgem frame_at_rdi",
    body_align = const BODY_ALIGN,
    via = const offset_of!(Frame, via),
    ip = const offset_of!(Frame, ip),
    sp = const offset_of!(Frame, sp),
    signal = const offset_of!(Frame, signal),
    sigill = const SIGILL,
    sigfpe = const SIGFPE,
    sigbus = const SIGBUS,
);

/// Where a thread completes a frame that dispatch has begun.
#[inline(always)]
pub fn frame_entry() -> u64 {
    address!("vdso_fixup_enter")
}

/// The instructions by which a landing declines in user space.
#[inline(always)]
pub fn decline_sites() -> Range<u64> {
    address!("vdso_decline_start")..address!("vdso_decline_end")
}
