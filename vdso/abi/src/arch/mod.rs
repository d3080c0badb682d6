// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Facts of one architecture, a module for each.

pub mod x86_64;
