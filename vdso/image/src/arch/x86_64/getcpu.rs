// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! `getcpu`: which processor and which NUMA node run the caller, as they were at some moment during
//! the call.
//!
//! The kernel keeps both in the limit of a segment descriptor of each processor, and in `TSC_AUX`,
//! which `rdpid` reads faster. Source: `vdso_read_cpunode` and `vdso_encode_cpunode` in
//! `arch/x86/include/asm/segment.h`.
//!
//! In assembly for the reasons that [`super::time`] has: most callers want no node, and a null
//! pointer takes no jump.
//!
//! # Invariants
//!
//! 1. Each pointer may be null; the third argument, a cache, has not been used since Linux 2.6.24.
//! 2. The 8 bytes below the stack pointer belong to this function (the psABI's red zone).
//! 3. The stores are in the exception table; their landing uses no register.

#![expect(unsafe_code, reason = "defines an entry in assembly")]

use super::exception::on_fault;
use core::arch::global_asm;
use liblinux_abi::arch::x86_64::alternative::FEATURE_RDPID;
use liblinux_abi::arch::x86_64::segment::{CPUNODE_BITS, CPUNODE_SEGMENT};
use liblinux_abi::kernel::errno::EFAULT;

global_asm!(
    ".pushsection .text.hot.getcpu, \"ax\", @progbits",
    ".balign 64, 0xcc",
    ".globl __vdso_getcpu",
    ".type __vdso_getcpu, @function",
    "__vdso_getcpu:",
    ".cfi_startproc",
    "20: mov eax, {segment}",
    "    lsl eax, eax",
    "21:",
    ".pushsection .altinstructions, \"a\", @progbits",
    ".long 20b - ., 22f - .",
    ".long {rdpid}",
    ".byte 21b - 20b, 23f - 22f",
    ".popsection",
    ".pushsection .altinstr_replacement, \"ax\", @progbits",
    "22: .byte 0xf3, 0x0f, 0xc7, 0xf8", // `rdpid rax`, whose name needs a target feature.
    "23:",
    ".popsection",
    "    lea rcx, [rsp - 8]",
    "    test rdi, rdi",
    "    cmovz rdi, rcx",
    "    test rsi, rsi",
    "    cmovz rsi, rcx",
    "    mov edx, eax",
    "    shr eax, {bits}",
    "    and edx, (1 << {bits}) - 1",
    "1:  mov [rdi], edx",
    "2:  mov [rsi], eax",
    "    xor eax, eax",
    "    ret",
    "3:  mov rax, -{efault}",
    "    ret",
    ".cfi_endproc",
    ".size __vdso_getcpu, . - __vdso_getcpu",
    ".popsection",
    on_fault!("1b", "3b"),
    on_fault!("2b", "3b"),
    rdpid = const FEATURE_RDPID,
    segment = const CPUNODE_SEGMENT,
    bits = const CPUNODE_BITS,
    efault = const EFAULT,
);
