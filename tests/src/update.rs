//! Updates of a data page of which each field has another value, so that a mixture of two shows.
//!
//! At the counter [`COUNTER`] the data of an update means one time, whose seconds and nanoseconds
//! are both the update's number. Between two updates the last counter, the scale and every time
//! change, and none of them fits another's.

use liblinux_abi::kernel::clock::COARSE;
use liblinux_abi::kernel::datapage::ClockData;
use std::sync::atomic::Ordering::{Relaxed, SeqCst};
use std::sync::atomic::fence;

/// What the counter stands at.
pub const COUNTER: u64 = 1 << 40 | 1 << 20;

/// The number of the first update: above it no time is below zero.
pub const FIRST: u64 = 1_000_000;

/// Begins to write an update, as `vdso_write_begin` does: readers wait from here on.
pub fn begin(data: &ClockData) {
    data.sequence.fetch_add(1, SeqCst);
    fence(SeqCst); // Keeps what is written behind the odd sequence. Pairs with a reader's first load of it.
}

/// Ends it.
pub fn end(data: &ClockData) {
    fence(SeqCst); // Keeps what was written before the even sequence. Pairs with a reader's second load of it.
    data.sequence.fetch_add(1, SeqCst);
}

/// Writes the first half of an update: what makes a time of the counter.
pub fn write_scale(data: &ClockData, number: u64) {
    let (elapsed, mult, shift) = scale(number);
    data.cycle_last.store(COUNTER - elapsed, Relaxed);
    data.max_cycles.store(elapsed, Relaxed);
    data.mult.store(mult as u32, Relaxed);
    data.shift.store(shift as u32, Relaxed);
}

/// Writes the other half: the times.
pub fn write_times(data: &ClockData, number: u64) {
    let (elapsed, mult, shift) = scale(number);
    for (clock, base) in data.base.iter().enumerate() {
        let is_coarse = COARSE >> clock & 1 != 0;
        base.sec.store(number, Relaxed);
        base.nsec
            .store(if is_coarse { number } else { (number << shift) - elapsed * mult }, Relaxed);
    }
}

/// Writes an update.
pub fn write(data: &ClockData, number: u64) {
    begin(data);
    write_scale(data, number);
    write_times(data, number);
    end(data);
}

/// Counts since the last counter, multiplier and shift of an update: a product below [`FIRST`].
fn scale(number: u64) -> (u64, u64, u64) {
    (number * 37 % 1001, 1 + number * 41 % 997, number % 20)
}
