// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! An area: memory of the caller, with a chain for each signal.

#![expect(unsafe_code, reason = "takes memory of the caller")]

use crate::atomic::Word;
use crate::error::Error;
use crate::link::Link;
use crate::slot::{LEAVING, Slot, word};
use core::mem::{align_of, size_of};
use core::slice;

/// First word of an area: the bytes "LLSIGNL1".
pub(crate) const MAGIC: u64 = u64::from_le_bytes(*b"LLSIGNL1");

/// The most links that an area has room for.
const MAX_CAPACITY: usize = 1 << 16;

/// The words in front of an area's slots.
#[repr(C, align(64))]
#[derive(Debug)]
pub(crate) struct Header {
    magic: Word,
    capacity: Word,
    /// How many links were added.
    sequence: Word,
    /// How many began to leave.
    departures: Word,
    /// No slot from this one on was ever used.
    top: Word,
}

impl Header {
    pub(crate) const fn new(capacity: usize) -> Self {
        Self {
            magic: Word::new(MAGIC),
            capacity: Word::new(capacity as u64),
            sequence: Word::new(0),
            departures: Word::new(0),
            top: Word::new(0),
        }
    }
}

/// An area that was checked.
#[derive(Clone, Copy, Debug)]
pub struct Area<'a> {
    pub(crate) header: &'a Header,
    slots: &'a [Slot],
}

impl<'a> Area<'a> {
    pub(crate) const fn new(header: &'a Header, slots: &'a [Slot]) -> Self {
        Self { header, slots }
    }

    /// Bytes of an area for so many links, 1 to 65,536; they are aligned to 64.
    pub const fn size(capacity: usize) -> Option<usize> {
        if capacity == 0 || capacity > MAX_CAPACITY {
            return None;
        }
        Some(size_of::<Header>() + capacity * size_of::<Slot>())
    }

    /// Makes an empty area.
    ///
    /// # Errors
    ///
    /// [`Error::INVALID`] if the memory is too small or not aligned, or for a capacity that has no
    /// size.
    ///
    /// # Safety
    ///
    /// `size` bytes there are the caller's, can be written, and are an area from now on for `'a`.
    pub unsafe fn init(address: *mut u8, size: usize, capacity: usize) -> Result<Self, Error> {
        let needed = Self::size(capacity).ok_or(Error::INVALID)?;
        let header = address.cast::<Header>();
        if header.is_null() || !header.is_aligned() || size < needed {
            return Err(Error::INVALID);
        }
        let slots = header.wrapping_add(1).cast::<Slot>();
        for index in 0..capacity {
            // SAFETY: in the caller's memory, which has room for all slots.
            unsafe { slots.wrapping_add(index).write(Slot::empty()) };
        }
        // SAFETY: the same memory, which is aligned.
        unsafe { header.write(Header::new(capacity)) };
        // SAFETY: an area, as of now.
        unsafe { Self::at(address) }
    }

    /// The area at an address.
    ///
    /// # Errors
    ///
    /// [`Error::INVALID`] if there is none.
    ///
    /// # Safety
    ///
    /// Null, or memory that stays mapped for `'a`, and if it is an area then all of it.
    pub unsafe fn at(address: *const u8) -> Result<Self, Error> {
        let header = address.cast::<Header>();
        if header.is_null() || !address.addr().is_multiple_of(align_of::<Header>()) {
            return Err(Error::INVALID);
        }
        // SAFETY: mapped, says the caller, and made of words alone.
        let header: &Header = unsafe { &*header };
        let capacity = header.capacity.load() as usize;
        if header.magic.load() != MAGIC || Self::size(capacity).is_none() {
            return Err(Error::INVALID);
        }
        let slots = (&raw const *header).wrapping_add(1).cast::<Slot>();
        // SAFETY: an area has that many slots.
        Ok(Self { header, slots: unsafe { slice::from_raw_parts(slots, capacity) } })
    }

    /// The slots that may have links.
    pub(crate) fn slots(&self) -> &'a [Slot] {
        &self.slots[..self.slots.len().min(self.header.top.load() as usize)]
    }

    /// Changes every word as a test says, but for the addresses of links.
    #[cfg(test)]
    pub(crate) fn scribble(&self, change: &mut impl FnMut(u64) -> u64) {
        let Header { sequence, departures, top, .. } = self.header;
        for word in [sequence, departures, top] {
            word.store(change(word.load()));
        }
        for slot in self.slots {
            slot.running.store(change(slot.running.load()));
            let word = slot.word.load();
            slot.word.store(if change(0) == 0 { word } else { word ^ LEAVING & change(word) });
        }
    }

    /// How many links were added until now.
    pub(crate) fn sequence(&self) -> u64 {
        self.header.sequence.load()
    }

    /// How many links began to leave until now.
    pub(crate) fn departures(&self) -> u64 {
        self.header.departures.load()
    }

    /// Adds a link. From now on signals that come reach it.
    ///
    /// # Errors
    ///
    /// [`Error::INVALID`] if the link is not well formed, [`Error::EXISTS`] if it is in the chain,
    /// [`Error::BUSY`] if it leaves but has not left, [`Error::FULL`] if no slot is free.
    ///
    /// # Safety
    ///
    /// The link is a [`Link`] (or its bytes from C) that stays where it is, with the code of its
    /// handler, until [`Area::remove`] succeeds. The handler may be called at any moment on any
    /// thread. One thread at a time adds or removes this one link.
    pub unsafe fn add(&self, link: *const Link) -> Result<(), Error> {
        let word = word(link).ok_or(Error::INVALID)?;
        // SAFETY: a link, says the caller.
        let link = unsafe { &*link };
        if !link.is_well_formed() {
            return Err(Error::INVALID);
        }
        for slot in self.slots() {
            match slot.word.load() {
                found if found == word => return Err(Error::EXISTS),
                found if found == word | LEAVING => return Err(Error::BUSY),
                _ => {}
            }
        }
        link.sequence.store(self.header.sequence.add(1) + 1);
        for (slot, index) in self.slots.iter().zip(1..) {
            if slot.word.load() == 0 {
                // Before the slot is used, so that every dispatcher that comes behind looks at it.
                self.header.top.raise(index);
                if slot.word.exchange(0, word) {
                    return Ok(());
                }
            }
        }
        Err(Error::FULL)
    }

    /// Removes a link: no handler of it is started any more. `Ok` says that none is in flight, and
    /// that memory and code of the link are the caller's again.
    ///
    /// # Errors
    ///
    /// [`Error::BUSY`] if a handler is in flight, such as the one that calls this;
    /// [`Error::MISSING`] if the link is not in the chain.
    ///
    /// # Safety
    ///
    /// As for [`Area::add`].
    pub unsafe fn remove(&self, link: *const Link) -> Result<(), Error> {
        let word = word(link).ok_or(Error::INVALID)?;
        for slot in self.slots() {
            let mut found = slot.word.load();
            if found == word {
                // Before the link leaves: pairs with `select`, which looks whether a link left
                // since the signal came.
                self.header.departures.add(1);
                slot.word.exchange(word, word | LEAVING);
                found = word | LEAVING;
            }
            if found != word | LEAVING {
                continue;
            }
            // Behind the exchange: pairs with `Slot::enter`.
            if slot.running.load() != 0 {
                return Err(Error::BUSY);
            }
            slot.word.exchange(word | LEAVING, 0);
            return Ok(());
        }
        Err(Error::MISSING)
    }
}
