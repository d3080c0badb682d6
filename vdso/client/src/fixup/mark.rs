//! Marks: how the kernel tells a text that was registered from one that took its place.

#![expect(unsafe_code, reason = "has a handler stand in for the kernel")]

use super::{Dso, Fixups};
use crate::Errno;
use core::ops::Range;
use liblinux_abi::kernel::errno::{EEXIST, EINTR, EINVAL, ENOMEM};

/// A range that is not part of its text.
const INVALID: Errno = Errno::new(EINVAL as u16).expect("an error number");

/// Whether an answer to the question for a mark is the kernel's own, and not that of a filter in
/// its place.
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

    /// Has a handler look up a text that was registered in an area, and that the kernel does not.
    ///
    /// # Safety
    ///
    /// As for [`register`](Self::register).
    pub(super) unsafe fn stand_in(&self, area: u64, dso: &Dso) -> Result<(), Errno> {
        let pages = self.handler(|| Ok(area))?;
        if pages.consulted_area() == area {
            return Ok(());
        }
        // A handler of another library, which could not ask the kernel for this area.
        let mut other = *self;
        other.pages = Some(pages);
        // SAFETY: the caller's contract.
        match unsafe { other.enroll(dso) } {
            // The registry moved there from this area.
            Err(error) if error.number() == EEXIST as u16 => Ok(()),
            Ok(()) => self.call("__vdso_fixup_unregister", [area, dso.text_start, 0]).map(drop),
            Err(error) => Err(error),
        }
    }
}
