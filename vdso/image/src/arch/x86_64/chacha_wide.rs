// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! ChaCha20 for `getrandom` with AVX2 or AVX-512: two blocks to a register, six at a time.
//!
//! The counterpart of [`super::chacha`] for many blocks, with the same registers, invariants and
//! layout, but for the two halves of each register, which hold two blocks. AVX-512 is used for its
//! rotation, one instruction in place of three, which makes a fourth of all superfluous; its wider
//! registers are not: a request is rarely long enough for twelve blocks at a time, and processors
//! lower their frequency for them.
//!
//! # Invariants
//!
//! 1. At the end all sixteen vector registers are zero over their whole width, and no SSE
//!    instruction that follows waits for their upper halves.

#![expect(unsafe_code, reason = "defines a function in assembly")]

use core::arch::global_asm;
use core::mem::offset_of;
use liblinux_abi::kernel::random::State;

/// From how many blocks on, the two of the state included, this is the faster way.
pub(super) const BLOCKS_MIN: usize = 4;

global_asm!(
    ".pushsection .rodata.chacha, \"a\", @progbits",
    ".balign 32",
    "chacha_4: .long 4, 0, 0, 0, 4, 0, 0, 0",
    "chacha_left_16:",
    ".rept 2",
    ".byte 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13",
    ".endr",
    "chacha_left_8:",
    ".rept 2",
    ".byte 3, 0, 1, 2, 7, 4, 5, 6, 11, 8, 9, 10, 15, 12, 13, 14",
    ".endr",
    ".popsection",
    ".macro chacha_rotate_avx2 row, bits",
    "    .if \\bits % 8 == 0",
    "    vpshufb \\row, \\row, [rip + chacha_left_\\bits]",
    "    .else",
    "    vpslld ymm12, \\row, \\bits",
    "    vpsrld \\row, \\row, 32 - \\bits",
    "    vpor \\row, \\row, ymm12",
    "    .endif",
    ".endm",
    ".macro chacha_ab_avx2 a, b, c, d, bits", // a += b, d = (d ^ a) <<< bits
    "    vpaddd ymm\\a, ymm\\a, ymm\\b",
    "    vpxor ymm\\d, ymm\\d, ymm\\a",
    "    chacha_rotate_avx2 ymm\\d, \\bits",
    ".endm",
    ".macro chacha_cd_avx2 a, b, c, d, bits", // c += d, b = (b ^ c) <<< bits
    "    vpaddd ymm\\c, ymm\\c, ymm\\d",
    "    vpxor ymm\\b, ymm\\b, ymm\\c",
    "    chacha_rotate_avx2 ymm\\b, \\bits",
    ".endm",
    // With AVX-512VL a rotation is one instruction, and needs no register.
    ".macro chacha_ab_avx512vl a, b, c, d, bits",
    "    vpaddd ymm\\a, ymm\\a, ymm\\b",
    "    vpxor ymm\\d, ymm\\d, ymm\\a",
    "    vprold ymm\\d, ymm\\d, \\bits",
    ".endm",
    ".macro chacha_cd_avx512vl a, b, c, d, bits",
    "    vpaddd ymm\\c, ymm\\c, ymm\\d",
    "    vpxor ymm\\b, ymm\\b, ymm\\c",
    "    vprold ymm\\b, ymm\\b, \\bits",
    ".endm",
    ".macro chacha_diagonals_avx2 a, b, c, d, bits",
    "    vpshufd ymm\\a, ymm\\a, 0x93",
    "    vpshufd ymm\\c, ymm\\c, 0x39",
    "    vpshufd ymm\\d, ymm\\d, 0x4e",
    ".endm",
    ".macro chacha_columns_avx2 a, b, c, d, bits",
    "    vpshufd ymm\\a, ymm\\a, 0x39",
    "    vpshufd ymm\\c, ymm\\c, 0x93",
    "    vpshufd ymm\\d, ymm\\d, 0x4e",
    ".endm",
    ".macro chacha_diagonals_avx512vl a, b, c, d, bits",
    "    chacha_diagonals_avx2 \\a, \\b, \\c, \\d",
    ".endm",
    ".macro chacha_columns_avx512vl a, b, c, d, bits",
    "    chacha_columns_avx2 \\a, \\b, \\c, \\d",
    ".endm",
    ".macro chacha_start_avx2 a, b, c, d, bits",
    "    vmovdqa ymm\\a, [rip + chacha_constant]",
    "    vmovdqa ymm\\b, ymm14",
    "    vmovdqa ymm\\c, ymm15",
    ".endm",
    ".macro chacha_store_avx2 a, b, c, d, bits",
    "    vpaddd ymm\\a, ymm\\a, [rip + chacha_constant]",
    "    vpaddd ymm\\b, ymm\\b, ymm14",
    "    vpaddd ymm\\c, ymm\\c, ymm15",
    "    vpaddd ymm\\d, ymm\\d, ymm13",
    "    vpaddq ymm13, ymm13, [rip + chacha_2]",
    "    chacha_user 7f, vmovdqu [rdi], xmm\\a",
    "    chacha_user 7f, vmovdqu [rdi + 16], xmm\\b",
    "    chacha_user 7f, vmovdqu [rdi + 32], xmm\\c",
    "    chacha_user 7f, vmovdqu [rdi + 48], xmm\\d",
    "    chacha_next 8f",
    "    chacha_user 7f, vextracti128 [rdi], ymm\\a, 1",
    "    chacha_user 7f, vextracti128 [rdi + 16], ymm\\b, 1",
    "    chacha_user 7f, vextracti128 [rdi + 32], ymm\\c, 1",
    "    chacha_user 7f, vextracti128 [rdi + 48], ymm\\d, 1",
    "    chacha_next 8f",
    ".endm",
    ".macro chacha_wide name, with",
    ".pushsection .text.\\name, \"ax\", @progbits",
    ".balign 64, 0xcc",
    ".type \\name, @function",
    "\\name:",
    ".cfi_startproc",
    "chacha_user 7f, vbroadcasti128 ymm14, [rdx + {key}]",
    "chacha_user 7f, vbroadcasti128 ymm15, [rdx + {key} + 16]",
    "vmovq xmm13, r8",
    "vinserti128 ymm13, ymm13, xmm13, 1",
    "vpaddq ymm13, ymm13, [rip + chacha_0_1]",
    "3:",
    "chacha_three chacha_start_avx2",
    "vmovdqa ymm3, ymm13",
    "vpaddq ymm7, ymm13, [rip + chacha_2]",
    "vpaddq ymm11, ymm13, [rip + chacha_4]",
    "mov eax, 10",
    ".balign 32",
    "4:",
    "chacha_double_round chacha_three, \\with",
    "dec eax",
    "jnz 4b",
    "chacha_three chacha_store_avx2",
    "jmp 3b",
    "7:", // A fault.
    "mov eax, 1",
    "8:",
    "vzeroall",
    "ret",
    ".cfi_endproc",
    ".size \\name, . - \\name",
    ".popsection",
    ".endm",
    "chacha_wide chacha_generate_wide, avx2",
    "chacha_wide chacha_generate_avx512vl, avx512vl",
    key = const offset_of!(State, key),
);
