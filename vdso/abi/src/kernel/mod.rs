// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The promises of the kernel on every architecture: error numbers, tags of the auxiliary vector,
//! clocks, random numbers, and its data pages.

pub mod auxv;
pub mod clock;
pub mod clone;
pub mod datapage;
pub mod errno;
pub mod random;
