// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The kernel's data pages, in the layout of Linux 6.12 on x86-64.
//!
//! Four pages: the data (`vvar_page`), the two of hypervisors, and in a time namespace a second one
//! with the data, because `vvar_page` is the namespace's there. The random number generator's state
//! is in the same page as the clocks, so a namespace moves it, too.
//!
//! Source: `include/vdso/datapage.h` (`struct vdso_data`), `arch/x86/include/asm/vvar.h` (offsets
//! in the page), `arch/x86/entry/vdso/vdso-layout.lds.S` (the pages), `vdso2c.c` of that folder
//! (the symbols that the kernel's build looks for).

use super::{
    CLOCK_MODE_HVCLOCK, CLOCK_MODE_NONE, CLOCK_MODE_PVCLOCK, CLOCK_MODE_TIMENS, CLOCK_MODE_TSC,
    CLOCKS, Layout, RandomData, Timestamp,
};
use crate::image::layout::PAGE_SIZE;
use core::mem::{offset_of, size_of};
use core::sync::atomic::{AtomicI32, AtomicU8, AtomicU32, AtomicU64};

/// `struct vdso_data`: the data by which one clocksource is read.
#[derive(Debug)]
#[repr(C)]
pub struct ClockData {
    /// Sequence counter; odd while the kernel writes, and always odd in a time namespace's page.
    pub sequence: AtomicU32,
    /// One of the `CLOCK_MODE_` constants.
    pub mode: AtomicI32,
    /// Counter value at the last update.
    pub cycle_last: AtomicU64,
    /// The largest counter distance whose product with `mult` fits 64 bits.
    pub max_cycles: AtomicU64,
    /// Mask of the counter (x86 uses its own).
    pub mask: AtomicU64,
    /// Nanoseconds per count, times two to the `shift`.
    pub mult: AtomicU32,
    /// See `mult`.
    pub shift: AtomicU32,
    /// Per clock id the time at `cycle_last`; in a time namespace's page the offsets to add.
    pub base: [Timestamp; CLOCKS],
    /// Minutes west of Greenwich.
    pub tz_minuteswest: AtomicI32,
    /// Kind of daylight saving.
    pub tz_dsttime: AtomicI32,
    /// Resolution of the high-resolution clocks, in nanoseconds.
    pub hrtimer_res: AtomicU32,
    /// Unused by the kernel.
    pub unused: AtomicU32,
}

/// How many auxiliary clocks the page holds.
pub const AUXILIARY_CLOCKS: usize = 0;

/// `vvar_page`, and in a time namespace `timens_page`.
#[derive(Debug)]
#[repr(C)]
pub struct DataPage {
    /// Nothing that the 64-bit image uses.
    pub reserved: [AtomicU8; 128],
    /// The adjusted clocksource: all clocks but `CLOCK_MONOTONIC_RAW`.
    pub hres_coarse: ClockData,
    /// The unadjusted clocksource.
    pub raw: ClockData,
    /// Up to the next offset of `asm/vvar.h`.
    pub gap: [AtomicU8; 16],
    /// State of the random number generator.
    pub random: RandomData,
}

/// Offset of the time zone in the page: `tz_minuteswest`, and `tz_dsttime` behind it.
pub const TIME_ZONE: usize =
    offset_of!(DataPage, hres_coarse) + offset_of!(ClockData, tz_minuteswest);

/// Offset in the page of the resolution of the high-resolution clocks.
pub const HRTIMER_RES: usize =
    offset_of!(DataPage, hres_coarse) + offset_of!(ClockData, hrtimer_res);

/// Whether a time namespace moves the random number generator's state, with the page that it is in.
pub const NAMESPACE_MOVES_RANDOM: bool = true;

/// Whether the kernel completes an unlock of a robust futex that is interrupted in the image: see
/// `image::export::ROBUST`.
pub const ROBUST_FUTEXES: bool = false;

/// Whether a kernel of this line with the series writes the frames of landings (`image::fixup`).
pub const FRAMES: bool = false;

