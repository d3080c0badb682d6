// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Times of files, converted to the newer structure on the stack.
//!
//! Source: `struct utimbuf` of `include/uapi/linux/utime.h`, `struct __kernel_old_timeval` and
//! `struct __kernel_timespec` of `include/uapi/linux/time_types.h`.
//!
//! # Invariants
//!
//! 1. As in the kernel, both times are read before any is judged, and both are judged before the
//!    path is looked at.
//! 2. At a landing, no value of the caller is in a register that is lost: the three are on the
//!    stack.

#![expect(unsafe_code, reason = "defines entries in assembly")]

use core::arch::global_asm;
use liblinux_abi::kernel::clock::{NSEC_PER_USEC, USEC_PER_SEC};
use liblinux_abi::kernel::errno::EINVAL;
use liblinux_abi::syscall::legacy::AT_FDCWD;
use liblinux_abi::syscall::number;

global_asm!(
    // Room for two times of 16 bytes each, and the three registers that a landing loses.
    ".macro times_begin",
    "    keep rdi",
    "    keep rsi",
    "    keep rdx",
    "    reserve 32",
    ".endm",
    ".macro times_end",
    "    release 32",
    "    give_back rdx",
    "    give_back rsi",
    "    give_back rdi",
    "    ret",
    "    .cfi_adjust_cfa_offset 56",
    ".endm",
    ".macro legacy_utime number",
    "    begin_legacy utime, \\number",
    "    times_begin",
    "    mov rdx, rsi",
    "    mov rcx, rsi",
    "    jrcxz 2f",
    "    user_access 4f, mov rcx, [rsi]",
    "    mov [rsp], rcx",
    "    user_access 4f, mov rcx, [rsi + 8]",
    "    mov [rsp + 16], rcx",
    "    mov qword ptr [rsp + 8], 0",
    "    mov qword ptr [rsp + 24], 0",
    "    mov rdx, rsp",
    "2:  mov rsi, rdi",
    "    mov edi, {here}",
    "    mov r10d, 0",
    "    newer_call {utimensat}",
    "3:",
    "    times_end",
    "4:  bad_address",
    "    jmp 3b",
    "    body_close utime",
    ".endm",
    // The times in `rdx`, folder and path in their places, no flags.
    ".macro times_set",
    "    mov rcx, rdx",
    "    jrcxz 2f",
    "    user_access 4f, mov rcx, [rdx]",
    "    mov [rsp], rcx",
    "    user_access 4f, mov rcx, [rdx + 8]",
    "    user_access 4f, mov r10, [rdx + 16]",
    "    mov [rsp + 16], r10",
    "    user_access 4f, mov r10, [rdx + 24]",
    "    cmp rcx, {microseconds}",
    "    jae 5f",
    "    cmp r10, {microseconds}",
    "    jae 5f",
    "    imul rcx, rcx, {nanoseconds}",
    "    mov [rsp + 8], rcx",
    "    imul r10, r10, {nanoseconds}",
    "    mov [rsp + 24], r10",
    "    mov rdx, rsp",
    "2:  mov r10d, 0",
    "    newer_call {utimensat}",
    "3:",
    "    times_end",
    "4:  bad_address",
    "    jmp 3b",
    "5:  mov rax, -{einval}",
    "    jmp 3b",
    ".endm",
    ".macro legacy_futimesat number",
    "    begin_legacy futimesat, \\number",
    "    times_begin",
    "    times_set",
    "    body_close futimesat",
    ".endm",
    ".macro legacy_utimes number",
    "    begin_legacy utimes, \\number",
    "    times_begin",
    "    mov rdx, rsi",
    "    mov rsi, rdi",
    "    mov edi, {here}",
    "    times_set",
    "    body_close utimes",
    ".endm",
    here = const AT_FDCWD,
    utimensat = const number("utimensat"),
    microseconds = const USEC_PER_SEC,
    nanoseconds = const NSEC_PER_USEC,
    einval = const EINVAL,
);
