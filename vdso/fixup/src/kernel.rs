// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The private calls, as the registry makes them. A kernel that knows nothing of fixups will do,
//! too: no call of the registry has to succeed, and [`crate::state`] reports a call that did not.

use crate::error::Error;

/// The private calls.
pub trait Kernel {
    /// The area that the kernel consults for this process, with its size in bytes.
    ///
    /// `ABSENT` if there is none, `UNKNOWN` of a kernel that knows nothing of areas; otherwise the
    /// error of the filter that refuses the call.
    fn attached(&self) -> Result<(u64, u64), Error>;

    /// Has the kernel consult another area, none if both are 0. Returns the kernel's answer,
    /// `-errno` or 0.
    fn attach(&self, area: u64, size: u64) -> isize;

    /// Marks the pages of a text as what they are now: a mark is lost when its page is unmapped or
    /// replaced. Returns the kernel's answer, `-errno` or 0.
    fn mark(&self, start: u64, len: u64) -> isize;

    /// Whether all pages of a text are marked; none if the kernel could not be asked, or knows
    /// nothing of marks.
    fn marked(&self, start: u64, len: u64) -> Option<bool>;
}
