// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! `getdents`: the entries of a folder in the older layout.
//!
//! An entry takes the same room in both layouts (`abi::syscall::legacy::DIRENT_RECLEN`): so
//! `getdents64` stops where `getdents` would, and each entry is converted where it lies, by moving
//! its name one byte towards the front and the type from there to the end. Words are read and
//! written in order: the last one read is the next one written.
//!
//! # Invariants
//!
//! 1. Lengths are read from memory that other threads may write. An entry that is smaller than any,
//!    larger than the rest, or whose length is not a multiple of 8, ends the conversion; the result
//!    is the kernel's.
//! 2. An entry that cannot be written ends the answer in front of it, or is `-EFAULT` if it is the
//!    first.

#![expect(unsafe_code, reason = "defines an entry in assembly")]

use core::arch::global_asm;
use liblinux_abi::syscall::legacy::{DIRENT_MIN, DIRENT_RECLEN};
use liblinux_abi::syscall::number;

/// Where the caller's buffer is kept, from `rsp`: above the end of all entries and `rdx`.
const BUFFER: usize = 16;

const _: () =
    assert!(DIRENT_RECLEN + 8 == DIRENT_MIN, "the smallest entry ends with the word of its length");

global_asm!(
    ".macro legacy_getdents number",
    "    begin_legacy getdents, \\number",
    "    newer_call {getdents64}",
    "    test rax, rax",
    "    jg 2f",
    "    ret",
    "2:  keep rdi",
    "    keep rsi",
    "    keep rdx",
    "    reserve 8",
    "    mov r10, rsi", // The entry.
    "    add rax, rsi",
    "    mov [rsp], rax", // The end of all entries.
    "3:  mov rcx, [rsp]",
    "    sub rcx, r10",
    "    cmp rcx, {smallest}",
    "    jb 6f",
    "    user_access 7f, mov rdx, [r10 + {reclen}]", // Length, type and name.
    "    movzx edi, dx",
    "    cmp edi, {smallest}",
    "    jb 6f",
    "    test edi, 7",
    "    jnz 6f",
    "    cmp rdi, rcx",
    "    ja 6f",
    "    add rdi, r10", // The end of the entry.
    "    lea rcx, [r10 + {reclen}]",
    "    mov esi, edx",
    "    shr esi, 16",
    "    shl rsi, 56", // The type, as the last byte of a word.
    "    mov rax, rdx",
    "    shr rax, 24",
    "    shl rax, 16",
    "    movzx edx, dx",
    "    or rax, rdx", // The length and the name, without the last byte.
    "4:  lea r11, [rcx + 8]",
    "    cmp r11, rdi",
    "    je 5f",
    "    user_access 7f, mov rdx, [r11]",
    "    mov r11, rdx",
    "    shl r11, 56",
    "    or rax, r11",
    "    user_access 7f, mov [rcx], rax",
    "    add rcx, 8",
    "    mov rax, rdx",
    "    shr rax, 8",
    "    jmp 4b",
    "5:  or rax, rsi",
    "    user_access 7f, mov [rcx], rax",
    "    mov r10, rdi",
    "    jmp 3b",
    "6:  mov rax, [rsp]",
    "    sub rax, [rsp + {buffer}]",
    "    jmp 8f",
    "7:  mov rax, r10",
    "    sub rax, [rsp + {buffer}]",
    "    jnz 8f",
    "    bad_address",
    "8:  release 8",
    "    give_back rdx",
    "    give_back rsi",
    "    give_back rdi",
    "    end_legacy getdents",
    ".endm",
    getdents64 = const number("getdents64"),
    reclen = const DIRENT_RECLEN,
    smallest = const DIRENT_MIN,
    buffer = const BUFFER,
);