impl DataPage {
    /// Minutes west of Greenwich, and the kind of daylight saving.
    pub const fn time_zone(&self) -> (&AtomicI32, &AtomicI32) {
        (&self.hres_coarse.tz_minuteswest, &self.hres_coarse.tz_dsttime)
    }

    /// The clocksource of an auxiliary clock: this line has none.
    pub const fn auxiliary(&self, _index: usize) -> Option<&ClockData> {
        None
    }

    /// The resolution of the high-resolution clocks, in nanoseconds.
    pub const fn hrtimer_res(&self) -> &AtomicU32 {
        &self.hres_coarse.hrtimer_res
    }
}

/// See [`Layout`].
pub const LAYOUT: Layout = Layout {
    line: "6.12",
    pages: 4,
    symbols: [
        ("vdso_u_time_data", 0),
        ("timens_page", 3 * PAGE_SIZE),
        ("vdso_u_rng_data", offset_of!(DataPage, random)),
        ("pvclock_page", PAGE_SIZE),
        ("hvclock_page", 2 * PAGE_SIZE),
    ],
    kernel_symbols: &[("vvar_start", 0), ("vvar_page", 0)],
    facts: &[
        ("PAGE_SIZE", PAGE_SIZE),
        ("at__vdso_data", offset_of!(DataPage, hres_coarse)),
        ("at__vdso_data + sizeof(struct vdso_data) * CS_RAW", offset_of!(DataPage, raw)),
        ("at__vdso_rng_data", offset_of!(DataPage, random)),
        ("sizeof(struct vdso_data)", size_of::<ClockData>()),
        ("offsetof(struct vdso_data, seq)", offset_of!(ClockData, sequence)),
        ("offsetof(struct vdso_data, clock_mode)", offset_of!(ClockData, mode)),
        ("offsetof(struct vdso_data, cycle_last)", offset_of!(ClockData, cycle_last)),
        ("offsetof(struct vdso_data, max_cycles)", offset_of!(ClockData, max_cycles)),
        ("offsetof(struct vdso_data, mask)", offset_of!(ClockData, mask)),
        ("offsetof(struct vdso_data, mult)", offset_of!(ClockData, mult)),
        ("offsetof(struct vdso_data, shift)", offset_of!(ClockData, shift)),
        ("offsetof(struct vdso_data, basetime)", offset_of!(ClockData, base)),
        ("offsetof(struct vdso_data, offset)", offset_of!(ClockData, base)),
        ("offsetof(struct vdso_data, tz_minuteswest)", offset_of!(ClockData, tz_minuteswest)),
        ("offsetof(struct vdso_data, tz_dsttime)", offset_of!(ClockData, tz_dsttime)),
        ("offsetof(struct vdso_data, hrtimer_res)", offset_of!(ClockData, hrtimer_res)),
        ("sizeof(struct vdso_timestamp)", size_of::<Timestamp>()),
        ("offsetof(struct vdso_timestamp, nsec)", offset_of!(Timestamp, nsec)),
        ("sizeof(struct timens_offset)", size_of::<Timestamp>()),
        ("offsetof(struct timens_offset, nsec)", offset_of!(Timestamp, nsec)),
        ("offsetof(struct vdso_rng_data, generation)", offset_of!(RandomData, generation)),
        ("offsetof(struct vdso_rng_data, is_ready)", offset_of!(RandomData, is_ready)),
        ("VDSO_BASES", CLOCKS),
        ("VDSO_CLOCKMODE_NONE", CLOCK_MODE_NONE as usize),
        ("VDSO_CLOCKMODE_TSC", CLOCK_MODE_TSC as usize),
        ("VDSO_CLOCKMODE_PVCLOCK", CLOCK_MODE_PVCLOCK as usize),
        ("VDSO_CLOCKMODE_HVCLOCK", CLOCK_MODE_HVCLOCK as usize),
        ("VDSO_CLOCKMODE_TIMENS", CLOCK_MODE_TIMENS as usize),
    ],
};
