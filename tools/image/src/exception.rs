//! The exception tables of a linked image, sorted by instruction.
//!
//! The kernel finds its entries in any order, and a reader can check a sorted table. The mapped
//! table is searched by halves, so it has to be sorted. The linker leaves both as the compiler
//! emitted functions.
//!
//! # Invariants
//!
//! 1. An offset is relative to the table's start in `__ex_table`, and to its own field in
//!    `.fixups`: an entry of the latter changes when it is moved.

use anyhow::{Context as _, Result, bail};
use object::{Object as _, ObjectSection as _};
use std::fs;
use std::ops::Range;
use std::path::Path;

/// Bytes of an `__ex_table` entry: instruction and landing, 32 bits each.
const KERNEL_ENTRY: usize = 8;

/// Bytes of a `.fixups` entry: see `liblinux_abi::image::fixup::Entry`.
const OWN_ENTRY: usize = size_of::<liblinux_abi::image::fixup::Entry>();

/// Sorts both tables of the image in a file.
pub(crate) fn sort(linked: &Path) -> Result<()> {
    let mut bytes =
        fs::read(linked).with_context(|| format!("cannot read {}", linked.display()))?;
    let elf = object::File::parse(bytes.as_slice()).context("the linked image is not readable")?;
    let [kernel, own] = [section(&elf, "__ex_table")?, section(&elf, ".fixups")?];
    let table = bytes.get_mut(kernel).context("__ex_table is not in the file")?;
    table.as_chunks_mut::<KERNEL_ENTRY>().0.sort_unstable_by_key(|entry| word(entry, 0));
    sort_own(bytes.get_mut(own).context(".fixups is not in the file")?);
    fs::write(linked, bytes).with_context(|| format!("cannot write {}", linked.display()))
}

/// Where a table is in the file.
fn section(elf: &object::File<'_>, name: &str) -> Result<Range<usize>> {
    let Some((start, size)) = elf.section_by_name(name).and_then(|table| table.file_range()) else {
        bail!("the image has no {name}: a bad pointer would crash every function");
    };
    Ok(usize::try_from(start)?..usize::try_from(start + size)?)
}

/// Sorts a table whose offsets are relative to themselves.
fn sort_own(table: &mut [u8]) {
    let entries = table.as_chunks_mut::<OWN_ENTRY>().0;
    let move_by = |entry: &mut [u8; OWN_ENTRY], distance: i32| {
        for field in [0, 8] {
            let moved = word(entry, field).wrapping_add(distance);
            entry[field..field + 4].copy_from_slice(&moved.to_le_bytes());
        }
    };
    // Relative to the table while they are moved.
    let places = (0..).step_by(OWN_ENTRY);
    entries.iter_mut().zip(places.clone()).for_each(|(entry, place)| move_by(entry, place));
    entries.sort_unstable_by_key(|entry| word(entry, 0));
    entries.iter_mut().zip(places).for_each(|(entry, place)| move_by(entry, -place));
}

fn word(entry: &[u8], at: usize) -> i32 {
    i32::from_le_bytes([entry[at], entry[at + 1], entry[at + 2], entry[at + 3]])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sorted_entries_still_lead_where_they_did() {
        let entry = |place: i32, instruction: i32, landing: i32| {
            [instruction - place, 1, landing - place - 8, 7].map(i32::to_le_bytes).concat()
        };
        let mut table = [entry(0, -100, -50), entry(16, -300, -40), entry(32, -200, -60)].concat();
        sort_own(&mut table);
        assert_eq!(
            table,
            [entry(0, -300, -40), entry(16, -200, -60), entry(32, -100, -50)].concat()
        );
    }
}
