// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Calls that make a descriptor: the newer ones take flags.
//!
//! `dup2` of a descriptor on itself is an error for `dup3`. It changes nothing and tells whether
//! the descriptor is open, which `fcntl` tells too.
//!
//! # Invariants
//!
//! 1. Arguments that a call refuses by itself become flags that the newer one refuses: a call that
//!    the kernel was built without is `-ENOSYS` whatever its arguments.

#![expect(unsafe_code, reason = "defines entries in assembly")]

use core::arch::global_asm;
use liblinux_abi::syscall::legacy::{F_GETFD, FD_CLOEXEC};
use liblinux_abi::syscall::number;

const _: () = assert!(FD_CLOEXEC == 1, "`dup2` knows the two results of F_GETFD");

global_asm!(
    // (a) to (a, no flags).
    ".macro descriptor_flags name, number, newer",
    "    begin_legacy \\name, \\number",
    "    mov r10, rsi",
    "    mov esi, 0",
    "    newer_call \\newer",
    "    mov rsi, r10",
    "    end_legacy \\name",
    ".endm",
    ".macro legacy_pipe number",
    "    descriptor_flags pipe, \\number, {pipe2}",
    ".endm",
    ".macro legacy_eventfd number",
    "    descriptor_flags eventfd, \\number, {eventfd2}",
    ".endm",
    ".macro legacy_signalfd number",
    "    begin_legacy signalfd, \\number",
    "    mov r10d, 0",
    "    newer_call {signalfd4}",
    "    end_legacy signalfd",
    ".endm",
    ".macro legacy_inotify_init number",
    "    begin_legacy inotify_init, \\number",
    "    mov r10, rdi",
    "    mov edi, 0",
    "    newer_call {inotify_init1}",
    "    mov rdi, r10",
    "    end_legacy inotify_init",
    ".endm",
    // The size has to be positive; otherwise all flags are set, which is as invalid.
    ".macro legacy_epoll_create number",
    "    begin_legacy epoll_create, \\number",
    "    mov r10, rdi",
    "    mov ecx, 0",
    "    test edi, edi",
    "    setle cl",
    "    neg ecx",
    "    mov edi, ecx",
    "    newer_call {epoll_create1}",
    "    mov rdi, r10",
    "    end_legacy epoll_create",
    ".endm",
    ".macro legacy_dup2 number",
    "    begin_legacy dup2, \\number",
    "    mov ecx, esi",
    "    not ecx",
    "    lea ecx, [rcx + rdi + 1]", // The difference, without flags.
    "    jecxz 2f",
    "    mov r10, rdx",
    "    mov edx, 0",
    "    newer_call {dup3}",
    "    mov rdx, r10",
    "    ret",
    "2:  mov r10, rsi",
    "    mov esi, {getfd}",
    "    newer_call {fcntl}",
    "    mov rsi, r10",
    "    mov rcx, rax",
    "    jrcxz 3f",
    "    lea rcx, [rax - {cloexec}]",
    "    jrcxz 3f",
    "    ret",
    "3:  mov eax, edi",
    "    end_legacy dup2",
    ".endm",
    pipe2 = const number("pipe2"),
    eventfd2 = const number("eventfd2"),
    signalfd4 = const number("signalfd4"),
    inotify_init1 = const number("inotify_init1"),
    epoll_create1 = const number("epoll_create1"),
    dup3 = const number("dup3"),
    fcntl = const number("fcntl"),
    getfd = const F_GETFD,
    cloexec = const FD_CLOEXEC,
);
