// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! x86-64: i386 programs.

mod clone;
mod copy;
mod enter;
mod entries;
pub(crate) mod place;
mod segment;
mod signal;

pub(crate) use clone::{Request, clone};
pub(crate) use copy::{copy, with_area};
pub(crate) use enter::{CODE_32, CODE_64, DATA, facts};
pub(crate) use entries::{call, clock_gettime};
pub(crate) use segment::{Segment, base_of, selector_of, set_base, set_selector};
pub(crate) use signal::leave;
