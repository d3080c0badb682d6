// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The kernel's data pages, in the layout of Linux 7.3 on x86-64.
//!
//! Six pages: the clocks, in a time namespace the system's clocks (the first page is the
//! namespace's there), the random number generator's state, data of the architecture, of which
//! x86-64 has none that the image reads, and the two of hypervisors.
//!
//! Source: `include/vdso/datapage.h` (`struct vdso_time_data`, `struct vdso_clock`,
//! `enum vdso_pages`), `arch/x86/include/asm/vdso/vsyscall.h` and
//! `arch/x86/entry/vdso/common/vdso-layout.lds.S` (the hypervisors' pages), `lib/vdso/datastore.c`
//! and `vdso_timens_data` of `lib/vdso/gettimeofday.c` (what a time namespace has where).

use super::{
    CLOCK_MODE_HVCLOCK, CLOCK_MODE_NONE, CLOCK_MODE_PVCLOCK, CLOCK_MODE_TIMENS, CLOCK_MODE_TSC,
    CLOCKS, Layout, RandomData, Timestamp,
};
use crate::image::layout::PAGE_SIZE;
use core::mem::{offset_of, size_of};
use core::sync::atomic::{AtomicI32, AtomicU32, AtomicU64};

/// `MAX_AUX_CLOCKS`: how many auxiliary clocks the page holds.
pub const AUXILIARY_CLOCKS: usize = 8;

/// `struct vdso_clock`: the data by which one clocksource is read.
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
}

/// `struct vdso_time_data`: the page with the clocks.
#[derive(Debug)]
#[repr(C)]
pub struct DataPage {
    /// The adjusted clocksource: all clocks but `CLOCK_MONOTONIC_RAW` and the auxiliary ones.
    pub hres_coarse: ClockData,
    /// The unadjusted clocksource.
    pub raw: ClockData,
    /// The auxiliary clocks, each with its time in the first of its bases.
    pub auxiliary: [ClockData; AUXILIARY_CLOCKS],
    /// Minutes west of Greenwich.
    pub tz_minuteswest: AtomicI32,
    /// Kind of daylight saving.
    pub tz_dsttime: AtomicI32,
    /// Resolution of the high-resolution clocks, in nanoseconds.
    pub hrtimer_res: AtomicU32,
    /// Unused by the kernel.
    pub unused: AtomicU32,
}

/// Offset of the time zone in the page: `tz_minuteswest`, and `tz_dsttime` behind it.
pub const TIME_ZONE: usize = offset_of!(DataPage, tz_minuteswest);

/// Offset in the page of the resolution of the high-resolution clocks.
pub const HRTIMER_RES: usize = offset_of!(DataPage, hrtimer_res);

/// Whether a time namespace moves the random number generator's state, with the page that it is in.
pub const NAMESPACE_MOVES_RANDOM: bool = false;

/// Whether the kernel completes an unlock of a robust futex that is interrupted in the image: see
/// `image::export::ROBUST`.
pub const ROBUST_FUTEXES: bool = true;

/// Whether a kernel of this line with the series writes the frames of landings (`image::fixup`).
pub const FRAMES: bool = true;

impl DataPage {
    /// Minutes west of Greenwich, and the kind of daylight saving.
    pub const fn time_zone(&self) -> (&AtomicI32, &AtomicI32) {
        (&self.tz_minuteswest, &self.tz_dsttime)
    }

    /// The clocksource of an auxiliary clock, if there is one of that number.
    pub fn auxiliary(&self, index: usize) -> Option<&ClockData> {
        self.auxiliary.get(index)
    }

    /// The resolution of the high-resolution clocks, in nanoseconds.
    pub const fn hrtimer_res(&self) -> &AtomicU32 {
        &self.hrtimer_res
    }
}

/// Place of a page among the six.
const TIMENS: usize = 1;
/// See [`TIMENS`].
const RANDOM: usize = 2;
/// See [`TIMENS`].
const PVCLOCK: usize = 4;
/// See [`TIMENS`].
const HVCLOCK: usize = 5;

/// See [`Layout`].
pub const LAYOUT: Layout = Layout {
    line: "7.3",
    pages: 6,
    symbols: [
        ("vdso_u_time_data", 0),
        ("timens_page", TIMENS * PAGE_SIZE),
        ("vdso_u_rng_data", RANDOM * PAGE_SIZE),
        ("pvclock_page", PVCLOCK * PAGE_SIZE),
        ("hvclock_page", HVCLOCK * PAGE_SIZE),
    ],
    kernel_symbols: &[],
    facts: &[
        ("PAGE_SIZE", PAGE_SIZE),
        ("__VDSO_PAGES", 6),
        ("VDSO_TIME_PAGE_OFFSET", 0),
        ("VDSO_TIMENS_PAGE_OFFSET", TIMENS),
        ("VDSO_RNG_PAGE_OFFSET", RANDOM),
        ("VDSO_NR_PAGES + VDSO_PAGE_PVCLOCK_OFFSET", PVCLOCK),
        ("VDSO_NR_PAGES + VDSO_PAGE_HVCLOCK_OFFSET", HVCLOCK),
        (
            "offsetof(struct vdso_time_data, clock_data[CS_HRES_COARSE])",
            offset_of!(DataPage, hres_coarse),
        ),
        ("offsetof(struct vdso_time_data, clock_data[CS_RAW])", offset_of!(DataPage, raw)),
        ("offsetof(struct vdso_time_data, aux_clock_data)", offset_of!(DataPage, auxiliary)),
        ("MAX_AUX_CLOCKS", AUXILIARY_CLOCKS),
        ("VDSO_BASE_AUX", 0),
        ("offsetof(struct vdso_time_data, tz_minuteswest)", offset_of!(DataPage, tz_minuteswest)),
        ("offsetof(struct vdso_time_data, tz_dsttime)", offset_of!(DataPage, tz_dsttime)),
        ("offsetof(struct vdso_time_data, hrtimer_res)", offset_of!(DataPage, hrtimer_res)),
        ("sizeof(struct vdso_clock)", size_of::<ClockData>()),
        ("offsetof(struct vdso_clock, seq)", offset_of!(ClockData, sequence)),
        ("offsetof(struct vdso_clock, clock_mode)", offset_of!(ClockData, mode)),
        ("offsetof(struct vdso_clock, cycle_last)", offset_of!(ClockData, cycle_last)),
        ("offsetof(struct vdso_clock, max_cycles)", offset_of!(ClockData, max_cycles)),
        ("offsetof(struct vdso_clock, mask)", offset_of!(ClockData, mask)),
        ("offsetof(struct vdso_clock, mult)", offset_of!(ClockData, mult)),
        ("offsetof(struct vdso_clock, shift)", offset_of!(ClockData, shift)),
        ("offsetof(struct vdso_clock, basetime)", offset_of!(ClockData, base)),
        ("offsetof(struct vdso_clock, offset)", offset_of!(ClockData, base)),
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
