// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Reading a clock from the data that the kernel publishes.
//!
//! Each clock is read in two ways. The `try_` functions make one attempt without a loop or a call
//! and give up on anything unusual, so that a caller needs no stack frame; the others deal with
//! everything, from the start. In between is [`at_counter`], for an attempt that failed with the
//! counter in hand: reading it takes longer than all the rest.
//!
//! # Invariants
//!
//! 1. A reading is taken between two equal, even values of the sequence counter, so all of it
//!    belongs to one update.
//! 2. Equal data and counter give the result of the kernel's C code, bit for bit: the same wrapping
//!    arithmetic, the same answer for a counter that ran backwards, the same 96-bit product where
//!    64 bits do not suffice.
//! 3. Waiting for the kernel to finish an update is the only unbounded loop, as in the kernel: the
//!    writer holds a raw spinlock with interrupts off.

#![expect(unsafe_code, reason = "reads pages that are not always there")]

use crate::arch;
use core::hint::spin_loop;
use core::sync::atomic::Ordering::{Acquire, Relaxed};
use core::sync::atomic::fence;
use liblinux_abi::kernel::clock::NSEC_PER_SEC;
use liblinux_abi::kernel::datapage::{CLOCK_MODE_TIMENS, ClockData, DataPage, Timestamp};

/// The counter's sign bit marks an invalid reading, so cycles have 63 bits.
const CYCLES_MASK: u64 = i64::MAX as u64;

/// The sign of a distance of cycles.
const CYCLES_SIGN: u64 = 1 << 62;

/// A point in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instant {
    /// Seconds.
    pub sec: u64,
    /// Nanoseconds.
    pub nsec: u64,
}

impl Instant {
    /// Carries whole seconds over. There are few: the kernel updates its data several times a
    /// second, and subtracting one or two takes less than a division.
    #[inline(always)]
    pub fn carried(mut self) -> Self {
        for _ in 0..2 {
            if self.nsec < NSEC_PER_SEC {
                return self;
            }
            cold_path();
            self.nsec -= NSEC_PER_SEC;
            self.sec = self.sec.wrapping_add(1);
        }
        Self {
            sec: self.sec.wrapping_add(self.nsec / NSEC_PER_SEC),
            nsec: self.nsec % NSEC_PER_SEC,
        }
    }
}

