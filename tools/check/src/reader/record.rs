//! The records of an ELF file, as readers find them in memory: no table is checked here, since
//! readers check little.
//!
//! # Invariants
//!
//! 1. The layout follows the file's class, 32 or 64 bits.

use super::memory::{Memory, Read};

/// The fields of the ELF header that readers use.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header {
    pub(super) segments_at: u64,
    pub(super) sections_at: u64,
    pub(super) segment_size: u16,
    pub(super) segments: u16,
    pub(super) section_size: u16,
    pub(super) sections: u16,
    pub(super) names: u16,
}

/// A program header.
#[derive(Clone, Copy, Debug)]
pub(super) struct Segment {
    pub(super) kind: u32,
    pub(super) flags: u32,
    pub(super) offset: u64,
    pub(super) address: u64,
    pub(super) file_size: u64,
    pub(super) size: u64,
    pub(super) alignment: u64,
}

/// A section header.
#[derive(Clone, Copy, Debug)]
pub(super) struct Section {
    pub(super) kind: u32,
    pub(super) offset: u64,
    pub(super) size: u64,
    pub(super) link: u32,
    pub(super) info: u32,
    pub(super) entry_size: u64,
}

/// An entry of the dynamic table.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tag {
    pub(super) tag: u64,
    pub(super) value: u64,
}

/// A symbol.
#[derive(Clone, Copy, Debug)]
pub(super) struct Symbol {
    pub(super) name: u32,
    info: u8,
    other: u8,
    pub(super) section: u16,
    pub(super) value: u64,
}

/// A version definition.
#[derive(Clone, Copy, Debug)]
pub(super) struct Definition {
    pub(super) version: u16,
    pub(super) flags: u16,
    pub(super) index: u16,
    pub(super) count: u16,
    pub(super) hash: u32,
    pub(super) auxiliary: u32,
    pub(super) next: u32,
}

/// The definition is of the file itself, and names no version (`VER_FLG_BASE`).
pub(super) const BASE: u16 = 1;

/// The part of a version index that is not the hidden bit.
pub(super) const VERSION: u16 = 0x7fff;

impl Symbol {
    pub(super) fn kind(self) -> u8 {
        self.info & 15
    }

    pub(super) fn binding(self) -> u8 {
        self.info >> 4
    }

    pub(super) fn visibility(self) -> u8 {
        self.other & 3
    }
}

impl Memory<'_> {
    pub(super) fn header(&self) -> Read<Header> {
        let (pointers, rest) = if self.is_wide { (32, 54) } else { (28, 42) };
        Ok(Header {
            segments_at: self.word(pointers)?,
            sections_at: self.word(pointers + self.word_size())?,
            segment_size: self.u16(rest)?,
            segments: self.u16(rest + 2)?,
            section_size: self.u16(rest + 4)?,
            sections: self.u16(rest + 6)?,
            names: self.u16(rest + 8)?,
        })
    }

    /// Bytes of a program header.
    pub(super) fn segment_size(&self) -> u64 {
        if self.is_wide { 56 } else { 32 }
    }

    pub(super) fn segment(&self, at: u64) -> Read<Segment> {
        let word = |index: u64| self.word(at.wrapping_add(index));
        let kind = self.u32(at)?;
        Ok(if self.is_wide {
            Segment {
                kind,
                flags: self.u32(at.wrapping_add(4))?,
                offset: word(8)?,
                address: word(16)?,
                file_size: word(32)?,
                size: word(40)?,
                alignment: word(48)?,
            }
        } else {
            Segment {
                kind,
                flags: self.u32(at.wrapping_add(24))?,
                offset: word(4)?,
                address: word(8)?,
                file_size: word(16)?,
                size: word(20)?,
                alignment: word(28)?,
            }
        })
    }

    /// All program headers, `step` bytes apart, as far as they can be read.
    pub(super) fn segments(&self, header: &Header, step: u64) -> Read<Vec<Segment>> {
        let places = (0..u64::from(header.segments))
            .map(|index| header.segments_at.wrapping_add(index.wrapping_mul(step)));
        places.map(|at| self.segment(at)).collect()
    }

    /// Bytes of a section header.
    pub(super) fn section_size(&self) -> u64 {
        if self.is_wide { 64 } else { 40 }
    }

    pub(super) fn section(&self, at: u64) -> Read<Section> {
        let word = |index: u64| self.word(at.wrapping_add(8 + index * self.word_size()));
        let link = 8 + 4 * self.word_size();
        Ok(Section {
            kind: self.u32(at.wrapping_add(4))?,
            offset: word(2)?,
            size: word(3)?,
            link: self.u32(at.wrapping_add(link))?,
            info: self.u32(at.wrapping_add(link + 4))?,
            entry_size: self.word(at.wrapping_add(link + 8 + self.word_size()))?,
        })
    }

    /// Bytes of an entry of the dynamic table.
    pub(super) fn tag_size(&self) -> u64 {
        2 * self.word_size()
    }

    pub(super) fn tag(&self, at: u64) -> Read<Tag> {
        Ok(Tag { tag: self.word(at)?, value: self.word(at.wrapping_add(self.word_size()))? })
    }

    /// The dynamic table up to its end mark, however far that is.
    pub(super) fn tags(&self, at: u64) -> Read<Vec<Tag>> {
        let mut tags = Vec::new();
        loop {
            let tag = self.tag(at.wrapping_add(tags.len() as u64 * self.tag_size()))?;
            if tag.tag == 0 {
                return Ok(tags);
            }
            tags.push(tag);
        }
    }

    /// Bytes of a symbol.
    pub(super) fn symbol_size(&self) -> u64 {
        if self.is_wide { 24 } else { 16 }
    }

    /// Symbol `index` of a table.
    pub(super) fn symbol(&self, table: u64, index: u64) -> Read<Symbol> {
        let at = table.wrapping_add(index.wrapping_mul(self.symbol_size()));
        let (info, value) = if self.is_wide { (4, 8) } else { (12, 4) };
        Ok(Symbol {
            name: self.u32(at)?,
            info: self.u8(at.wrapping_add(info))?,
            other: self.u8(at.wrapping_add(info + 1))?,
            section: self.u16(at.wrapping_add(info + 2))?,
            value: self.word(at.wrapping_add(value))?,
        })
    }

    pub(super) fn definition(&self, at: u64) -> Read<Definition> {
        let half = |index: u64| self.u16(at.wrapping_add(2 * index));
        Ok(Definition {
            version: half(0)?,
            flags: half(1)?,
            index: half(2)?,
            count: half(3)?,
            hash: self.u32(at.wrapping_add(8))?,
            auxiliary: self.u32(at.wrapping_add(12))?,
            next: self.u32(at.wrapping_add(16))?,
        })
    }
}

/// The last value of a tag, which readers that keep the latest one use.
pub(super) fn last(tags: &[Tag], tag: u64) -> Option<u64> {
    tags.iter().rev().find(|entry| entry.tag == tag).map(|entry| entry.value)
}
