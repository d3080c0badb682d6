// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! ChaCha20 for `getrandom`: output to the caller, and then a new batch and a new key.
//!
//! One function makes as many blocks as the caller asked for and the two that refill the state. The
//! blocks belong to one stream, so the state's two are made side by side with the others, not after
//! them: a block's latency is that of 20 rounds, and a single block fills a third of the processor.
//!
//! A register holds a row of four words of a block, so a step of four quarter rounds is a step of
//! four instructions. Between the two halves of a double round the rows `a`, `c` and `d` are turned
//! against `b`, the row that is ready last. A layout with a word of all blocks in a register was
//! not chosen: its 16 words would leave no register to rotate in, and half-made blocks give the key
//! away, so they are not spilled.
//!
//! This file has SSE2, which every x86-64 processor has, and the start of the function;
//! `super::chacha_wide` has AVX2 and AVX-512, which the kernel's alternatives choose.
//!
//! A block is known by its number, ChaCha20's counter of 64 bits. The stream of a key starts at 0
//! here, but the function takes any numbers: a counter in a register costs what a zero does, and it
//! is what a judge of the function that knows nothing of states asks for (the kernel's
//! `vdso_test_chacha`).
//!
//! # Invariants
//!
//! 1. Nothing is written but the blocks: no stack. All vector registers used are zero at the end,
//!    also after a fault.
//! 2. The key is read once, before anything is written; the state is written after everything else.
//! 3. Every access to memory that is the caller's has an entry in `__ex_table`.
//! 4. At the end without a fault `r8` is `rcx`: the number of the block that comes next.
//!
//! Registers: `rdi` where the next block goes, `rsi` blocks until it goes to the state, `rdx` the
//! state, `r8` the next block's number, `rcx` the number to stop at, `rax` blocks left, then
//! rounds; rows `a` to `d` of three sets of blocks in 0 to 11, 12 to rotate in, 13 row `d` of the
//! next block to store, 14 and 15 the key.

#![expect(unsafe_code, reason = "defines a function in assembly and calls it")]

use super::exception::on_fault;
use super::user::Fault;
use core::arch::{asm, global_asm};
use core::mem::offset_of;
use liblinux_abi::arch::x86_64::alternative::{FEATURE_AVX2, FEATURE_AVX512VL};
use liblinux_abi::kernel::random::{BLOCK_SIZE, KEY_SIZE, State};

/// Blocks that fill a state's batch and key.
const REFILL: usize = (offset_of!(State, key) + KEY_SIZE) / BLOCK_SIZE;

const _: () = assert!(
    offset_of!(State, batch) == 0 && REFILL * BLOCK_SIZE == offset_of!(State, key) + KEY_SIZE
);

/// Fills `blocks` blocks at `buffer` from the state's key, then the state's batch and key. After a
/// fault, part of the blocks may have been stored, and the key may be the old one.
#[inline(always)]
pub fn generate(buffer: *mut u8, blocks: usize, state: *mut State) -> Result<(), Fault> {
    let fault: u32;
    // SAFETY: writes the caller's buffer and state, or faults and says so; changes only registers
    // that a C function may.
    unsafe {
        asm!(
            "call chacha_generate",
            inlateout("rdi") buffer => _,
            inlateout("rsi") blocks => _,
            inlateout("rdx") state => _,
            inlateout("rcx") blocks + REFILL => _,
            inlateout("r8") 0_u64 => _,
            lateout("eax") fault,
            clobber_abi("C"),
        );
    }
    if fault == 0 { Ok(()) } else { Err(Fault) }
}

