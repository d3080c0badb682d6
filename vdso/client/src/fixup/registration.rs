//! The registration of a DSO.

use super::{Fixups, own};

/// A registered text. Dropping this unregisters it.
#[derive(Debug)]
#[must_use = "the registration ends when this is dropped"]
pub struct Registration<'a> {
    fixups: Fixups<'a>,
    text_start: u64,
}

impl<'a> Registration<'a> {
    pub(super) fn new(fixups: Fixups<'a>, text_start: u64) -> Self {
        Self { fixups, text_start }
    }

    /// The registry that it is in.
    pub fn fixups(&self) -> &Fixups<'a> {
        &self.fixups
    }

    /// First address of the text.
    pub fn text_start(&self) -> u64 {
        self.text_start
    }
}

impl Drop for Registration<'_> {
    fn drop(&mut self) {
        // It can only be missing: then somebody else unregistered it.
        let _ = self.fixups.unregister(self.text_start);
        own::unregister_rest(&self.fixups, self.text_start);
    }
}
