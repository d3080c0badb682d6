//! `clock_gettime`, `gettimeofday`, `time` and `clock_getres`, read from the kernel's data pages.
//!
//! The kernel publishes, for each clock, the time at its last update and the counter's value then;
//! a reader adds the counter's progress since. Reference: `lib/vdso/gettimeofday.c` and
//! `arch/x86/include/asm/vdso/gettimeofday.h`.
//!
//! An entry first makes one attempt in the hot page, for a clock that runs on the TSC in the
//! initial time namespace. If anything is in the way, it jumps to its slow path, which starts over
//! and deals with everything. The fast path of `clock_gettime` and all of `time` and `clock_getres`
//! are in assembly, in [`crate::arch`].
//!
//! # Invariants
//!
//! 1. A result belongs to one update of the data: see [`crate::timekeeping`].
//! 2. The kernel answers everything that cannot be answered here, with the same arguments.
//! 3. The caller's memory is written only when the answer is known, and only by [`crate::arch`].

#![expect(
    unsafe_code,
    reason = "exports C functions, reads the page that only a time namespace has"
)]

use crate::arch::user::{Fault, store_pair, store_u64, stored};
use crate::arch::{self, fallback};
use crate::timekeeping::{Instant, coarse, cold_path, high_resolution, try_high_resolution};
use core::mem::offset_of;
use core::sync::atomic::Ordering::Relaxed;
use liblinux_abi::kernel::clock::{COARSE, HIGH_RESOLUTION, NSEC_PER_USEC, RAW, REALTIME};
use liblinux_abi::kernel::datapage::{CLOCK_MODE_TIMENS, CLOCKS, DataPage};

/// `struct __kernel_timespec`, and `struct __kernel_old_timeval`: two 64-bit words.
type Pair = [u64; 2];

/// `struct timezone`: minutes west of Greenwich in the low half, the kind of daylight saving in the
/// high one.
type Timezone = u64;

/// Offset of the adjusted clocksource in a data page.
const HRES_COARSE: usize = offset_of!(DataPage, hres_coarse);

/// The slow path of `clock_gettime(2)`. The entry is in [`crate::arch`] and jumps here if anything
/// is in its way.
#[cold]
#[inline(never)]
pub extern "C" fn clock_gettime_cold(clock: i32, time: *mut Pair) -> isize {
    let id = clock as u32 as usize;
    let now = if is_in(HIGH_RESOLUTION, id) {
        high_resolution(|page| &page.hres_coarse, id)
    } else if is_in(COARSE, id) {
        coarse(|page| &page.hres_coarse, id)
    } else if is_in(RAW, id) {
        high_resolution(|page| &page.raw, id)
    } else {
        None
    };
    match now {
        Some(now) => stored(store_pair(time, [now.sec, now.nsec])),
        None => fallback::clock_gettime(clock, time.cast()),
    }
}

/// `gettimeofday(2)`. Each pointer may be null.
#[unsafe(no_mangle)]
#[unsafe(link_section = ".text.hot.gettimeofday")]
pub extern "C" fn __vdso_gettimeofday(time: *mut Pair, zone: *mut Timezone) -> isize {
    if !time.is_null() {
        if let Some(now) = try_high_resolution(arch::process_clock::<HRES_COARSE>(), REALTIME) {
            return stored(store_pair(time, timeval(now)).and_then(|()| store_zone(zone)));
        }
    }
    gettimeofday_cold(time, zone)
}

/// The slow path of `gettimeofday(2)`.
#[cold]
#[inline(never)]
extern "C" fn gettimeofday_cold(time: *mut Pair, zone: *mut Timezone) -> isize {
    if time.is_null() {
        return stored(store_zone(zone));
    }
    match high_resolution(|page| &page.hres_coarse, REALTIME) {
        Some(now) => stored(store_pair(time, timeval(now)).and_then(|()| store_zone(zone))),
        None => fallback::gettimeofday(time.cast(), zone.cast()),
    }
}

/// The `struct timeval` of a point in time.
#[inline(always)]
fn timeval(now: Instant) -> Pair {
    [now.sec, u64::from(now.nsec as u32 / NSEC_PER_USEC)]
}

/// Stores the time zone, if it was asked for.
#[inline(always)]
fn store_zone(zone: *mut Timezone) -> Result<(), Fault> {
    if zone.is_null() {
        return Ok(());
    }
    let (west, daylight_saving) = system_data().time_zone();
    let (west, daylight_saving) = (west.load(Relaxed) as u32, daylight_saving.load(Relaxed) as u32);
    store_u64(zone, u64::from(daylight_saving) << 32 | u64::from(west))
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
        cold_path();
        // SAFETY: the clock mode was just seen.
        return unsafe { arch::namespace_data() };
    }
    page
}
