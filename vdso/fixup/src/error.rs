// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Errors, with the kernel's numbers.

use crate::memory::Fault;
use core::num::NonZero;
use liblinux_abi::kernel::errno::{
    EAGAIN, EEXIST, EFAULT, EINVAL, ENOENT, ENOMEM, ENOSPC, ENOSYS, ERANGE,
};

/// An error number. Not an enumeration, so that returning one needs no table; not zero, so that a
/// result without a value is one word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Error(NonZero<isize>);

impl Error {
    /// Memory of the caller, or memory that the registry leads to, is not accessible.
    pub const FAULT: Self = Self::number(EFAULT);
    /// An argument, a table or an area is not as it should be.
    pub const INVALID: Self = Self::number(EINVAL);
    /// Part of the text is registered already.
    pub const EXISTS: Self = Self::number(EEXIST);
    /// The area is full.
    pub const FULL: Self = Self::number(ENOSPC);
    /// The area has no such text, or no fixup for this address.
    pub const ABSENT: Self = Self::number(ENOENT);
    /// Writers overtook the reader each time that it tried.
    pub const OVERTAKEN: Self = Self::number(EAGAIN);
    /// The caller's memory has no room for the result.
    pub const SHORT: Self = Self::number(ERANGE);
    /// The kernel had no memory for a mark, or the process may have no more mappings.
    pub const NO_MEMORY: Self = Self::number(ENOMEM);
    /// The kernel knows nothing of fixups.
    pub const UNKNOWN: Self = Self::number(ENOSYS);

    /// The outcome of a private call: `-errno`, or success.
    #[inline(always)]
    pub const fn check(result: isize) -> Result<(), Self> {
        match NonZero::new(result.wrapping_neg()) {
            Some(number) if result < 0 => Err(Self(number)),
            _ => Ok(()),
        }
    }

    /// The error of a number, evaluated at compile time.
    const fn number(number: isize) -> Self {
        Self(NonZero::new(number).expect("an error number"))
    }

    /// The result of an entry of the image: `-errno`.
    #[inline(always)]
    pub const fn code(self) -> isize {
        -self.0.get()
    }
}

impl From<Fault> for Error {
    #[inline(always)]
    fn from(Fault: Fault) -> Self {
        Self::FAULT
    }
}
