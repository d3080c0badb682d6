// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Calls that wait: for a signal, and for an epoll instance.
//!
//! # Invariants
//!
//! 1. A null signal mask leaves the mask alone, and its size is not looked at then.
//! 2. `pause` is `ppoll` of nothing without an end: both are restarted unless a handler ran,
//!    whatever its flags, and `ppoll` writes nothing back.

#![expect(unsafe_code, reason = "defines entries in assembly")]

use core::arch::global_asm;
use liblinux_abi::syscall::number;

global_asm!(
    ".macro legacy_pause number",
    "    begin_legacy pause, \\number",
    "    keep rdi",
    "    keep rsi",
    "    keep rdx",
    "    mov edi, 0",
    "    mov esi, 0",
    "    mov edx, 0",
    "    mov r10d, 0",
    "    newer_call {ppoll}",
    "    give_back rdx",
    "    give_back rsi",
    "    give_back rdi",
    "    end_legacy pause",
    ".endm",
    ".macro legacy_epoll_wait number",
    "    begin_legacy epoll_wait, \\number",
    "    keep r8",
    "    mov r10, rcx",
    "    mov r8d, 0",
    "    newer_call {epoll_pwait}",
    "    give_back r8",
    "    end_legacy epoll_wait",
    ".endm",
    ppoll = const number("ppoll"),
    epoll_pwait = const number("epoll_pwait"),
);
