//! The two tables of instructions that may fault: the kernel's `__ex_table`, which its build takes
//! out of the unstripped image, and `.fixups`, the same for a signal handler.
//!
//! # Invariants
//!
//! 1. A table that is there has at least one entry, and only whole ones.

use crate::image::Image;
use crate::view;
use liblinux_abi::image::fixup::Entry;

/// The kernel's table.
pub const KERNEL: &str = "__ex_table";

/// The image's own.
pub const OWN: &str = ".fixups";

/// Bytes of an entry of the kernel's table: two offsets from the table's start.
const KERNEL_ENTRY: usize = 8;

/// The most bytes of a table that are read; an image has some thousands.
pub const LIMIT: usize = 1 << 16;

/// An entry of the image's own table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fixup {
    /// The first instruction that it covers.
    pub instruction: u64,
    /// Bytes of code that it covers.
    pub len: u32,
    /// Where execution resumes.
    pub landing: u64,
    /// `FLAG_`.
    pub flags: u32,
}

/// Entries with their addresses.
type Entries<'a> = Vec<(u64, &'a [u8])>;

/// The entries of the table in that section with their addresses; none if the image has no such
/// section.
fn entries<'a>(image: &Image<'a>, name: &str, size: usize) -> Result<Option<Entries<'a>>, String> {
    let Some(section) = image.find_section(name)? else { return Ok(None) };
    let bytes = image.contents(section)?;
    if bytes.len() > LIMIT {
        return Err(format!("{name} has {} bytes; an image has fewer than {LIMIT}", bytes.len()));
    }
    if bytes.is_empty() || !bytes.len().is_multiple_of(size) {
        return Err(format!("{name} has {} bytes, not one entry of {size} or more", bytes.len()));
    }
    Ok(Some(view::entries(section.header.sh_addr, bytes, size).collect()))
}

fn word(entry: &[u8], at: usize) -> u32 {
    entry[at..at + 4].iter().rev().fold(0, |word: u32, byte| word << 8 | u32::from(*byte))
}

/// The address that a field leads to.
fn lead((address, entry): &(u64, &[u8]), at: usize) -> u64 {
    address.wrapping_add_signed(word(entry, at).cast_signed().into())
}

/// Instruction and fixup of every entry of the kernel's table; none if the image has no such table.
pub fn kernel(image: &Image<'_>) -> Result<Option<Vec<(u64, u64)>>, String> {
    let Some(entries) = entries(image, KERNEL, KERNEL_ENTRY)? else { return Ok(None) };
    // Both offsets are from the table's start.
    let start = entries.first().map_or(0, |first| first.0);
    let place = |entry: &[u8], at: usize| lead(&(start, entry), at);
    Ok(Some(entries.iter().map(|(_, entry)| (place(entry, 0), place(entry, 4))).collect()))
}

/// The entries of the image's own table; none if the image has no such table.
pub fn own(image: &Image<'_>) -> Result<Option<Vec<Fixup>>, String> {
    let fixup = |entry: &(u64, &[u8])| Fixup {
        instruction: lead(entry, 0),
        len: word(entry.1, 4),
        landing: lead(entry, 8).wrapping_add(8),
        flags: word(entry.1, 12),
    };
    Ok(entries(image, OWN, size_of::<Entry>())?.map(|all| all.iter().map(fixup).collect()))
}
