//! Measuring three functions in turns.
//!
//! On a machine that others use, and whose frequency changes, two measurements one after the other
//! compare two moments rather than two functions. So the functions take turns in batches too short
//! for much to change, in an order in which neither comes first: ours, reference, floor, floor,
//! reference, ours. Each such round gives its own ratios; what is reported is their median and
//! spread, in which a round that was interrupted is one outlier among many.
//!
//! Where the stack lies is chance as well: a function that saves registers may store to addresses
//! whose low bits equal those of its loads from the data page, which delays the loads. So the
//! rounds run at many depths of the stack.
//!
//! # Invariants
//!
//! 1. Within a round every batch makes as many calls, from one place, on one processor, on data
//!    written just before the round.
//! 2. The first rounds warm caches and predictors and are not reported.

use super::call::Call;
use super::case::{Bench, Case};
use crate::synthetic::Clocksource;
use nix::sched::{CpuSet, sched_getcpu, sched_setaffinity};
use nix::unistd::Pid;
use serde::Serialize;
use std::hint::black_box;

/// Nanoseconds that a batch of the reference should take: far more than reading the counter does,
/// far less than a tick.
const BATCH_NS: f64 = 20_000.0;

/// Calls that tell how long one takes.
const PROBE_CALLS: u64 = 64;

/// Rounds that are not reported.
const WARM_UP: usize = 8;

/// Depths of the stack, and bytes between two of them: together a page.
const DEPTHS: usize = 16;
const DEPTH_BYTES: usize = 256;

/// Keeps this thread on the processor that it runs on.
pub fn pin() -> Result<(), String> {
    let pinned = sched_getcpu().and_then(|processor| {
        let mut set = CpuSet::new();
        set.set(processor)?;
        sched_setaffinity(Pid::from_raw(0), &set)
    });
    pinned.map_err(|error| format!("cannot stay on one processor: {error}"))
}

/// Nanoseconds of one call of each function, in one round.
#[derive(Clone, Copy, Debug)]
pub struct Round {
    /// Ours.
    pub ours: f64,
    /// The reference.
    pub reference: f64,
    /// The floor.
    pub floor: f64,
}

/// Measures a case in so many rounds.
pub fn measure(bench: &Bench, case: &Case, source: &Clocksource, rounds: usize) -> Vec<Round> {
    let calls = Call::alike([case.ours, case.reference, case.floor]);
    let probe =
        source.nanoseconds(calls.map(|call| call.time(PROBE_CALLS))[1]) / PROBE_CALLS as f64;
    let times = (BATCH_NS / probe).ceil().max(1.0) as u64;
    let per_call =
        |[first, second]: [u64; 2]| source.nanoseconds(first + second) / (2 * times) as f64;
    let take = || {
        bench.tick_for(case);
        let there = calls.map(|call| call.time(times));
        let [ours, reference, floor] = calls;
        let back = [floor, reference, ours].map(|call| call.time(times));
        Round {
            ours: per_call([there[0], back[2]]),
            reference: per_call([there[1], back[1]]),
            floor: per_call([there[2], back[0]]),
        }
    };
    (0..WARM_UP + rounds).map(|round| deeper(round % DEPTHS, &take)).skip(WARM_UP).collect()
}

/// Takes a round with some more of the stack in use.
fn deeper(depth: usize, take: &dyn Fn() -> Round) -> Round {
    let room = black_box([0_u8; DEPTH_BYTES]);
    let round = if depth == 0 { take() } else { deeper(depth - 1, take) };
    black_box(room);
    round
}

/// The median of many numbers, and where the middle four fifths of them lie.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Spread {
    /// Half are below.
    pub median: f64,
    /// A tenth is below.
    pub low: f64,
    /// A tenth is above.
    pub high: f64,
}

impl Spread {
    /// The spread of some numbers.
    ///
    /// # Panics
    ///
    /// If there are none.
    pub fn of(numbers: impl Iterator<Item = f64>) -> Self {
        let mut sorted: Vec<f64> = numbers.collect();
        sorted.sort_by(f64::total_cmp);
        let at = |part: usize| sorted[(sorted.len() - 1) * part / 10];
        Self { median: at(5), low: at(1), high: at(9) }
    }
}
