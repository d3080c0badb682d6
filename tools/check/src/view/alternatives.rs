//! The kernel's alternatives, as its build finds them: by the names of their sections.
//!
//! The format is `struct alt_instr` of Linux 6.12: two offsets relative to themselves, a feature number with flags, two
//! lengths.
//!
//! # Invariants
//!
//! 1. Half an entry at the end is left out; the rule `alternative-format` refuses it.

use crate::image::Image;
use liblinux_abi::arch::x86_64::alternative::ENTRY_SIZE;
use std::ops::Range;

/// The table.
pub const SECTION: &str = ".altinstructions";

/// The code that it puts in.
pub const REPLACEMENTS: &str = ".altinstr_replacement";

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

/// All entries, none if there is no table.
pub fn read(image: &Image<'_>) -> Result<Vec<Alternative>, String> {
    let Some(section) = image.find_section(SECTION)? else { return Ok(Vec::new()) };
    let bytes = image.contents(section)?;
    let entries = bytes.chunks_exact(ENTRY_SIZE).zip((section.header.sh_addr..).step_by(ENTRY_SIZE));
    let word = |entry: &[u8], at: usize| {
        entry[at..at + 4].iter().rev().fold(0, |word: u32, byte| word << 8 | u32::from(*byte))
    };
    let found = entries.map(|(entry, address)| {
        let place = |at: usize| {
            address.wrapping_add(at as u64).wrapping_add_signed(word(entry, at).cast_signed().into())
        };
        let (original, replacement) = (place(0), place(4));
        Alternative {
            original: original..original.wrapping_add(entry[12].into()),
            replacement: replacement..replacement.wrapping_add(entry[13].into()),
            feature: word(entry, 8) & 0xffff,
            flags: word(entry, 8) >> 16,
        }
    });
    Ok(found.collect())
}

/// The code of the replacements, without the empty ones and those that are not in the image.
pub fn replacements(image: &Image<'_>) -> Result<Vec<Range<u64>>, String> {
    let ranges = read(image)?.into_iter().map(|entry| entry.replacement);
    Ok(ranges
        .filter(|range| range.start < range.end && image.at(range.start, range.end - range.start).is_ok())
        .collect())
}
