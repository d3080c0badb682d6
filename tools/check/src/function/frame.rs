//! Functions that have no name, and that call-frame information knows.

use crate::image::Image;
use crate::view::frames::{Entry, Frames};
use std::collections::BTreeSet;
use std::ops::Range;

/// The functions that only call-frame information knows: those that begin where no other does.
///
/// Where the entries and the table that searches them disagree, one of the two is wrong about where
/// a function begins. Such an entry makes a function of liblinux alone, whose rules refuse either.
pub(super) fn nameless(
    image: &Image<'_>,
    is_liblinux: bool,
    known: &BTreeSet<u64>,
) -> Result<Vec<Range<u64>>, String> {
    // A signal frame begins one byte early, for unwinders that look a return address up minus one.
    let range = |entry: &Entry<'_>| {
        let start = entry.initial_address().saturating_add(entry.is_signal_trampoline().into());
        start..entry.end_address()
    };
    let frames = Frames::of(image)?;
    let (entries, copy) = (frames.entries()?, image.kernel_copy());
    let listed: BTreeSet<u64> = match is_liblinux {
        true => BTreeSet::new(),
        false => frames.table()?.into_iter().map(|(start, _)| start).collect(),
    };
    Ok(entries
        .iter()
        .filter(|entry| is_liblinux || listed.contains(&entry.initial_address()))
        .map(range)
        .filter(|range| range.start < range.end && !known.contains(&range.start))
        .filter(|range| !copy.contains(&range.start))
        .collect())
}
