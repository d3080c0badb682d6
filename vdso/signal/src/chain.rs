// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! An area as a value, for a `static`.

#![expect(unsafe_code, reason = "hands on a contract of links")]

use crate::area::{Area, Header};
use crate::error::Error;
use crate::link::Link;
use crate::slot::Slot;

/// An area for up to `N` links.
#[repr(C)]
#[derive(Debug)]
pub struct Chain<const N: usize> {
    header: Header,
    slots: [Slot; N],
}

impl<const N: usize> Chain<N> {
    /// An empty one.
    pub const fn new() -> Self {
        assert!(Area::size(N).is_some(), "an area is for 1 to 65,536 links");
        Self { header: Header::new(N), slots: [const { Slot::empty() }; N] }
    }

    /// The area.
    pub const fn area(&self) -> Area<'_> {
        Area::new(&self.header, &self.slots)
    }

    /// Adds a link that stays for good, or until it is removed: see [`Area::add`].
    ///
    /// # Errors
    ///
    /// As of [`Area::add`].
    ///
    /// # Safety
    ///
    /// The handler may be called at any moment on any thread. One thread at a time adds or removes
    /// this one link.
    pub unsafe fn add(&'static self, link: &'static Link) -> Result<(), Error> {
        // SAFETY: it stays for good, and the rest is the caller's contract.
        unsafe { self.area().add(link) }
    }

    /// Removes a link: see [`Area::remove`].
    ///
    /// # Errors
    ///
    /// As of [`Area::remove`].
    pub fn remove(&'static self, link: &'static Link) -> Result<(), Error> {
        // SAFETY: a link, whose address alone matters if another thread removes it, too.
        unsafe { self.area().remove(link) }
    }
}

impl<const N: usize> Default for Chain<N> {
    fn default() -> Self {
        Self::new()
    }
}
