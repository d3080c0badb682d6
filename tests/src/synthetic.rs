//! Data pages as the kernel would fill them, for an image that a test mapped.
//!
//! A real page is the kernel's to write, and it is one per process. To run two images side by side
//! each gets a page of its own with the same contents: a clock on the TSC, with the multiplier that
//! the kernel would compute from the counter's frequency, and the time of this machine's clocks at
//! one moment.
//!
//! # Invariants
//!
//! 1. A page is written as the kernel writes it, so that a reader in another thread sees one moment
//!    or the other.
//! 2. Two pages of one [`Moment`] hold the same bytes but for their sequence counters.

#![expect(unsafe_code, reason = "reads the time-stamp counter")]

use liblinux_abi::kernel::clock::{
    BOOTTIME, MONOTONIC, MONOTONIC_COARSE, MONOTONIC_RAW, REALTIME, REALTIME_COARSE, TAI,
};
use liblinux_abi::kernel::datapage::{CLOCK_MODE_TSC, ClockData, DataPage};
use nix::time::{ClockId, clock_gettime};
use std::arch::x86_64::{_mm_lfence, _rdtsc};
use std::sync::atomic::Ordering::{Relaxed, Release};
use std::sync::atomic::fence;
use std::time::Duration;

/// How long [`Clocksource::measure`] counts.
const MEASUREMENT: Duration = Duration::from_millis(100);

/// Seconds for which a multiplier has to keep 64 bits from overflowing
/// (`__clocksource_update_freq_scale`).
const MAX_SECONDS: u64 = 600;

/// Per cent by which the kernel may adjust a multiplier (`clocksource_max_adjustment`).
const MAX_ADJUSTMENT: u64 = 11;

/// Clocks of the adjusted clocksource that are shifted.
const SHIFTED: [usize; 4] = [REALTIME, MONOTONIC, BOOTTIME, TAI];

/// Reads the TSC when everything before has been done, and before anything behind is begun.
pub fn ticks() -> u64 {
    // SAFETY: SSE2 is part of x86-64.
    unsafe { _mm_lfence() };
    // SAFETY: every x86-64 processor has it, and Linux lets user space read it unless asked not to.
    let now = unsafe { _rdtsc() };
    // SAFETY: as above.
    unsafe { _mm_lfence() };
    now
}

/// The TSC as the kernel's timekeeping describes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clocksource {
    /// Counts per millisecond.
    pub khz: u64,
    /// Nanoseconds per count, times two to the `shift`.
    pub mult: u32,
    /// See `mult`.
    pub shift: u32,
    /// The largest distance whose product with any allowed multiplier fits 64 bits.
    pub max_cycles: u64,
}

impl Clocksource {
    /// Measures the TSC's frequency against `CLOCK_MONOTONIC_RAW`.
    pub fn measure() -> Self {
        let (start, start_ns) = reading();
        std::thread::sleep(MEASUREMENT);
        let (end, end_ns) = reading();
        Self::of(
            u64::try_from(u128::from(end - start) * 1_000_000 / u128::from(end_ns - start_ns))
                .expect("kHz"),
        )
    }

    /// The clocksource of a frequency: `clocksource_register_khz` and `clocks_calc_max_nsecs` of
    /// the kernel.
    pub fn of(khz: u64) -> Self {
        let accuracy = 32 - (64 - ((MAX_SECONDS * 1000 * khz) >> 32).leading_zeros());
        let multiplier = |shift: u32| ((1_000_000_u64 << shift) + khz / 2) / khz;
        let shift = (1..=32).rev().find(|shift| multiplier(*shift) >> accuracy == 0).unwrap_or(0);
        let mult = multiplier(shift);
        let max_cycles = u64::MAX / (mult + mult * MAX_ADJUSTMENT / 100);
        Self { khz, mult: u32::try_from(mult).expect("a multiplier of 32 bits"), shift, max_cycles }
    }

    /// Nanoseconds of a distance of counts.
    pub fn nanoseconds(&self, ticks: u64) -> f64 {
        ticks as f64 * 1e6 / self.khz as f64
    }

    /// Writes a moment to a page, as `update_vsyscall` does.
    pub fn publish(&self, moment: &Moment, page: &DataPage) {
        for (data, shifted) in
            [(&page.hres_coarse, &SHIFTED[..]), (&page.raw, &[MONOTONIC_RAW][..])]
        {
            let sequence = data.sequence.load(Relaxed);
            data.sequence.store(sequence.wrapping_add(1), Relaxed);
            // Keeps the stores below behind the odd sequence. Pairs with the reader's first load of
            // it.
            fence(Release);
            self.write(moment, data, shifted);
            data.sequence.store(sequence.wrapping_add(2), Release); // Pairs with the reader's second load.
        }
        page.hrtimer_res().store(1, Relaxed);
    }

    fn write(&self, moment: &Moment, data: &ClockData, shifted: &[usize]) {
        data.mode.store(CLOCK_MODE_TSC, Relaxed);
        data.cycle_last.store(moment.cycles, Relaxed);
        data.max_cycles.store(self.max_cycles, Relaxed);
        data.mask.store(u64::MAX, Relaxed);
        data.mult.store(self.mult, Relaxed);
        data.shift.store(self.shift, Relaxed);
        for &(id, sec, nsec) in &moment.times {
            let shift = if shifted.contains(&id) { self.shift } else { 0 };
            data.base[id].sec.store(sec, Relaxed);
            data.base[id].nsec.store(nsec << shift, Relaxed);
        }
    }
}

/// The counter, and the time that it stands for: of several readings the one whose two halves are
/// closest.
fn reading() -> (u64, u64) {
    let readings = (0..64).map(|_| {
        let before = ticks();
        let now = clock_gettime(ClockId::CLOCK_MONOTONIC_RAW).expect("every kernel has the clock");
        let after = ticks();
        let nsec = Duration::from(now).as_nanos();
        (
            after - before,
            (before + (after - before) / 2, u64::try_from(nsec).expect("less than centuries")),
        )
    });
    readings.min().expect("several readings").1
}

/// The counter and the time of every clock at one moment.
#[derive(Clone, Debug)]
pub struct Moment {
    cycles: u64,
    /// Clock id, seconds, nanoseconds.
    times: [(usize, u64, u64); 7],
}

impl Moment {
    /// This moment.
    pub fn now() -> Self {
        Self::shifted(0)
    }

    /// This moment, on clocks that are some seconds ahead: what comes from a page can be told from
    /// what comes from the kernel.
    pub fn shifted(seconds: u64) -> Self {
        let ids =
            [REALTIME, MONOTONIC, MONOTONIC_RAW, REALTIME_COARSE, MONOTONIC_COARSE, BOOTTIME, TAI];
        let cycles = ticks();
        let times = ids.map(|id| {
            let clock = ClockId::from_raw(i32::try_from(id).expect("a clock id"));
            let time = Duration::from(clock_gettime(clock).expect("every kernel has the clock"));
            (id, time.as_secs() + seconds, u64::from(time.subsec_nanos()))
        });
        Self { cycles, times }
    }

    /// The seconds of each clock.
    pub fn seconds(&self) -> impl Iterator<Item = u64> {
        self.times.iter().map(|(_, sec, _)| *sec)
    }
}
