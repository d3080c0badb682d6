// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Copying to and from memory that may not be there, and room on the stack.

#![expect(unsafe_code, reason = "defines functions in assembly")]

use core::arch::{global_asm, naked_asm};

global_asm!(
    ".pushsection .compat.text, \"ax\", @progbits",
    // What the compiler makes of assignments.
    ".globl compat_memcpy",
    "compat_memcpy:",
    "    mov rax, rdi",
    "    mov rcx, rdx",
    "    rep movsb",
    "    ret",
    ".globl compat_memset",
    "compat_memset:",
    "    mov r9, rdi",
    "    mov eax, esi",
    "    mov rcx, rdx",
    "    rep stosb",
    "    mov rax, r9",
    "    ret",
    ".popsection",
);

/// Copies bytes; 1 if there was a fault, after which any part may be copied, and 0 if not.
///
/// # Safety
///
/// Of the two places, one is the caller's; the other must be memory of this length.
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn copy(to: u64, from: u64, len: usize) -> u32 {
    naked_asm!(
        ".globl compat_copy_begin, compat_copy_end, compat_copy_fault",
        "compat_copy_begin:",
        "    cmp rdx, 8",
        "    jb 3f",
        "2:  mov rax, [rsi]",
        "    mov [rdi], rax",
        "    add rsi, 8",
        "    add rdi, 8",
        "    sub rdx, 8",
        "    cmp rdx, 8",
        "    jae 2b",
        "3:  test edx, 4",
        "    jz 4f",
        "    mov eax, [rsi]",
        "    mov [rdi], eax",
        "    add rsi, 4",
        "    add rdi, 4",
        "4:  and edx, 3",
        "    jz 6f",
        "5:  mov al, [rsi]",
        "    mov [rdi], al",
        "    inc rsi",
        "    inc rdi",
        "    dec edx",
        "    jnz 5b",
        "6:  xor eax, eax",
        "    ret",
        "compat_copy_end:",
        "compat_copy_fault:",
        "    mov eax, 1",
        "    ret",
    )
}

/// Calls a C function with the address of `len` bytes on the stack, and with `value`. Each page is
/// touched in turn, so that a stack grows.
///
/// # Safety
///
/// The address must be of such a function.
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn with_area(len: usize, function: u64, value: u64) {
    naked_asm!(
        "    push rbp",
        "    mov rbp, rsp",
        "    mov rax, rsi",
        "    mov rsi, rdx",
        "2:  cmp rdi, 4096",
        "    jb 3f",
        "    sub rsp, 4096",
        "    or qword ptr [rsp], 0",
        "    sub rdi, 4096",
        "    jmp 2b",
        "3:  sub rsp, rdi",
        "    and rsp, -16",
        "    mov rdi, rsp",
        "    call rax",
        "    mov rsp, rbp",
        "    pop rbp",
        "    ret",
    )
}
