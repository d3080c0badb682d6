// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Calls that make or end a thread of execution, written by hand.
//!
//! A plain stub returns through the stack, and these calls take the stack away. A child with memory
//! of its own (`fork`) finds a copy of everything and returns like its parent. A child that shares
//! memory does not:
//!
//! - on the parent's own stack (`vfork`) it would return first and overwrite the parent's return
//!   address, so the address waits in a register while both exist;
//! - a new stack holds no return address, so the child jumps to the one in the register.
//!
//! The child jumps instead of returning because of shadow stacks: it either shares the parent's
//! (then the parent's entry has to stay on it) or has a new, empty one. The parent returns, and its
//! shadow stack balances.
//!
//! The register is `r10`, which the kernel preserves and a caller does not expect back. `clone`
//! needs that one for its fourth argument and uses `r9`.
//!
//! # Invariants
//!
//! 1. The child starts at the caller's return address with `rax` 0, `rsp` as it asked for, and
//!    every other register as in the parent, but for `rcx`, `r10`, `r11` and, from `clone`, `r9`.
//! 2. No memory below the caller's frame is used: the child of `vfork` may already have written
//!    there.
//! 3. Between `pop` and `push` of the return address no signal handler can see a wrong frame: the
//!    CFI says which register holds it.

#![expect(unsafe_code, reason = "defines entries in assembly")]

use super::exception::on_fault;
use core::arch::global_asm;
use liblinux_abi::kernel::clone::{
    CLONE_ARGS_FLAGS, CLONE_ARGS_SIZE_VER0, CLONE_ARGS_STACK, CLONE_VM,
};

global_asm!(
    // `syscall` with the return address in a register; see the module's text.
    ".macro detached_syscall address",
    "    pop \\address",
    "    .cfi_adjust_cfa_offset -8",
    "    .cfi_register rip, \\address",
    "    syscall",
    "    test rax, rax",
    "    jz 2f",
    "    push \\address",
    "    .cfi_adjust_cfa_offset 8",
    "    .cfi_offset rip, -8",
    "    ret",
    "    .cfi_adjust_cfa_offset -8",
    "    .cfi_register rip, \\address",
    "2:  notrack jmp \\address",
    ".endm",
    ".macro custom_vfork number",
    "    slot_jump vfork, \\number",
    "    body_open vfork",
    "    mov eax, \\number",
    "    detached_syscall r10",
    "    body_close vfork",
    ".endm",
    ".macro custom_clone number",
    "    slot_jump clone, \\number",
    "    body_open clone",
    "    mov eax, \\number",
    "    mov r10, rcx",
    "    test rsi, rsi",
    "    jnz 3f",
    "    test edi, {clone_vm}",
    "    jnz 3f",
    "    syscall",
    "    ret",
    "3:  detached_syscall r9",
    "    body_close clone",
    ".endm",
    ".macro custom_clone3 number",
    "    slot_jump clone3, \\number",
    "    body_open clone3",
    "    mov eax, \\number",
    "    mov rcx, rdi",
    "    mov r10, rsi",
    "    mov r11, rdx",
    "    cmp rsi, {args_size}",
    "    jb 4f",
    "5:  cmp qword ptr [rdi + {args_stack}], 0",
    "    jne 3f",
    "6:  test dword ptr [rdi + {args_flags}], {clone_vm}",
    "    jnz 3f",
    "4:  syscall",
    "    ret",
    // The arguments cannot be read. The kernel put the trap into the first three registers; let it
    // refuse the call.
    "7:  mov rdi, rcx",
    "    mov rsi, r10",
    "    mov rdx, r11",
    "    jmp 4b",
    "3:  detached_syscall r10",
    on_fault!("5b", "7b"),
    on_fault!("6b", "7b"),
    "    body_close clone3",
    ".endm",
    ".macro custom_exit number",
    "    slot_open exit, \\number, __vdso_exit, .globl",
    "    endbr64",
    "    mov eax, \\number",
    "    syscall",
    "    ud2",
    "    .cfi_endproc",
    ".endm",
    ".macro custom_exit_group number",
    "    slot_open exit_group, \\number, __vdso_exit_group, .globl",
    "    endbr64",
    "    mov eax, \\number",
    "    syscall",
    "    ud2",
    "    .cfi_endproc",
    ".endm",
    clone_vm = const CLONE_VM,
    args_flags = const CLONE_ARGS_FLAGS,
    args_stack = const CLONE_ARGS_STACK,
    args_size = const CLONE_ARGS_SIZE_VER0,
);
