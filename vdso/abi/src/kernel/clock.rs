// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Clock ids, and the units of time.
//!
//! Source: `include/uapi/linux/time.h`; the sets are `VDSO_HRES`, `VDSO_COARSE` and
//! `VDSO_RAW` of `include/vdso/datapage.h`; the units are those of `include/vdso/time64.h`.

/// `CLOCK_REALTIME`.
pub const REALTIME: usize = 0;
/// `CLOCK_MONOTONIC`.
pub const MONOTONIC: usize = 1;
/// `CLOCK_MONOTONIC_RAW`.
pub const MONOTONIC_RAW: usize = 4;
/// `CLOCK_REALTIME_COARSE`.
pub const REALTIME_COARSE: usize = 5;
/// `CLOCK_MONOTONIC_COARSE`.
pub const MONOTONIC_COARSE: usize = 6;
/// `CLOCK_BOOTTIME`.
pub const BOOTTIME: usize = 7;
/// `CLOCK_TAI`.
pub const TAI: usize = 11;

/// `CLOCK_AUX`: the first of the auxiliary clocks, which Linux 7.3 added.
pub const AUXILIARY: usize = 16;
/// `aux_clock_resolution_ns()` of `include/vdso/auxclock.h`: the resolution of every auxiliary
/// clock, in nanoseconds.
pub const AUXILIARY_RESOLUTION: u32 = 1;

/// Clocks answered from the adjusted clocksource, a bit each.
pub const HIGH_RESOLUTION: u32 = 1 << REALTIME | 1 << MONOTONIC | 1 << BOOTTIME | 1 << TAI;
/// Clocks answered from the last update alone, a bit each.
pub const COARSE: u32 = 1 << REALTIME_COARSE | 1 << MONOTONIC_COARSE;
/// Clocks answered from the unadjusted clocksource, a bit each.
pub const RAW: u32 = 1 << MONOTONIC_RAW;

/// Nanoseconds of a second.
pub const NSEC_PER_SEC: u64 = 1_000_000_000;
/// Nanoseconds of a microsecond.
pub const NSEC_PER_USEC: u32 = 1_000;
/// Microseconds of a second.
pub const USEC_PER_SEC: u32 = 1_000_000;

/// `TICK_NSEC` of `include/vdso/jiffies.h` for a kernel with this `CONFIG_HZ`, in nanoseconds.
pub const fn tick_nsec(hz: u32) -> u32 {
    (NSEC_PER_SEC as u32 + hz / 2) / hz
}
