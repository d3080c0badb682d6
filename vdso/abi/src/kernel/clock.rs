//! Clock ids.
//!
//! Source: `include/uapi/linux/time.h` of Linux 6.12; the sets are `VDSO_HRES`, `VDSO_COARSE` and `VDSO_RAW` of
//! `include/vdso/datapage.h`.

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

/// Clocks answered from the adjusted clocksource, a bit each.
pub const HIGH_RESOLUTION: u32 = 1 << REALTIME | 1 << MONOTONIC | 1 << BOOTTIME | 1 << TAI;
/// Clocks answered from the last update alone, a bit each.
pub const COARSE: u32 = 1 << REALTIME_COARSE | 1 << MONOTONIC_COARSE;
/// Clocks answered from the unadjusted clocksource, a bit each.
pub const RAW: u32 = 1 << MONOTONIC_RAW;

/// `TICK_NSEC` of `include/vdso/jiffies.h` for a kernel with this `CONFIG_HZ`, in nanoseconds.
pub const fn tick_nsec(hz: u32) -> u32 {
    (1_000_000_000 + hz / 2) / hz
}
