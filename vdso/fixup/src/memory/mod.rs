// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The memory of the process, by address.
//!
//! # Invariants
//!
//! 1. Accesses by one thread are seen by others in the order in which they are made: loads are done
//!    in order, and no store passes an exchange. x86-64 has this of itself; an implementation must
//!    keep the compiler from changing it.

pub mod fingerprint;

/// The content of a cell. Not `liblinux_abi::image::fixup::Cell`, whose alignment would have the
/// compiler copy it by vector registers, which the image does not touch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamped {
    /// The value.
    pub value: u64,
    /// The generation that it was written for.
    pub generation: u64,
}

/// The memory was not accessible.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault;

/// Memory that may not exist, and that others may change at any time.
pub trait Memory {
    /// Loads 8 bytes.
    fn load(&self, address: u64) -> Result<u64, Fault>;

    /// Loads 4 bytes.
    fn load_half(&self, address: u64) -> Result<u32, Fault>;

    /// Stores 8 bytes.
    fn store(&self, address: u64, value: u64) -> Result<(), Fault>;

    /// Makes the 8 bytes `new`, if they are `old`, in one step; whether they were.
    fn exchange(&self, address: u64, old: u64, new: u64) -> Result<bool, Fault>;

    /// Makes the cell `new`, if it is `old`, in one step; whether it was.
    fn exchange_cell(&self, address: u64, old: Stamped, new: Stamped) -> Result<bool, Fault>;

    /// Lets other threads run for a moment.
    fn pause(&self);
}
