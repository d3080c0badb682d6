//! The notes, as readers of a vDSO find them: through `PT_NOTE`, laid out by 4 bytes.
//!
//! # Invariants
//!
//! 1. The walk ends with the segment; a note that reaches beyond it is an error.

use crate::image::Image;
use goblin::elf::program_header::PT_NOTE;

/// The owner of the notes that GNU's tools make.
pub const GNU: &[u8] = b"GNU\0";

/// The owner of the kernel's own notes: its version is in one of them.
pub const LINUX: &[u8] = b"Linux\0";

/// `NT_GNU_BUILD_ID`.
pub const BUILD_ID: u32 = 3;

/// `NT_GNU_PROPERTY_TYPE_0`.
pub const PROPERTY: u32 = 5;

/// The most notes that are read; an image has a few.
pub const LIMIT: usize = 64;

/// One note.
#[derive(Clone, Debug)]
pub struct Note<'a> {
    /// Its owner's name, the zero at its end too.
    pub owner: &'a [u8],
    /// What it is, a number of its owner's.
    pub kind: u32,
    /// Its contents.
    pub value: &'a [u8],
}

/// The notes of all `PT_NOTE` segments, at least one.
pub fn notes<'a>(image: &Image<'a>) -> Result<Vec<Note<'a>>, String> {
    let mut found = Vec::new();
    for segment in image.segments_of(PT_NOTE)? {
        let end = segment.p_offset.saturating_add(segment.p_filesz);
        let mut at = segment.p_offset;
        while at < end {
            if found.len() == LIMIT {
                return Err(format!("there are more than {LIMIT} notes"));
            }
            let owner_len = u64::from(image.u32(at)?);
            let value_len = u64::from(image.u32(at.saturating_add(4))?);
            let kind = image.u32(at.saturating_add(8))?;
            let owner = image.at(at.saturating_add(12), owner_len)?;
            let value_at = at.saturating_add(12 + owner_len.next_multiple_of(4));
            let value = image.at(value_at, value_len)?;
            at = value_at.saturating_add(value_len.next_multiple_of(4));
            if at > end {
                return Err(format!(
                    "the note at {value_at:#x} reaches beyond its segment, which ends at {end:#x}"
                ));
            }
            found.push(Note { owner, kind, value });
        }
    }
    if found.is_empty() { Err("the PT_NOTE is empty".into()) } else { Ok(found) }
}
