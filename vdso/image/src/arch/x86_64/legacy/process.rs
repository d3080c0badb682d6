// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The group of a process, and its copy.
//!
//! # Invariants
//!
//! 1. The child of `fork` has a copy of the stack, so it restores its registers as the parent does.

#![expect(unsafe_code, reason = "defines entries in assembly")]

use core::arch::global_asm;
use liblinux_abi::syscall::legacy::SIGCHLD;
use liblinux_abi::syscall::number;

global_asm!(
    ".macro legacy_getpgrp number",
    "    begin_legacy getpgrp, \\number",
    "    mov r10, rdi",
    "    mov edi, 0",
    "    newer_call {getpgid}",
    "    mov rdi, r10",
    "    end_legacy getpgrp",
    ".endm",
    // Without flags that ask for them, `clone` reads neither its third argument nor those behind
    // it.
    ".macro legacy_fork number",
    "    begin_legacy fork, \\number",
    "    keep rsi",
    "    mov r10, rdi",
    "    mov edi, {sigchld}",
    "    mov esi, 0",
    "    newer_call {clone}",
    "    mov rdi, r10",
    "    give_back rsi",
    "    end_legacy fork",
    ".endm",
    getpgid = const number("getpgid"),
    clone = const number("clone"),
    sigchld = const SIGCHLD,
);
