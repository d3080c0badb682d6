// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Code that depends on the processor, a folder for each architecture.

mod x86_64;

pub use x86_64::{cancel, context};
