// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The kernel's clock data, as the 32-bit image reads it: where its parts are, for each layout of
//! the data pages (`liblinux_abi::kernel::datapage`).
//!
//! The 32-bit image reads at a fixed distance from itself, from [`DATA_AT`] on. Where the loader
//! cannot bring the kernel's pages there, it puts a page of zeros there. That says that the clock
//! is not the TSC (`VDSO_CLOCKMODE_NONE`), and the image enters the shim.
//!
//! # Invariants
//!
//! 1. All that is read lies in the lowest page.

use crate::facts::{BASE, LOADER_BASE};
use core::mem::{offset_of, size_of};
use liblinux_abi::image::layout::PAGE_SIZE;
use liblinux_abi::kernel::datapage::{CLOCKS, Timestamp, v6_12, v7_3};

/// Where the lowest of the data pages is. The 64-bit image follows the highest.
pub const DATA_AT: u32 = BASE + 0xa_0000;

/// Bytes that data pages and image may take there.
pub const ROOM: u32 = LOADER_BASE - DATA_AT;

/// Offsets in the lowest data page, in bytes.
#[derive(Clone, Copy, Debug)]
pub struct Data {
    /// The kernel line whose layout it is.
    pub line: &'static str,
    /// The adjusted clocksource.
    pub adjusted: usize,
    /// The unadjusted clocksource.
    pub raw: usize,
    /// In a clocksource: the sequence count.
    pub sequence: usize,
    /// The clock mode.
    pub mode: usize,
    /// The counter at the last update.
    pub cycle_last: usize,
    /// The multiplier.
    pub mult: usize,
    /// The shift.
    pub shift: usize,
    /// The seconds of clock 0. Those of the next one are a [`Timestamp`] further.
    pub seconds: usize,
    /// Its nanoseconds.
    pub nanoseconds: usize,
}

macro_rules! data {
    ($line:ident) => {
        Data {
            line: $line::LAYOUT.line,
            adjusted: offset_of!($line::DataPage, hres_coarse),
            raw: offset_of!($line::DataPage, raw),
            sequence: offset_of!($line::ClockData, sequence),
            mode: offset_of!($line::ClockData, mode),
            cycle_last: offset_of!($line::ClockData, cycle_last),
            mult: offset_of!($line::ClockData, mult),
            shift: offset_of!($line::ClockData, shift),
            seconds: offset_of!($line::ClockData, base) + offset_of!(Timestamp, sec),
            nanoseconds: offset_of!($line::ClockData, base) + offset_of!(Timestamp, nsec),
        }
    };
}

/// The layouts: for each there is a 32-bit image.
pub const DATA: [Data; 2] = [data!(v7_3), data!(v6_12)];

const _: () = {
    let mut index = 0;
    while index < DATA.len() {
        let Data { adjusted, raw, nanoseconds, .. } = DATA[index];
        let last = if adjusted > raw { adjusted } else { raw };
        assert!(last + nanoseconds + CLOCKS * size_of::<Timestamp>() <= PAGE_SIZE);
        index += 1;
    }
};
