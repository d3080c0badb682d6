//! The kernel's alternatives, as its build finds them: by the names of their sections.
//!
//! # Invariants
//!
//! 1. Half an entry at the end is left out; the rule `alternative-format` refuses it.

use crate::arch::alternative::{Alternative, ENTRY_SIZE, OLD_ENTRY_SIZE};
use crate::image::Image;
use crate::view;
use std::ops::Range;

/// The table.
pub const SECTION: &str = ".altinstructions";

/// The most bytes that are read; an image has some hundreds.
pub const LIMIT: usize = 1 << 14;

/// The code that it puts in.
pub const REPLACEMENTS: &str = ".altinstr_replacement";

/// All entries, none if the image has no table.
pub fn read(image: &Image<'_>) -> Result<Vec<Alternative>, String> {
    let Some(section) = image.find_section(SECTION)? else { return Ok(Vec::new()) };
    let bytes = image.contents(section)?;
    let start = section.header.sh_addr;
    if bytes.len() > LIMIT {
        return Err(format!(
            "{SECTION} has {} bytes; an image has fewer than {LIMIT}",
            bytes.len()
        ));
    }
    let entries = |size: usize| -> Vec<Alternative> {
        let entries = view::entries(start, bytes, size);
        entries.filter_map(|(place, entry)| Alternative::read(place, entry)).collect()
    };
    Ok(entries(entry_size(image, bytes.len(), entries)))
}

/// Bytes of an entry: those of this kernel, or of one before 6.3 if only these give originals that
/// are code.
fn entry_size(image: &Image<'_>, len: usize, entries: impl Fn(usize) -> Vec<Alternative>) -> usize {
    let text = image.text().unwrap_or_default();
    let fits = |size: usize| {
        len.is_multiple_of(size)
            && entries(size).iter().all(|entry| text.contains(&entry.original.start))
    };
    if !fits(ENTRY_SIZE) && fits(OLD_ENTRY_SIZE) { OLD_ENTRY_SIZE } else { ENTRY_SIZE }
}

/// Bytes of an entry of the image's table.
pub fn size_of_entries(image: &Image<'_>) -> Result<usize, String> {
    let (count, bytes) = (read(image)?.len(), image.contents(image.section(SECTION)?)?.len());
    Ok(if count * ENTRY_SIZE <= bytes { ENTRY_SIZE } else { OLD_ENTRY_SIZE })
}

/// The entries that code is followed through. Of an image whose rules do not account for every byte
/// these are none if an entry does not lead from the code to a replacement that fits: the table is
/// for its own rules to refuse, and not the code that a broken one leads to.
pub fn followed(image: &Image<'_>, is_liblinux: bool) -> Result<Vec<Alternative>, String> {
    if is_liblinux {
        return read(image);
    }
    let (entries, text) = (read(image).unwrap_or_default(), image.text().unwrap_or_default());
    let home = image.section(REPLACEMENTS).map(|section| &section.header);
    let home = home.map_or(0..0, |home| home.sh_addr..home.sh_addr.saturating_add(home.sh_size));
    let is_inside = |inner: &Range<u64>, outer: &Range<u64>| {
        outer.start <= inner.start && inner.end <= outer.end
    };
    let len = |range: &Range<u64>| range.end.wrapping_sub(range.start);
    let fits = |Alternative { original, replacement, .. }: &Alternative| {
        is_inside(original, &text)
            && (is_inside(replacement, &home) || replacement.is_empty())
            && len(replacement) <= len(original)
    };
    Ok(if entries.iter().all(fits) { entries } else { Vec::new() })
}

/// The code of the replacements of some entries, without the empty ones and those that are not in
/// the image.
pub fn replacements(image: &Image<'_>, entries: Vec<Alternative>) -> Vec<Range<u64>> {
    let ranges = entries.into_iter().map(|entry| entry.replacement);
    ranges
        .filter(|range| {
            range.start < range.end && image.at(range.start, range.end - range.start).is_ok()
        })
        .collect()
}
