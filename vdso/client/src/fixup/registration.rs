//! The registration of a text.

use super::{Fixups, own};
use crate::Errno;
use core::ops::Range;
use liblinux_abi::image::fixup::Dso;

/// A registered text. Dropping this unregisters it.
#[derive(Debug)]
#[must_use = "the registration ends when this is dropped"]
pub struct Registration<'a> {
    fixups: Fixups<'a>,
    dso: Dso,
}

impl<'a> Registration<'a> {
    pub(super) fn new(fixups: Fixups<'a>, dso: Dso) -> Self {
        Self { fixups, dso }
    }

    /// The registry that it is in.
    pub fn fixups(&self) -> &Fixups<'a> {
        &self.fixups
    }

    /// First address of the text.
    pub fn text_start(&self) -> u64 {
        self.dso.text_start
    }

    /// The text and its table.
    pub fn dso(&self) -> &Dso {
        &self.dso
    }

    /// Marks part of the text anew, by its addresses: for a text in which a mapping was made on top
    /// of another (`MAP_FIXED`, `MREMAP_FIXED`). The kernel takes such text for other text until it
    /// is marked.
    ///
    /// Where a handler does the work, texts have no marks, and this succeeds at once: a program
    /// that forgets the call works there and fails on a kernel with the series. An
    /// [`Arena`](super::Arena) fails on both. `EINVAL` if the range leaves the text; else as
    /// [`Fixups::register`].
    pub fn mark(&self, range: Range<u64>) -> Result<(), Errno> {
        self.fixups.mark(&self.dso, range)
    }

    /// Registered for as long as the process lives. [`Fixups::unregister`] ends that.
    pub fn keep(self) -> Dso {
        let dso = self.dso;
        core::mem::forget(self);
        dso
    }
}

impl Drop for Registration<'_> {
    fn drop(&mut self) {
        // It can only be missing: then it was unregistered by its address.
        let _ = self.fixups.unregister(self.dso.text_start);
        own::unregister_rest(&self.fixups, self.dso.text_start);
    }
}
