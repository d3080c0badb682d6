//! Marks: how the kernel knows a text that was registered from one that took its place.

#![expect(unsafe_code, reason = "has a handler stand in for the kernel")]

use super::{Dso, Fixups};
use crate::Errno;
use core::ops::Range;
use liblinux_abi::errno::{EINTR, EINVAL, ENOMEM};

/// A range that is not part of its text.
const INVALID: Errno = Errno::new(EINVAL as u16).expect("an error number");

/// Whether an answer to the question for a mark is the kernel's own, and not that of a filter in its place.
pub(super) fn is_kernels(error: Errno) -> bool {
    [EINVAL, ENOMEM, EINTR].contains(&(error.number() as isize))
}

impl Fixups<'_> {
    /// As [`Registration::mark`](super::Registration::mark).
    pub(super) fn mark(&self, dso: &Dso, range: Range<u64>) -> Result<(), Errno> {
        let text = dso.text();
        if range.is_empty() || range.start < text.start || range.end > text.end {
            return Err(INVALID);
        }
        if self.pages.is_some() {
            return Ok(());
        }
        if self.place().is_consulted {
            match self.call("__vdso_fixup_mark", [range.start, range.end - range.start, 0]) {
                Err(error) if !is_kernels(error) => {}
                outcome => return outcome.map(drop),
            }
        }
        // SAFETY: it is registered already, by the same contract.
        unsafe { self.stand_in(self.joined, dso) }
    }
}
