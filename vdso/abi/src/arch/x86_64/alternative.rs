// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The kernel's alternatives: instructions that it replaces in the image at boot, by what the
//! processor can do.
//!
//! Source: `struct alt_instr` in `arch/x86/include/asm/alternative.h`, feature numbers in
//! `arch/x86/include/asm/cpufeatures.h`.
//!
//! # Invariants
//!
//! 1. [`ENTRY_SIZE`] and the feature numbers equal the kernel's (a test compares with the kernel
//!    tree).
//! 2. The original instructions are correct on every x86-64 processor, so an image that was not
//!    patched works too.

/// Bytes of one `.altinstructions` entry: two 32-bit offsets relative to themselves (original,
/// replacement), 32 bits of feature and flags, two lengths of one byte each; packed.
pub const ENTRY_SIZE: usize = 14;

/// `X86_FEATURE_RDTSCP`: the instruction `rdtscp`.
pub const FEATURE_RDTSCP: u32 = 32 + 27;

/// `X86_FEATURE_RDPID`: the instruction `rdpid`.
pub const FEATURE_RDPID: u32 = 16 * 32 + 22;

/// `X86_FEATURE_AVX2`: integer instructions on 256 bits. The kernel clears it where it does not
/// keep these registers.
pub const FEATURE_AVX2: u32 = 9 * 32 + 5;

/// `X86_FEATURE_AVX512VL`: the instructions of AVX-512 on 128 and 256 bits, rotations among them.
pub const FEATURE_AVX512VL: u32 = 9 * 32 + 31;
