// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! `__vdso_futex_robust_list64_try_unlock` and the same for a pending operation of 32 bits: unlocks
//! a robust futex that no thread waits for.
//!
//! A thread that unlocks a robust futex has to do two things: give the lock up, and say that it is
//! no longer about to (`list_op_pending` of its `struct robust_list_head`). If it dies in between,
//! the kernel follows the pending operation to memory that may be another thread's by then. So the
//! kernel completes the second step for a thread that it finds between the two: before it delivers
//! a signal to a thread in a *critical section* of these functions it looks at the zero flag, which
//! says whether the lock was given up, and clears the word that `rdx` points to.
//!
//! The kernel's `vdso2c` finds each section by two local symbols. Reference:
//! `arch/x86/entry/vdso/common/vfutex.c`, `arch/x86/include/asm/futex_robust.h` and
//! `futex_fixup_robust_unlock` of `include/linux/futex.h`.
//!
//! A program that finds the functions makes `futex` calls with `FUTEX_ROBUST_UNLOCK` where they
//! fail. A kernel that does not repair the section does not know these calls either, so the image
//! for it does not have the functions, although their code would run on it.
//!
//! # Invariants
//!
//! 1. In the section the zero flag is that of the `cmpxchg`, and `rdx` the third argument: from its
//!    first byte up to its end, wherever a signal comes.
//! 2. Neither store has an entry in an exception table: the landing would be outside the section
//!    with the second step not done, and the caller would take an error for the lock's word. A bad
//!    pointer is a signal, as in the C image.

#![expect(unsafe_code, reason = "defines entries in assembly")]

use core::arch::global_asm;
use liblinux_abi::image::layout::ROBUST_SLOT_SIZE;
use liblinux_abi::kernel::datapage::ROBUST_FUTEXES;

global_asm!(
    ".macro robust_unlock list, zero",
    "    .globl __vdso_futex_robust_\\list\\()_try_unlock",
    "    .type __vdso_futex_robust_\\list\\()_try_unlock, @function",
    "    __vdso_futex_robust_\\list\\()_try_unlock:",
    "    .cfi_startproc",
    "    endbr64",
    "    mov eax, esi",
    "    xor ecx, ecx",
    "    lock cmpxchg [rdi], ecx",
    "    .local __futex_\\list\\()_try_unlock_cs_start",
    "    __futex_\\list\\()_try_unlock_cs_start:",
    "    jnz __futex_\\list\\()_try_unlock_cs_end",
    "    mov [rdx], \\zero",
    "    .local __futex_\\list\\()_try_unlock_cs_end",
    "    __futex_\\list\\()_try_unlock_cs_end:",
    "    ret",
    "    .cfi_endproc",
    "    .size __vdso_futex_robust_\\list\\()_try_unlock, . - __vdso_futex_robust_\\list\\()_try_unlock",
    "    .balign {slot_size}, 0xcc",
    ".endm",
    ".pushsection .text.library.robust, \"ax\", @progbits",
    ".if {present}",
    "robust_unlock list64, rcx",
    "robust_unlock list32, ecx",
    ".endif",
    ".popsection",
    ".purgem robust_unlock",
    slot_size = const ROBUST_SLOT_SIZE,
    present = const ROBUST_FUTEXES as u32,
);
