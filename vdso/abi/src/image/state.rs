// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The facts about a process that are outside its memory because of the image, as bytes that a
//! checkpoint can keep.
//!
//! The image has no state of its own; the kernel holds which area of exception fixups it consults.
//! `__vdso_state_save` writes that down, `__vdso_state_restore` restores it, in the same process or
//! in one whose memory was restored.
//!
//! # Invariants
//!
//! 1. A later version keeps the fields of an earlier one in their places, and says by `size` that
//!    it has more.

use core::mem::size_of;

/// First word of a state: the bytes "LLSTATE1".
pub const MAGIC: u64 = u64::from_le_bytes(*b"LLSTATE1");

/// A state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct State {
    /// [`MAGIC`].
    pub magic: u64,
    /// [`SIZE`].
    pub size: u64,
    /// Address of the attached area, 0 if there is none.
    pub area: u64,
    /// Its size in bytes.
    pub area_size: u64,
}

/// Bytes of a state.
pub const SIZE: u64 = size_of::<State>() as u64;

const _: () = assert!(SIZE == 32);
