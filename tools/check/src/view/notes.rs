//! The notes, as readers of a vDSO find them: through `PT_NOTE`, laid out by 4 bytes. One of them
//! says for which kernel line's data pages the image was compiled.
//!
//! # Invariants
//!
//! 1. The walk ends with the segment; a note that reaches beyond it is an error.

use crate::image::Image;
use goblin::elf::program_header::PT_NOTE;
use liblinux_abi::image::note;
use liblinux_abi::kernel::datapage::{LAYOUTS, Layout};

/// The owner of the notes that GNU's tools make.
pub const GNU: &[u8] = b"GNU\0";

/// `NT_GNU_BUILD_ID`.
pub const BUILD_ID: u32 = 3;

/// `NT_GNU_PROPERTY_TYPE_0`.
pub const PROPERTY: u32 = 5;

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

/// The data pages that an image was compiled for, by its layout note.
pub fn layout(image: &Image<'_>) -> Result<&'static Layout, String> {
    let notes = notes(image)?;
    let mut found =
        notes.iter().filter(|note| note.owner == note::OWNER && note.kind == note::KIND);
    let (Some(note), None) = (found.next(), found.next()) else {
        return Err("the image does not have one layout note".into());
    };
    let words = note.value.chunks(4).map(|word| match word.try_into() {
        Ok(word) => u32::from_le_bytes(word) as usize,
        Err(_) => usize::MAX,
    });
    let words: Vec<usize> = words.collect();
    LAYOUTS
        .iter()
        .find(|layout| layout.facts.iter().map(|(_, value)| *value).eq(words.iter().copied()))
        .ok_or_else(|| unknown(&words))
}

/// Why a layout is not one of those known: where it differs from the nearest.
fn unknown(words: &[usize]) -> String {
    let Some(layout) = LAYOUTS.iter().find(|layout| layout.facts.len() == words.len()) else {
        let lines = LAYOUTS.map(|layout| layout.line).join(", ");
        return format!("the layout note has {} numbers, as none of Linux {lines}", words.len());
    };
    let differing = layout.facts.iter().zip(words).find(|((_, value), word)| value != *word);
    match differing {
        Some(((expression, value), word)) => {
            format!(
                "{expression} is {word} in the layout note, and {value} in Linux {}",
                layout.line
            )
        }
        None => format!("the layout note is that of Linux {}", layout.line),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_layout_is_told_by_where_it_differs() {
        for layout in LAYOUTS {
            let mut words: Vec<usize> = layout.facts.iter().map(|(_, value)| *value).collect();
            words[3] += 1;
            let (expression, value) = layout.facts[3];
            let why = unknown(&words);
            let told = [expression, &(value + 1).to_string(), layout.line];
            assert!(told.iter().all(|word| why.contains(word)), "{why}");
        }
        assert!(unknown(&[1, 2]).contains("has 2 numbers"));
    }
}
