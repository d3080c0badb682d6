// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Making entries of a table of exception fixups, and reading what was registered.
//!
//! Offsets of an [`Entry`] are relative to their own fields, so an entry is made for one place.

use crate::image::fixup::{Dso, Entry, FRAME, Hit, PLAIN, are_flags};
use core::fmt;
use core::mem::offset_of;
use core::ops::Range;

/// Why an entry or a table would not be registered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsound {
    /// The range has no bytes.
    Empty,
    /// The range has 4 GiB or more.
    Long,
    /// A range or a landing is 2 GiB or more from the entry.
    Far,
    /// The flags are others than 0, [`PLAIN`] and [`FRAME`].
    Flags,
    /// The range starts below the end of the one before.
    Order,
    /// The range is not in the text.
    Range,
    /// The landing is not in the text.
    Landing,
    /// The table has no room for another entry.
    Full,
    /// The text is empty, has 4 GiB or more, or is not at a process's addresses.
    Text,
    /// The table is empty, not at a multiple of 4, or not at a process's addresses.
    Table,
}

impl fmt::Display for Unsound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "the covered range is empty: cover at least the first byte of an instruction",
            Self::Long => "the covered range has 4 GiB or more: register several texts",
            Self::Far => "32 bits do not lead from the entry to its range or landing: put the table within 2 GiB",
            Self::Flags => "unknown flags: pass 0, or PLAIN for a landing that changes no register but rip, or FRAME for one that finds them in a frame",
            Self::Order => {
                "the covered range starts below the end of the one before: add ranges in the order of their addresses"
            }
            Self::Range => "the covered range is not in the text: register the text that it is in",
            Self::Landing => "the landing is not in the text: a landing has to be in the text that it is for",
            Self::Full => "the table is full: give it as many entries as there are ranges",
            Self::Text => "the text is empty, has 4 GiB or more, or no process has memory there",
            Self::Table => "the table is empty, not at a multiple of 4, or no process has memory there",
        })
    }
}

impl core::error::Error for Unsound {}

impl Entry {
    /// The entry that is at the address `at` of a table: a fault of an instruction in `covered`
    /// lands at `landing`. Flags are 0, [`PLAIN`] or [`FRAME`].
    pub const fn new(
        at: u64,
        covered: Range<u64>,
        landing: u64,
        flags: u32,
    ) -> Result<Self, Unsound> {
        if covered.start >= covered.end {
            return Err(Unsound::Empty);
        }
        if !are_flags(flags) {
            return Err(Unsound::Flags);
        }
        let len = covered.end - covered.start;
        if len > u32::MAX as u64 {
            return Err(Unsound::Long);
        }
        let start = covered.start.wrapping_sub(at) as i64;
        let landing =
            landing.wrapping_sub(at.wrapping_add(offset_of!(Self, landing) as u64)) as i64;
        if start as i32 as i64 != start || landing as i32 as i64 != landing {
            return Err(Unsound::Far);
        }
        Ok(Self { start: start as i32, len: len as u32, landing: landing as i32, flags })
    }
}

impl Dso {
    /// The addresses of the text.
    pub const fn text(&self) -> Range<u64> {
        self.text_start..self.text_start.wrapping_add(self.text_len)
    }
}

impl Hit {
    /// Whether the landing changes no register but `rip`.
    pub const fn is_plain(&self) -> bool {
        self.flags & PLAIN as u64 != 0
    }

    /// Whether the landing finds the registers in a frame. An image for a kernel line without
    /// frames has no code for these.
    pub const fn has_frame(&self) -> bool {
        crate::kernel::datapage::FRAMES && self.flags & FRAME as u64 != 0
    }
}
