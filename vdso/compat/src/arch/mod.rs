// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! What differs by the architecture of the 64-bit side.

mod x86_64;

pub(crate) use x86_64::*;
