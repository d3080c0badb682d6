//! The kernel's alternatives: an image's instructions replaced by better ones that this processor
//! has.
//!
//! The kernel patches its vDSO at boot (`apply_alternatives` in `arch/x86/kernel/alternative.c`).
//! An unpatched image is code that no process ever runs: to measure or test it would say nothing.
//! This does the same to the bytes of an image file, ours or the kernel's C image.
//!
//! Left out: relocation of the replacements, because a vDSO's hold no relative operand, and the
//! merging of runs of `nop` longer than `LONGEST_NOP`, because an image has none.
//!
//! # Invariants
//!
//! 1. An entry whose feature or flags are not known here is refused, never skipped: an image is
//!    never patched in part.
//! 2. Entries apply in order, so that of two for one place the later one counts.

use liblinux_abi::arch::x86_64::alternative::{
    ENTRY_SIZE, FEATURE_AVX2, FEATURE_AVX512VL, FEATURE_RDPID, FEATURE_RDTSCP,
};
use object::{Object as _, ObjectSection as _};
use std::arch::x86_64::{__cpuid, __cpuid_count};
use std::ops::Range;

/// `X86_FEATURE_LFENCE_RDTSC` (`asm/cpufeatures.h`): `lfence` waits for all earlier instructions.
const FEATURE_LFENCE_RDTSC: u32 = 20 * 32 + 2;

/// `ALT_FLAG_NOT`, in the upper half of an entry's feature: the replacement is for processors
/// without it.
const FLAG_NOT: u32 = 1 << 16;

/// Bytes of the longest `nop` written here.
const LONGEST_NOP: usize = 8;

/// `x86_nops` of `arch/x86/include/asm/nops.h`, by length from one byte on.
const NOPS: [&[u8]; LONGEST_NOP] = [
    &[0x90],
    &[0x66, 0x90],
    &[0x0f, 0x1f, 0x00],
    &[0x0f, 0x1f, 0x40, 0x00],
    &[0x0f, 0x1f, 0x44, 0x00, 0x00],
    &[0x66, 0x0f, 0x1f, 0x44, 0x00, 0x00],
    &[0x0f, 0x1f, 0x80, 0x00, 0x00, 0x00, 0x00],
    &[0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00],
];

/// One entry of the table, by offsets in the file.
#[derive(Clone, Copy, Debug)]
pub struct Alternative {
    /// Where the original instructions are.
    pub original: usize,
    /// How many bytes they have.
    pub room: usize,
    replacement: usize,
    len: usize,
    /// The kernel's number of the feature that asks for the replacement.
    pub feature: u32,
    is_negated: bool,
}

/// The alternatives of an image file, in order.
///
/// # Panics
///
/// If the file has none, or one that is not understood.
pub fn entries(file: &[u8]) -> Vec<Alternative> {
    table(file).step_by(ENTRY_SIZE).map(|at| entry(file, at)).collect()
}

fn entry(file: &[u8], at: usize) -> Alternative {
    let word = |offset: usize| {
        let bytes = file[at + offset..].first_chunk().expect("a whole entry");
        u32::from_le_bytes(*bytes)
    };
    // Addresses in an image are offsets in its file, and the two offsets count from themselves.
    let place =
        |offset: usize| (at + offset).wrapping_add_signed(word(offset).cast_signed() as isize);
    let (original, replacement, feature) = (place(0), place(4), word(8));
    let (room, len) = (usize::from(file[at + 12]), usize::from(file[at + 13]));
    assert!(len <= room, "the replacement at {replacement:#x} does not fit at {original:#x}");
    assert!(
        feature & !(0xffff | FLAG_NOT) == 0,
        "the alternative at {original:#x} has unknown flags: {feature:#x}"
    );
    let is_negated = feature & FLAG_NOT != 0;
    Alternative { original, room, replacement, len, feature: feature & 0xffff, is_negated }
}

/// Applies the alternatives of an image file, as the kernel would on this processor. Returns how
/// many were applied.
///
/// # Panics
///
/// If the file has no alternatives, or one that is not understood.
pub fn apply(file: &mut [u8]) -> usize {
    apply_without(&[], file)
}

/// As [`apply`], on a processor that lacks some features of this one.
pub fn apply_without(features: &[u32], file: &mut [u8]) -> usize {
    let has = |feature| has(feature) && !features.contains(&feature);
    let wanted = entries(file).into_iter().filter(|entry| has(entry.feature) != entry.is_negated);
    let mut applied = 0;
    for Alternative { original, room, replacement, len, .. } in wanted {
        file.copy_within(replacement..replacement + len, original);
        for gap in file[original + len..original + room].chunks_mut(LONGEST_NOP) {
            gap.copy_from_slice(NOPS[gap.len() - 1]);
        }
        applied += 1;
    }
    applied
}

/// Where the table is in the file.
fn table(file: &[u8]) -> Range<usize> {
    let elf = object::File::parse(file).expect("an ELF image");
    let section = elf.section_by_name(".altinstructions").expect("an image with alternatives");
    let (start, len) = section.file_range().expect("a table in the file");
    assert_eq!(start, section.address(), "the image's addresses are not offsets in its file");
    let (start, len) =
        (usize::try_from(start).expect("a place"), usize::try_from(len).expect("a length"));
    assert!(
        len > 0 && len.is_multiple_of(ENTRY_SIZE),
        "{len} bytes of alternatives are not whole entries"
    );
    start..start + len
}

/// Whether this processor has a feature, by the kernel's number.
///
/// # Panics
///
/// If the feature is not known here.
pub fn has(feature: u32) -> bool {
    match feature {
        FEATURE_RDTSCP => __cpuid(0x8000_0001).edx >> 27 & 1 != 0,
        FEATURE_RDPID => __cpuid_count(7, 0).ecx >> 22 & 1 != 0,
        // Every processor with SSE2, once the kernel has set the bit that old AMD ones need for it.
        FEATURE_LFENCE_RDTSC => true,
        // With the operating system's consent, which the kernel asks for as well.
        FEATURE_AVX2 => is_x86_feature_detected!("avx2"),
        FEATURE_AVX512VL => is_x86_feature_detected!("avx512vl"),
        other => panic!(
            "feature {}*32+{} of the kernel is not known here: add it to `has`",
            other / 32,
            other % 32
        ),
    }
}
