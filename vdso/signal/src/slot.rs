// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A slot of an area: at most one link, and how many dispatchers are at it.

#![expect(unsafe_code, reason = "follows the address of a link")]

use crate::atomic::Word;
use crate::link::Link;
use core::ptr::with_exposed_provenance;

/// Bits of a word below a link's address: the signal less 1.
pub(crate) const SIGNAL: u64 = 63;

/// Bit of a word: the link leaves, and no handler of it is started.
pub(crate) const LEAVING: u64 = 1 << 63;

/// Addresses of links are below this.
const ADDRESS_END: u64 = 1 << 56;

#[repr(C)]
#[derive(Debug)]
pub(crate) struct Slot {
    /// 0, or a link's address, its signal less 1, and perhaps [`LEAVING`].
    pub(crate) word: Word,
    /// How many dispatchers are at the link, or have yet to see that it is not theirs.
    pub(crate) running: Word,
}

impl Slot {
    pub(crate) const fn empty() -> Self {
        Self { word: Word::new(0), running: Word::new(0) }
    }

    /// The link of a word that this slot had. [`Slot::leave`] follows, unless the slot has changed
    /// and this is `None`.
    #[inline]
    pub(crate) fn enter(&self, word: u64) -> Option<&Link> {
        // Counted before the word is looked at again: pairs with `Area::remove`, which changes the
        // word before it looks at the count. One of the two sees the other.
        self.running.add(1);
        if self.word.load() != word {
            self.leave();
            return None;
        }
        let link: *const Link = with_exposed_provenance((word & !SIGNAL) as usize);
        // SAFETY: a link is not given back while it is counted (invariant 2 of the crate).
        Some(unsafe { &*link })
    }

    /// Ends what [`Slot::enter`] began.
    #[inline]
    pub(crate) fn leave(&self) {
        self.running.add(u64::MAX);
    }
}

/// The word of a link that can be added; none of one that cannot.
pub(crate) fn word(link: *const Link) -> Option<u64> {
    let address = link.expose_provenance() as u64;
    if address == 0 || !address.is_multiple_of(align_of::<Link>() as u64) || address >= ADDRESS_END
    {
        return None;
    }
    // SAFETY: the caller of `add` or `remove` has a link there.
    let signal = unsafe { &raw const (*link).signal };
    // SAFETY: as above.
    let signal = unsafe { signal.read() };
    (1..=64).contains(&signal).then(|| address | (signal as u64 - 1))
}
