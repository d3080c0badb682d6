//! Mutations that know what an ELF file is: fields of headers and tables, so that a mutant gets
//! past the first look at the ELF header.
//!
//! # Invariants
//!
//! 1. Mutants follow from the bytes and the seed.
//! 2. Any bytes can be mutated, those of no ELF file too.

use liblinux_check::image::Image;
use std::ops::Range;

/// Values that offsets, counts and sizes are most often wrong about.
const EDGES: [u64; 12] =
    [0, 1, 7, 8, 0xfff, 0x1000, 0xffff, 0x7fff_ffff, 0xffff_ffff, 1 << 63, u64::MAX - 7, u64::MAX];

/// Numbers that follow from a seed (xorshift64), so that a failure can be repeated.
pub(crate) struct Numbers(u64);

impl Numbers {
    /// A seed may be 0.
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed ^ 0x9e37_79b9_7f4a_7c15)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    /// A number below `bound`, 0 if that is 0.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        (self.next() >> 8).checked_rem(bound as u64).unwrap_or(0) as usize
    }
}

/// What readers read: headers and the contents of sections and segments, inside the bytes.
fn tables(bytes: &[u8]) -> Vec<Range<usize>> {
    let Ok(image) = Image::read(bytes) else { return Vec::new() };
    let class = image.class();
    let header = &image.header;
    let mut tables = vec![(0, class.header())];
    tables.push((header.e_phoff, class.segment() * u64::from(header.e_phnum)));
    tables.push((header.e_shoff, class.section() * u64::from(header.e_shnum)));
    let segments = image.segments().unwrap_or_default().iter();
    tables.extend(segments.skip(1).map(|segment| (segment.p_offset, segment.p_filesz)));
    let sections = image.sections().unwrap_or_default().iter();
    tables.extend(sections.map(|section| (section.header.sh_offset, section.header.sh_size)));
    let inside = |(start, len): (u64, u64)| {
        let start = usize::try_from(start).ok()?;
        let end = start.checked_add(usize::try_from(len).ok()?)?;
        (start < end && end <= bytes.len()).then_some(start..end)
    };
    tables.into_iter().filter_map(inside).collect()
}

/// Changes one to four fields of the bytes.
pub(crate) fn mutate(bytes: &mut Vec<u8>, most: usize, seed: u64) {
    let mut numbers = Numbers::new(seed);
    let tables = tables(bytes);
    for _ in 0..=numbers.below(4) {
        let table = tables.get(numbers.below(tables.len())).cloned().unwrap_or(0..bytes.len());
        change(bytes, &table, &mut numbers);
    }
    match numbers.below(64) {
        0 => bytes.truncate(numbers.below(bytes.len())),
        1 => bytes.resize((bytes.len() + numbers.below(4096)).min(most), numbers.next() as u8),
        _ => {}
    }
}

/// Changes one field of a table.
fn change(bytes: &mut [u8], table: &Range<usize>, numbers: &mut Numbers) {
    let width = [1, 2, 4, 8][numbers.below(4)];
    let Some(last) = table.len().checked_sub(width) else { return };
    let at = table.start + numbers.below(last + 1) / width * width;
    let word = |at: usize| {
        bytes[at..at + width].iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte))
    };
    let value = match numbers.below(6) {
        0 => word(at) ^ 1 << numbers.below(8 * width),
        1 => word(at).wrapping_add(numbers.below(65) as u64).wrapping_sub(32),
        2 => EDGES[numbers.below(EDGES.len())],
        // The same kind of field of another entry, often.
        3 => word(table.start + numbers.below(last + 1) / width * width),
        // A place in the file.
        4 => numbers.below(bytes.len()) as u64,
        _ => numbers.next(),
    };
    let value = value.to_le_bytes();
    bytes[at..at + width].copy_from_slice(&value[..width]);
}
