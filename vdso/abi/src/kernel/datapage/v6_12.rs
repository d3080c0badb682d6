//! The kernel's data pages, in the layout of Linux 6.12 on x86-64.
//!
//! The kernel writes these while user space reads them, so every field is an atomic: a plain load
//! each on x86-64, and no claim to the compiler that the memory stands still.
//!
//! Source: `include/vdso/datapage.h` (`struct vdso_data`, `struct vdso_rng_data`),
//! `arch/x86/include/asm/vvar.h` (offsets in the page), `include/vdso/clocksource.h` and
//! `arch/x86/include/asm/vdso/clocksource.h` (clock modes).
//!
//! # Invariants
//!
//! 1. Offsets and sizes equal the kernel's (asserted below; a test compares with the kernel tree).
//! 2. A reader takes a consistent set of fields only between two equal, even readings of
//!    [`ClockData::sequence`].

use core::mem::{offset_of, size_of};
use core::sync::atomic::{AtomicI32, AtomicU8, AtomicU32, AtomicU64};

/// Clock ids for which [`ClockData::base`] has room.
pub const CLOCKS: usize = crate::kernel::clock::TAI + 1;

/// A point in time: seconds, and nanoseconds, which for the high-resolution clocks are shifted left
/// by [`ClockData::shift`].
#[derive(Debug)]
#[repr(C)]
pub struct Timestamp {
    /// Seconds.
    pub sec: AtomicU64,
    /// Nanoseconds, shifted for high-resolution clocks.
    pub nsec: AtomicU64,
}

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

/// `struct vdso_rng_data`: the state of the kernel's random number generator.
#[derive(Debug)]
#[repr(C)]
pub struct RandomData {
    /// Counts reseeds.
    pub generation: AtomicU64,
    /// Not zero once the generator is initialised.
    pub is_ready: AtomicU8,
}

/// `vvar_page` and `timens_page`, as far as the image reads them.
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

/// `VDSO_CLOCKMODE_NONE`: only the kernel can read the clock.
pub const CLOCK_MODE_NONE: i32 = 0;
/// `VDSO_CLOCKMODE_TSC`: the counter is the TSC.
pub const CLOCK_MODE_TSC: i32 = 1;
/// `VDSO_CLOCKMODE_PVCLOCK`: the counter is scaled by a page that KVM or Xen writes.
pub const CLOCK_MODE_PVCLOCK: i32 = 2;
/// `VDSO_CLOCKMODE_HVCLOCK`: the counter is scaled by a page that Hyper-V writes.
pub const CLOCK_MODE_HVCLOCK: i32 = 3;
/// `VDSO_CLOCKMODE_TIMENS`: this is a time namespace's page; the real data is in `timens_page`.
pub const CLOCK_MODE_TIMENS: i32 = i32::MAX;

const _: () = {
    assert!(size_of::<ClockData>() == 248);
    assert!(offset_of!(ClockData, base) == 40);
    assert!(offset_of!(ClockData, tz_minuteswest) == 232);
    assert!(offset_of!(DataPage, hres_coarse) == 128);
    assert!(offset_of!(DataPage, random) == 640);
};
