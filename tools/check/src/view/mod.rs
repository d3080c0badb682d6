//! What readers of an image see: each table found the way its readers find it.
//!
//! Loaders go from the program headers to the dynamic table and from there to everything else;
//! unwinders begin at `PT_GNU_EH_FRAME`, debuggers' build-ids at `PT_NOTE`. None of them asks the
//! section headers. The rules ask this view, so that they judge the bytes that programs use. Where
//! sections say the same once more, for bionic, binutils and elfutils, the rule `sections-agree`
//! holds the two together.
//!
//! What the kernel's build reads (`__ex_table`, `.altinstructions`) it finds by the names of
//! sections, and so does the view.
//!
//! # Invariants
//!
//! 1. No reader trusts a number of the file: each walk is bounded by the file's length.
//! 2. A reader says what it saw and does not judge it; rules do.

pub mod alternatives;
pub mod exceptions;
pub mod frames;
pub mod hashes;
pub mod notes;
pub mod versions;

/// The entries of a table of that many bytes each, with their addresses. A file may say any address
/// of a section.
fn entries(start: u64, bytes: &[u8], size: usize) -> impl Iterator<Item = (u64, &[u8])> {
    let entries = bytes.chunks_exact(size).enumerate();
    entries.map(move |(index, entry)| (start.wrapping_add((index * size) as u64), entry))
}
