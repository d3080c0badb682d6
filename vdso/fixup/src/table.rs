// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A DSO's table: searched for an address, and judged before it is registered.
//!
//! An offset of an entry is relative to its own field, so a table needs no relocations.
//!
//! # Invariants
//!
//! 1. A search trusts nothing: it finds an entry only if that covers the address, has flags that
//!    are known, and lands in the text, for any content of the other entries.
//! 2. A table that [`validate`] accepted has one answer for each address, and a search finds it.

use crate::area::Row;
use crate::error::Error;
use crate::memory::{Fault, Memory};
use core::mem::{offset_of, size_of};
use liblinux_abi::image::fixup::{Entry, USER_END, are_flags};

/// Bytes of an entry.
const ENTRY_SIZE: u64 = size_of::<Entry>() as u64;

/// An entry, with addresses instead of offsets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fixup {
    /// Where the entry is.
    pub entry: u64,
    /// First address that is covered.
    pub start: u64,
    /// Bytes that are covered.
    pub len: u64,
    /// Where to continue.
    pub landing: u64,
    /// Flags.
    pub flags: u32,
}

impl Fixup {
    /// Reads the entry at an address.
    #[inline(always)]
    pub fn read<M: Memory>(memory: &M, entry: u64) -> Result<Self, Fault> {
        let field = |offset: usize| entry.wrapping_add(offset as u64);
        let landing = memory.load_half(field(offset_of!(Entry, landing)))?;
        Ok(Self {
            entry,
            start: relative(entry, memory.load_half(entry)?),
            len: memory.load_half(field(offset_of!(Entry, len)))?.into(),
            landing: relative(field(offset_of!(Entry, landing)), landing),
            flags: memory.load_half(field(offset_of!(Entry, flags)))?,
        })
    }

    /// Whether it applies to `address`, and is allowed in this text.
    #[inline(always)]
    fn applies(&self, address: u64, text: &Row) -> bool {
        address.wrapping_sub(self.start) < self.len && self.is_sound(text)
    }

    /// Whether it is allowed in this text.
    #[inline(always)]
    fn is_sound(&self, text: &Row) -> bool {
        are_flags(self.flags) && text.covers(self.landing) && self.landing < USER_END
    }
}

/// The address that an offset at `field` leads to.
#[inline(always)]
const fn relative(field: u64, offset: u32) -> u64 {
    field.wrapping_add_signed(offset as i32 as i64)
}

/// Finds the entry for an address of the text. At most 33 entries are looked at.
#[inline(always)]
pub fn search<M: Memory>(memory: &M, text: &Row, address: u64) -> Result<Option<Fixup>, Fault> {
    // As `Area::rank`.
    let (mut next, mut left) = (text.table, text.count());
    while left > 0 {
        let above = next.wrapping_add((left - left / 2) * ENTRY_SIZE);
        let probe = above.wrapping_sub(ENTRY_SIZE);
        let start = relative(probe, memory.load_half(probe)?);
        if start <= address {
            next = above;
        }
        left /= 2;
    }
    if next == text.table {
        return Ok(None);
    }
    let fixup = Fixup::read(memory, next.wrapping_sub(ENTRY_SIZE))?;
    Ok(fixup.applies(address, text).then_some(fixup))
}

/// Finds the entry for an address in a table in any order: the image's own, which the linker leaves
/// as the compiler emitted functions. Each of its entries covers one instruction.
#[inline(always)]
pub fn scan<M: Memory>(memory: &M, text: &Row, address: u64) -> Result<Option<Fixup>, Fault> {
    let mut entry = text.table;
    for _ in 0..text.count() {
        if relative(entry, memory.load_half(entry)?) == address {
            let fixup = Fixup::read(memory, entry)?;
            return Ok(fixup.applies(address, text).then_some(fixup));
        }
        entry = entry.wrapping_add(ENTRY_SIZE);
    }
    Ok(None)
}

/// Judges the table of a text that is to be registered: `INVALID` if an entry is empty, out of
/// order, overlaps with another, or leaves the text.
#[inline]
pub fn validate<M: Memory>(memory: &M, text: &Row) -> Result<(), Error> {
    let mut entry = text.table;
    // Where the next entry may start, and where the last one may end, from the start of the text.
    let mut free = 0;
    for _ in 0..text.count() {
        let fixup = Fixup::read(memory, entry)?;
        let start = fixup.start.wrapping_sub(text.text_start);
        let is_placed =
            start >= free && start < text.text_len() && fixup.len <= text.text_len() - start;
        if fixup.len == 0 || !is_placed || !fixup.is_sound(text) {
            return Err(Error::INVALID);
        }
        free = start + fixup.len;
        entry = entry.wrapping_add(ENTRY_SIZE);
    }
    Ok(())
}
