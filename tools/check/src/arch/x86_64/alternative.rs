//! An entry of the kernel's table of alternatives, and the features that the image's code asks for.
//!
//! The format is `struct alt_instr` of the kernel's header `asm/alternative.h`: two offsets
//! relative to themselves, a feature number with flags, two lengths.
//!
//! # Invariants
//!
//! 1. Any bytes are an entry: addresses wrap, and rules judge them.

use iced_x86::Mnemonic;
pub use liblinux_abi::arch::x86_64::alternative::ENTRY_SIZE;
use liblinux_abi::arch::x86_64::alternative::{
    FEATURE_AVX2, FEATURE_AVX512VL, FEATURE_RDPID, FEATURE_RDTSCP,
};
use std::ops::Range;

/// The features that replacements ask for, with the instruction that needs them, if one does.
pub(crate) const FEATURES: &[(u32, Option<Mnemonic>)] = &[
    (FEATURE_RDTSCP, Some(Mnemonic::Rdtscp)),
    (FEATURE_RDPID, Some(Mnemonic::Rdpid)),
    (FEATURE_AVX2, None),
    (FEATURE_AVX512VL, None),
];

/// `ALT_FLAG_NOT`: the replacement is for processors without the feature. The kernel's other flag
/// is for calls inside it.
pub(crate) const FLAG_NOT: u32 = 1;

/// The flags of all kernels: `ALT_FLAG_NOT`, `ALT_FLAG_DIRECT_CALL`.
pub(crate) const KNOWN_FLAGS: u32 = 3;

/// More features than any kernel has, bugs among them: `(NCAPINTS + NBUGINTS) * 32`.
pub(crate) const FEATURE_LIMIT: u32 = 32 * 32;

/// One entry.
#[derive(Clone, Debug)]
pub struct Alternative {
    /// The instructions that the kernel overwrites.
    pub original: Range<u64>,
    /// What it puts there.
    pub replacement: Range<u64>,
    /// The feature that the processor must have.
    pub feature: u32,
    /// `ALT_FLAG_`.
    pub flags: u32,
}

/// Bytes of an entry of kernels before 6.3: the flags are the highest bit of the feature.
pub const OLD_ENTRY_SIZE: usize = 12;

impl Alternative {
    /// The entry of either size at an address.
    pub fn read(address: u64, entry: &[u8]) -> Option<Self> {
        if let Ok(entry) = entry.try_into() {
            return Some(Self::at(address, entry));
        }
        let old: &[u8; OLD_ENTRY_SIZE] = entry.try_into().ok()?;
        let mut new = [0; ENTRY_SIZE];
        new[..10].copy_from_slice(&old[..10]);
        new[12..].copy_from_slice(&old[10..]);
        let read = Self::at(address, &new);
        let (feature, flags) = (read.feature & 0x7fff, read.feature >> 15);
        Some(Self { feature, flags, ..read })
    }

    /// The entry at an address.
    pub fn at(address: u64, entry: &[u8; ENTRY_SIZE]) -> Self {
        let word = |at: usize| {
            u32::from_le_bytes([entry[at], entry[at + 1], entry[at + 2], entry[at + 3]])
        };
        let place = |at: usize| {
            address.wrapping_add(at as u64).wrapping_add_signed(word(at).cast_signed().into())
        };
        let (original, replacement) = (place(0), place(4));
        Self {
            original: original..original.wrapping_add(entry[12].into()),
            replacement: replacement..replacement.wrapping_add(entry[13].into()),
            feature: word(8) & 0xffff,
            flags: word(8) >> 16,
        }
    }
}