/// One clocksource of a data page.
pub trait Source: Fn(&'static DataPage) -> &'static ClockData + Copy {}
impl<F: Fn(&'static DataPage) -> &'static ClockData + Copy> Source for F {}

/// What a counter that was read says, and the sequence of the data that it was read for.
#[derive(Clone, Copy, Debug)]
pub struct Reading {
    /// Counts since the update.
    pub elapsed: u64,
    /// The sequence in front of the counter.
    pub sequence: u32,
}

/// The time now of the high-resolution clock `id`, if nothing is in the way: the counter is the TSC
/// and near its last reading, the data is not shifted and was not written meanwhile. Otherwise the
/// counter, if that is all that was in the way.
#[inline(always)]
pub fn try_high_resolution(data: &ClockData, id: usize) -> Result<Instant, Option<Reading>> {
    let base = data.base.get(id).ok_or(None)?;
    let sequence = even(data.sequence.load(Acquire)); // Pairs with the write barrier of `vdso_write_begin`.
    if data.mode.load(Relaxed) != arch::COUNTER_MODE {
        return Err(None);
    }
    // Less than 2^32, and so is the multiplier: only the sum can overflow.
    let elapsed =
        arch::counter_since_update(data).map_err(|elapsed| Some(Reading { elapsed, sequence }))?;
    let product = elapsed.wrapping_mul(u64::from(data.mult.load(Relaxed)));
    let sum = product.checked_add(base.nsec.load(Relaxed)).ok_or(None)?;
    let nsec = sum >> (data.shift.load(Relaxed) & 63);
    let now = Instant { sec: base.sec.load(Relaxed), nsec };
    if !is_unchanged(data, sequence) {
        return Err(None);
    }
    Ok(now.carried())
}

/// The time of the high-resolution clock `id` when an attempt read the counter; none if the data
/// was written since, if that was minutes ago, or if the counter is not one.
#[inline(always)]
pub fn at_counter(data: &ClockData, id: usize, reading: Reading) -> Option<Instant> {
    let base = data.base.get(id)?;
    if reading.elapsed.wrapping_add(data.cycle_last.load(Relaxed)) > CYCLES_MASK {
        return None;
    }
    let elapsed = Elapsed::of(data, reading.elapsed);
    let nsec = elapsed.usual_nanoseconds(base.nsec.load(Relaxed))?;
    let now = Instant { sec: base.sec.load(Relaxed), nsec };
    is_unchanged(data, reading.sequence).then(|| now.carried())
}

/// Tells the compiler that the branch with a call of this is rarely taken. (`core::hint::cold_path`
/// is younger than the least compiler that a kernel build takes.)
#[cold]
#[inline]
pub fn cold_path() {}

/// A sequence that the data does not have later if it is odd now, which saves asking.
#[inline(always)]
fn even(sequence: u32) -> u32 {
    sequence & !1
}

/// The time now of the high-resolution clock `id`; none if only the kernel can read its counter.
pub fn high_resolution(source: impl Source, id: usize) -> Option<Instant> {
    Some(read(source, id, by_counter)?.carried())
}

/// The time now of an auxiliary clock, which has a clocksource of its own; none if the clock is not
/// enabled or only the kernel can read its counter. Time namespaces do not shift these clocks.
#[inline(always)]
pub fn auxiliary(index: usize) -> Option<Instant> {
    let mut data = arch::process_data().auxiliary(index)?;
    if data.mode.load(Relaxed) == CLOCK_MODE_TIMENS {
        // SAFETY: the clock mode was just seen, and a page with it has it for good.
        data = unsafe { arch::namespace_data() }.auxiliary(index)?;
    }
    Some(consistent(data, data.base.first()?, by_counter)?.carried())
}

/// The time now by a clocksource's counter, not yet carried.
fn by_counter(data: &ClockData, base: &Timestamp) -> Option<Instant> {
    let elapsed = Elapsed::new(data, cycles(data.mode.load(Relaxed))?);
    Some(Instant {
        sec: base.sec.load(Relaxed),
        nsec: elapsed.nanoseconds(base.nsec.load(Relaxed)),
    })
}

/// The time of the coarse clock `id` at the last update.
pub fn coarse(source: impl Source, id: usize) -> Option<Instant> {
    read(source, id, |_, base| {
        Some(Instant { sec: base.sec.load(Relaxed), nsec: base.nsec.load(Relaxed) })
    })
}

/// As [`consistent`], with a time namespace's offset; none for an unknown clock, too.
fn read(
    source: impl Source,
    id: usize,
    take: impl Fn(&ClockData, &Timestamp) -> Option<Instant>,
) -> Option<Instant> {
    let shown = source(arch::process_data());
    let in_namespace = shown.mode.load(Relaxed) == CLOCK_MODE_TIMENS;
    // SAFETY: the clock mode was just seen, and a page with it has it for good.
    let data = if in_namespace { source(unsafe { arch::namespace_data() }) } else { shown };
    let now = consistent(data, data.base.get(id)?, take)?;
    if !in_namespace {
        return Some(now);
    }
    // A namespace's page holds what to add to the system's clocks.
    let offset = shown.base.get(id)?;
    let sec = now.sec.wrapping_add(offset.sec.load(Relaxed));
    let nsec = now.nsec.wrapping_add(offset.nsec.load(Relaxed));
    Some(Instant { sec, nsec }.carried())
}

/// Calls `take` until the data stood still meanwhile; none if `take` cannot read it.
#[inline(always)]
fn consistent(
    data: &ClockData,
    base: &Timestamp,
    take: impl Fn(&ClockData, &Timestamp) -> Option<Instant>,
) -> Option<Instant> {
    loop {
        let sequence = data.sequence.load(Acquire); // Pairs with the write barrier of `vdso_write_begin`.
        if sequence & 1 != 0 {
            spin_loop();
            continue;
        }
        let now = take(data, base)?;
        if is_unchanged(data, sequence) {
            return Some(now);
        }
    }
}

/// Whether the data is still that of `sequence`.
#[inline(always)]
fn is_unchanged(data: &ClockData, sequence: u32) -> bool {
    // Keeps the loads above from being done after the one below. Pairs with the write barrier of
    // `vdso_write_end`.
    fence(Acquire);
    data.sequence.load(Relaxed) == sequence
}

/// The counter of a clock mode that a clock has; none if it has to be read by the kernel.
fn cycles(mode: i32) -> Option<u64> {
    // SAFETY: the mode was read from a clock.
    Some(unsafe { arch::counter_of_mode(mode) }? & CYCLES_MASK)
}

/// The counter's progress since an update, and the numbers that make a time of it.
#[derive(Clone, Copy, Debug)]
struct Elapsed {
    cycles: u64,
    max_cycles: u64,
    mult: u32,
    shift: u32,
}

impl Elapsed {
    #[inline(always)]
    fn new(data: &ClockData, counter: u64) -> Self {
        Self::of(data, counter.wrapping_sub(data.cycle_last.load(Relaxed)))
    }

    #[inline(always)]
    fn of(data: &ClockData, cycles: u64) -> Self {
        Self {
            cycles,
            max_cycles: data.max_cycles.load(Relaxed),
            mult: data.mult.load(Relaxed),
            shift: data.shift.load(Relaxed) & 63,
        }
    }

    /// Nanoseconds since the second of the update, whose own nanoseconds, still shifted, are
    /// `base`; none if that takes more than 64 bits or the counter ran backwards.
    #[inline(always)]
    fn usual_nanoseconds(self, base: u64) -> Option<u64> {
        let nsec = self.cycles.wrapping_mul(u64::from(self.mult)).wrapping_add(base) >> self.shift;
        (self.cycles <= self.max_cycles).then_some(nsec)
    }

    /// As [`Elapsed::usual_nanoseconds`], for every distance.
    fn nanoseconds(self, base: u64) -> u64 {
        if let Some(nsec) = self.usual_nanoseconds(base) {
            return nsec;
        }
        if self.cycles & CYCLES_SIGN != 0 {
            return base >> self.shift;
        }
        let product = u128::from(self.cycles & CYCLES_MASK) * u128::from(self.mult);
        ((product + u128::from(base)) >> self.shift) as u64
    }
}
