// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The facts of the liblinux image, each written down once.
//!
//! Everything else derives from this crate or checks it against an outside source: the image takes
//! its numbers and layouts from here, the linker script its offsets, the checker its expectations,
//! the tests their lists. The crate has no dependencies, no code that runs in a process, and no
//! `unsafe`.
//!
//! # Invariants
//!
//! 1. A fact (a number, a symbol, an offset, a bit) stands in exactly one module here.
//! 2. Facts that belong to the kernel name the header they come from, and a test compares them with
//!    that header.
#![no_std]
#![forbid(unsafe_code)]

#[cfg(test)]
extern crate std;

pub mod arch;
pub mod image;
pub mod kernel;
pub mod syscall;
