// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! x86-64: the context of a signal.

pub mod cancel;
pub mod context;
mod frame;
