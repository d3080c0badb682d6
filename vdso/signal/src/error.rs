// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Why a chain refused.

use core::fmt;
use liblinux_abi::kernel::errno::{EBUSY, EEXIST, EINVAL, ENOENT, ENOSPC};

/// An error number, by the meaning that it has here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Error(isize);

impl Error {
    /// `EINVAL`: not an area, or a link that is not well formed.
    pub const INVALID: Self = Self(EINVAL);
    /// `EEXIST`: the link is in the chain already.
    pub const EXISTS: Self = Self(EEXIST);
    /// `ENOSPC`: every slot of the area is in use.
    pub const FULL: Self = Self(ENOSPC);
    /// `EBUSY`: no handler of the link is started any more, but one is in flight. Remove it again
    /// later, and keep its code and its memory until then.
    pub const BUSY: Self = Self(EBUSY);
    /// `ENOENT`: the link is not in the chain.
    pub const MISSING: Self = Self(ENOENT);

    /// The number, below zero, as an entry of the image returns it.
    pub const fn code(self) -> isize {
        -self.0
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match *self {
            Self::INVALID => "not an area, or a link that is not well formed (EINVAL)",
            Self::EXISTS => "the link is in the chain already (EEXIST)",
            Self::FULL => "the area has no free slot: make it for more links (ENOSPC)",
            Self::BUSY => "a handler of the link is in flight: remove it again later (EBUSY)",
            _ => "the link is not in the chain (ENOENT)",
        })
    }
}

impl core::error::Error for Error {}
