//! `clock_gettime`, `gettimeofday`, `time` and `clock_getres`, read from the kernel's data pages.
//!
//! The kernel publishes, for each clock, the time at its last update and the counter's value then; a reader adds the
//! counter's progress since. Reference: `lib/vdso/gettimeofday.c` and `arch/x86/include/asm/vdso/gettimeofday.h` of
//! Linux 6.12.
//!
//! An entry first makes one attempt in the hot page, for a clock that runs on the TSC in the initial time namespace. If
//! anything is in the way, it jumps to its cold half, which starts over and deals with everything. Counters of
//! hypervisors, and the resolution of the coarse clocks (a constant of the kernel's build that no data page holds), are
//! left to the system call.
//!
//! # Invariants
//!
//! 1. What is returned belongs to one update of the data: see [`crate::timekeeping`].
//! 2. Whatever cannot be answered here the kernel answers, with the same arguments.
//! 3. The caller's memory is written only when the answer is known.

#![expect(unsafe_code, reason = "exports C functions and writes through their callers' pointers")]

use crate::arch::{self, fallback};
use crate::timekeeping::{Instant, coarse, high_resolution, try_coarse, try_high_resolution};
use core::sync::atomic::Ordering::Relaxed;
use liblinux_abi::clock::{COARSE, HIGH_RESOLUTION, RAW, REALTIME};
use liblinux_abi::vvar::{CLOCK_MODE_TIMENS, CLOCKS, DataPage};

/// `struct __kernel_timespec`.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Timespec {
    /// Seconds.
    pub sec: i64,
    /// Nanoseconds.
    pub nsec: i64,
}

/// `struct __kernel_old_timeval`.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Timeval {
    /// Seconds.
    pub sec: i64,
    /// Microseconds.
    pub usec: i64,
}

impl From<Instant> for Timespec {
    #[inline(always)]
    fn from(instant: Instant) -> Self {
        Self { sec: instant.sec.cast_signed(), nsec: instant.nsec.cast_signed() }
    }
}

impl From<Instant> for Timeval {
    #[inline(always)]
    fn from(instant: Instant) -> Self {
        Self { sec: instant.sec.cast_signed(), usec: i64::from(instant.nsec as u32 / 1000) }
    }
}

/// `struct timezone`.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub struct Timezone {
    /// Minutes west of Greenwich.
    pub minuteswest: i32,
    /// Kind of daylight saving.
    pub dsttime: i32,
}

/// `clock_gettime(2)`.
///
/// # Safety
///
/// `time` must be valid for writing.
#[unsafe(no_mangle)]
#[unsafe(link_section = ".text.hot.clock_gettime")]
pub unsafe extern "C" fn __vdso_clock_gettime(clock: i32, time: *mut Timespec) -> isize {
    let id = clock.cast_unsigned() as usize;
    let now = if is_in(HIGH_RESOLUTION, id) {
        try_high_resolution(|page| &page.hres_coarse, id)
    } else if is_in(COARSE, id) {
        try_coarse(|page| &page.hres_coarse, id)
    } else if is_in(RAW, id) {
        try_high_resolution(|page| &page.raw, id)
    } else {
        None
    };
    let Some(now) = now else {
        // SAFETY: the same contract.
        return unsafe { clock_gettime_cold(clock, time) };
    };
    // SAFETY: the caller's contract.
    unsafe { time.write_unaligned(now.into()) };
    0
}

/// `clock_gettime(2)`, whatever it takes.
///
/// # Safety
///
/// `time` must be valid for writing.
#[cold]
#[inline(never)]
unsafe extern "C" fn clock_gettime_cold(clock: i32, time: *mut Timespec) -> isize {
    let id = clock.cast_unsigned() as usize;
    let now = if is_in(HIGH_RESOLUTION, id) {
        high_resolution(|page| &page.hres_coarse, id)
    } else if is_in(COARSE, id) {
        coarse(|page| &page.hres_coarse, id)
    } else if is_in(RAW, id) {
        high_resolution(|page| &page.raw, id)
    } else {
        None
    };
    let Some(now) = now else {
        return fallback::clock_gettime(clock, time.cast());
    };
    // SAFETY: the caller's contract.
    unsafe { time.write_unaligned(now.into()) };
    0
}

