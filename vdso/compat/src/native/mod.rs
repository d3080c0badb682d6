// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The calls that differ: what is converted, and how.
//!
//! Each function takes the caller's registers and makes the 64-bit call. Structures are read from
//! the caller and written to it by [`crate::memory`], so a bad address is `EFAULT`. Layouts are
//! those of the kernel's `include/linux/compat.h` and `arch/x86/include/asm/compat.h`.

pub(crate) mod area;
pub(crate) mod clock;
pub(crate) mod control;
mod control_message;
pub(crate) mod directory;
pub(crate) mod file;
pub(crate) mod identity;
pub(crate) mod ipc;
pub(crate) mod limit;
pub(crate) mod mapping;
pub(crate) mod offset;
pub(crate) mod program;
pub(crate) mod select;
pub(crate) mod signal;
pub(crate) mod socket;
pub(crate) mod status;
pub(crate) mod thread;
pub(crate) mod time;
pub(crate) mod timer;
pub(crate) mod vector;
pub(crate) mod wait;