global_asm!(
    ".pushsection .rodata.chacha, \"a\", @progbits",
    ".balign 32",
    "chacha_constant: .ascii \"expand 32-byte kexpand 32-byte k\"",
    "chacha_0_1: .long 0, 0, 0, 0", // Rows `d` of two blocks; the second alone is what SSE2 adds.
    "chacha_1: .long 1, 0, 0, 0",
    "chacha_2: .long 2, 0, 0, 0, 2, 0, 0, 0",
    ".popsection",
    // An access to the caller's memory.
    ".macro chacha_user landing, instruction:vararg",
    "    20: \\instruction",
    on_fault!("20b", "\\landing"),
    ".endm",
    // Does a step for all sets of blocks, given as the numbers of their registers.
    ".macro chacha_two step, bits=0",
    "    \\step 0, 1, 2, 3, \\bits",
    "    \\step 4, 5, 6, 7, \\bits",
    ".endm",
    ".macro chacha_three step, bits=0",
    "    chacha_two \\step, \\bits",
    "    \\step 8, 9, 10, 11, \\bits",
    ".endm",
    ".macro chacha_double_round sets, with",
    "    \\sets chacha_ab_\\with, 16",
    "    \\sets chacha_cd_\\with, 12",
    "    \\sets chacha_ab_\\with, 8",
    "    \\sets chacha_cd_\\with, 7",
    "    \\sets chacha_diagonals_\\with",
    "    \\sets chacha_ab_\\with, 16",
    "    \\sets chacha_cd_\\with, 12",
    "    \\sets chacha_ab_\\with, 8",
    "    \\sets chacha_cd_\\with, 7",
    "    \\sets chacha_columns_\\with",
    ".endm",
    // How many blocks are left?
    ".macro chacha_left",
    "    mov rax, rcx",
    "    sub rax, r8",
    ".endm",
    // The block is stored: where does the next one go? Leaves the loop after the last one.
    ".macro chacha_next done",
    "    add rdi, {block}",
    "    inc r8",
    "    dec rsi",
    "    cmovz rdi, rdx",
    "    cmp r8, rcx",
    "    je \\done",
    ".endm",
    ".macro chacha_rotate_sse2 row, bits",
    "    .if \\bits == 16",
    "    pshuflw \\row, \\row, 0xb1",
    "    pshufhw \\row, \\row, 0xb1",
    "    .else",
    "    movdqa xmm12, \\row",
    "    pslld xmm12, \\bits",
    "    psrld \\row, 32 - \\bits",
    "    por \\row, xmm12",
    "    .endif",
    ".endm",
    ".macro chacha_ab_sse2 a, b, c, d, bits", // a += b, d = (d ^ a) <<< bits
    "    paddd xmm\\a, xmm\\b",
    "    pxor xmm\\d, xmm\\a",
    "    chacha_rotate_sse2 xmm\\d, \\bits",
    ".endm",
    ".macro chacha_cd_sse2 a, b, c, d, bits", // c += d, b = (b ^ c) <<< bits
    "    paddd xmm\\c, xmm\\d",
    "    pxor xmm\\b, xmm\\c",
    "    chacha_rotate_sse2 xmm\\b, \\bits",
    ".endm",
    ".macro chacha_diagonals_sse2 a, b, c, d, bits",
    "    pshufd xmm\\a, xmm\\a, 0x93",
    "    pshufd xmm\\c, xmm\\c, 0x39",
    "    pshufd xmm\\d, xmm\\d, 0x4e",
    ".endm",
    ".macro chacha_columns_sse2 a, b, c, d, bits",
    "    pshufd xmm\\a, xmm\\a, 0x39",
    "    pshufd xmm\\c, xmm\\c, 0x93",
    "    pshufd xmm\\d, xmm\\d, 0x4e",
    ".endm",
    ".macro chacha_start_sse2 a, b, c, d, bits",
    "    movdqa xmm\\a, [rip + chacha_constant]",
    "    movdqa xmm\\b, xmm14",
    "    movdqa xmm\\c, xmm15",
    "    movdqa xmm\\d, xmm13",
    ".endm",
    ".macro chacha_store_sse2 a, b, c, d, bits",
    "    paddd xmm\\a, [rip + chacha_constant]",
    "    paddd xmm\\b, xmm14",
    "    paddd xmm\\c, xmm15",
    "    paddd xmm\\d, xmm13",
    "    paddq xmm13, [rip + chacha_1]",
    "    chacha_user 7f, movups [rdi], xmm\\a",
    "    chacha_user 7f, movups [rdi + 16], xmm\\b",
    "    chacha_user 7f, movups [rdi + 32], xmm\\c",
    "    chacha_user 7f, movups [rdi + 48], xmm\\d",
    "    chacha_next 8f",
    ".endm",
    block = const BLOCK_SIZE,
);

global_asm!(
    ".pushsection .text.chacha_generate, \"ax\", @progbits",
    ".balign 64, 0xcc",
    ".type chacha_generate, @function",
    "chacha_generate:",
    ".cfi_startproc",
        "test rsi, rsi",
    "cmovz rdi, rdx",
    // With AVX2 the kernel takes this jump away: it has many blocks made by the other function.
    "30: jmp 9f",
    "31: chacha_left",
    "cmp rax, {wide}",
    "jb 9f",
    // And with AVX-512VL this one.
    "33: jmp chacha_generate_wide",
    "34: jmp chacha_generate_avx512vl",
    ".pushsection .altinstructions, \"a\", @progbits",
    ".long 33b - ., 32f - .",
    ".long {avx512vl}",
    ".byte 34b - 33b, 0",
    ".popsection",
    ".pushsection .altinstructions, \"a\", @progbits",
    ".long 30b - ., 32f - .",
    ".long {feature}",
    ".byte 31b - 30b, 0",
    ".popsection",
    ".pushsection .altinstr_replacement, \"ax\", @progbits",
    "32:",
    ".popsection",
    "9:",
    "chacha_user 7f, movups xmm14, [rdx + {key}]",
    "chacha_user 7f, movups xmm15, [rdx + {key} + 16]",
    "movq xmm13, r8",
    "2:",
    "chacha_left",
    "cmp rax, 3",
    "jb 5f",
    "3:",
    "chacha_three chacha_start_sse2",
    "paddq xmm7, [rip + chacha_1]",
    "paddq xmm11, [rip + chacha_2]",
    "mov eax, 10",
    ".balign 32",
    "4:",
    "chacha_double_round chacha_three, sse2",
    "dec eax",
    "jnz 4b",
    "chacha_three chacha_store_sse2",
    "jmp 2b",
    "5:",
    "chacha_two chacha_start_sse2",
    "paddq xmm7, [rip + chacha_1]",
    "mov eax, 10",
    ".balign 32",
    "6:",
    "chacha_double_round chacha_two, sse2",
    "dec eax",
    "jnz 6b",
    "chacha_two chacha_store_sse2",
    "7:", // A fault. One pass is always enough for two blocks, so this is not fallen into.
    "mov eax, 1",
    "8:",
    ".irp register, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15",
    "pxor xmm\\register, xmm\\register",
    ".endr",
    "ret",
    ".cfi_endproc",
    ".size chacha_generate, . - chacha_generate",
    ".popsection",
    feature = const FEATURE_AVX2,
    avx512vl = const FEATURE_AVX512VL,
    key = const offset_of!(State, key),
    wide = const super::chacha_wide::BLOCKS_MIN,
);
