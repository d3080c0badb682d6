// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! `rt_sigreturn`: where a signal handler returns to.
//!
//! `__vdso_rt_sigreturn` is for `sa_restorer`; it cannot be called as a function. It is exactly the
//! instruction pair by which gdb, libgcc and libunwind recognise a signal frame: the 7-byte `mov`
//! of 15 to `rax`, then `syscall`. It is reached by `ret`, so it has no `endbr64`, which would
//! spoil the pattern.
//!
//! # Invariants
//!
//! 1. The CFI describes the interrupted code's registers by where the signal frame holds them
//!    (`abi::arch::x86_64::signal`), and says that this is a signal frame.
//! 2. The CFI starts one byte early: an unwinder looks the handler's return address up minus one,
//!    because it takes it for the end of a call instruction. That byte is the previous slot's
//!    padding.

#![expect(unsafe_code, reason = "defines an entry in assembly")]

use core::arch::global_asm;
use liblinux_abi::arch::x86_64::signal::{MCONTEXT, REGISTERS, RIP, RSP};
use liblinux_abi::image::layout::SLOT_SIZE;

// `DW_CFA_def_cfa_expression` (0x0f) and `DW_CFA_expression` (0x10) of `DW_OP_breg7` (0x77: rsp)
// plus an offset, which is a two-byte SLEB128; the frame's address is the value found there
// (`DW_OP_deref`, 0x06).
const _: () = assert!(MCONTEXT > 0 && RIP < 1 << 13, "offsets fit two bytes of SLEB128");

global_asm!(
    ".macro saved_register register, index",
    "    .cfi_escape 0x10, \\register, 3, 0x77, (({mcontext} + 8 * \\index) & 0x7f) | 0x80, ({mcontext} + 8 * \\index) >> 7",
    ".endm",
    ".macro custom_rt_sigreturn number",
    "    .org {slot_size} * \\number - 1, 0xcc",
    "    .cfi_startproc",
    "    .cfi_signal_frame",
    "    .cfi_escape 0x0f, 4, 0x77, ({rsp} & 0x7f) | 0x80, {rsp} >> 7, 0x06",
    "    saved_register {r0}, 0",
    "    saved_register {r1}, 1",
    "    saved_register {r2}, 2",
    "    saved_register {r3}, 3",
    "    saved_register {r4}, 4",
    "    saved_register {r5}, 5",
    "    saved_register {r6}, 6",
    "    saved_register {r7}, 7",
    "    saved_register {r8}, 8",
    "    saved_register {r9}, 9",
    "    saved_register {r10}, 10",
    "    saved_register {r11}, 11",
    "    saved_register {r12}, 12",
    "    saved_register {r13}, 13",
    "    saved_register {r14}, 14",
    "    saved_register {r15}, 15",
    "    saved_register {r16}, 16",
    "    int3",
    "    .globl __vdso_rt_sigreturn",
    "    .type __vdso_rt_sigreturn, @function",
    "    .size __vdso_rt_sigreturn, {slot_size}",
    "    __vdso_rt_sigreturn:",
    "    .byte 0x48, 0xc7, 0xc0", // mov rax, imm32
    "    .long \\number",
    "    syscall",
    "    ud2",
    "    .cfi_endproc",
    ".endm",
    slot_size = const SLOT_SIZE,
    mcontext = const MCONTEXT,
    rsp = const RSP,
    r0 = const REGISTERS[0],
    r1 = const REGISTERS[1],
    r2 = const REGISTERS[2],
    r3 = const REGISTERS[3],
    r4 = const REGISTERS[4],
    r5 = const REGISTERS[5],
    r6 = const REGISTERS[6],
    r7 = const REGISTERS[7],
    r8 = const REGISTERS[8],
    r9 = const REGISTERS[9],
    r10 = const REGISTERS[10],
    r11 = const REGISTERS[11],
    r12 = const REGISTERS[12],
    r13 = const REGISTERS[13],
    r14 = const REGISTERS[14],
    r15 = const REGISTERS[15],
    r16 = const REGISTERS[16],
);