/// `gettimeofday(2)`. Each pointer may be null.
///
/// # Safety
///
/// `time` and `zone` must be null or valid for writing.
#[unsafe(no_mangle)]
#[unsafe(link_section = ".text.hot.gettimeofday")]
pub unsafe extern "C" fn __vdso_gettimeofday(time: *mut Timeval, zone: *mut Timezone) -> isize {
    if !time.is_null()
        && zone.is_null()
        && let Some(now) = try_high_resolution(|page| &page.hres_coarse, REALTIME)
    {
        // SAFETY: not null, so valid by the caller's contract.
        unsafe { time.write_unaligned(now.into()) };
        return 0;
    }
    // SAFETY: the same contract.
    unsafe { gettimeofday_cold(time, zone) }
}

/// `gettimeofday(2)`, whatever it takes.
///
/// # Safety
///
/// `time` and `zone` must be null or valid for writing.
#[cold]
#[inline(never)]
unsafe extern "C" fn gettimeofday_cold(time: *mut Timeval, zone: *mut Timezone) -> isize {
    if !time.is_null() {
        let Some(now) = high_resolution(|page| &page.hres_coarse, REALTIME) else {
            return fallback::gettimeofday(time.cast(), zone.cast());
        };
        // SAFETY: not null, so valid by the caller's contract.
        unsafe { time.write_unaligned(now.into()) };
    }
    if !zone.is_null() {
        let data = &system_data().hres_coarse;
        let here = Timezone {
            minuteswest: data.tz_minuteswest.load(Relaxed),
            dsttime: data.tz_dsttime.load(Relaxed),
        };
        // SAFETY: not null, so valid by the caller's contract.
        unsafe { zone.write_unaligned(here) };
    }
    0
}

/// `time(2)`. The pointer may be null.
///
/// # Safety
///
/// `time` must be null or valid for writing.
#[unsafe(no_mangle)]
#[unsafe(link_section = ".text.hot.time")]
pub unsafe extern "C" fn __vdso_time(time: *mut i64) -> i64 {
    // One field, so no sequence: it cannot be torn. Time namespaces do not shift this clock.
    let now = system_data().hres_coarse.base[REALTIME].sec.load(Relaxed) as i64;
    if !time.is_null() {
        // SAFETY: not null, so valid by the caller's contract.
        unsafe { time.write_unaligned(now) };
    }
    now
}

/// `clock_getres(2)`. The pointer may be null.
///
/// # Safety
///
/// `resolution` must be null or valid for writing.
#[unsafe(no_mangle)]
#[unsafe(link_section = ".text.hot.clock_getres")]
pub unsafe extern "C" fn __vdso_clock_getres(clock: i32, resolution: *mut Timespec) -> isize {
    if !is_in(HIGH_RESOLUTION | RAW, clock.cast_unsigned() as usize) {
        return fallback::clock_getres(clock, resolution.cast());
    }
    if !resolution.is_null() {
        let nsec = system_data().hres_coarse.hrtimer_res.load(Relaxed);
        // SAFETY: not null, so valid by the caller's contract.
        unsafe { resolution.write_unaligned(Timespec { sec: 0, nsec: i64::from(nsec) }) };
    }
    0
}

/// Whether `id` is in a set of clocks.
#[inline(always)]
fn is_in(set: u32, id: usize) -> bool {
    id < CLOCKS && 1 << id & set != 0
}

/// The page that is not shifted by a time namespace.
#[inline(always)]
fn system_data() -> &'static DataPage {
    let page = arch::process_data();
    if page.hres_coarse.mode.load(Relaxed) == CLOCK_MODE_TIMENS {
        // SAFETY: the clock mode was just seen.
        return unsafe { arch::namespace_data() };
    }
    page
}
