//! The kernel's alternatives, as its build finds them: by the names of their sections.
//!
//! # Invariants
//!
//! 1. Half an entry at the end is left out; the rule `alternative-format` refuses it.

use crate::arch::alternative::{Alternative, ENTRY_SIZE};
use crate::image::Image;
use std::ops::Range;

/// The table.
pub const SECTION: &str = ".altinstructions";

/// The code that it puts in.
pub const REPLACEMENTS: &str = ".altinstr_replacement";

/// All entries, none if the image has no table.
pub fn read(image: &Image<'_>) -> Result<Vec<Alternative>, String> {
    let Some(section) = image.find_section(SECTION)? else { return Ok(Vec::new()) };
    let bytes = image.contents(section)?;
    let (entries, _) = bytes.as_chunks();
    let places = (section.header.sh_addr..).step_by(ENTRY_SIZE);
    Ok(entries.iter().zip(places).map(|(entry, place)| Alternative::at(place, entry)).collect())
}

/// The code of the replacements, without the empty ones and those that are not in the image.
pub fn replacements(image: &Image<'_>) -> Result<Vec<Range<u64>>, String> {
    let ranges = read(image)?.into_iter().map(|entry| entry.replacement);
    Ok(ranges
        .filter(|range| {
            range.start < range.end && image.at(range.start, range.end - range.start).is_ok()
        })
        .collect())
}
