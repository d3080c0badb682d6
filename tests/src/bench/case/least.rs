//! Floors in the place of our functions: how far from the C image, and from a barer floor, the
//! least code is.
//!
//! A floor's row tells which part of a function's time is the processor's: no code that gives the
//! answer is faster.
//!
//! # Invariants
//!
//! 1. A floor here gives the answer: it is verified as ours is.

use super::{Answer, Bench, Call, Case, Reference};
use crate::bench::floor::Code;
use liblinux_abi::kernel::clock::{MONOTONIC_COARSE, REALTIME};

impl Bench {
    /// A row for each floor that our functions are measured against.
    pub(super) fn add_least(&mut self) {
        let [ours, theirs] = self.outputs.map(super::Output::words);
        let clock = self.field(|data| data.sequence.as_ptr().addr());
        let seconds = self.field(|data| data.base[REALTIME].sec.as_ptr().addr());
        let coarse = self.field(|data| data.base[MONOTONIC_COARSE].sec.as_ptr().addr());
        let (gettime, timeofday, time) =
            ("__vdso_clock_gettime", "__vdso_gettimeofday", "__vdso_time");
        let counter = || self.floor("rdtscp", Code::Counter, []);
        let nothing = || self.floor("return", Code::Nothing, []);
        let rows = [
            (
                gettime,
                [REALTIME, theirs],
                self.floor("clock_gettime", Code::Time, [clock, ours]),
                counter(),
            ),
            (
                gettime,
                [MONOTONIC_COARSE, theirs],
                self.floor("clock_gettime coarse", Code::Pair, [coarse, ours]),
                nothing(),
            ),
            (
                timeofday,
                [theirs, 0],
                self.floor("gettimeofday", Code::TimeOfDay, [clock, ours]),
                counter(),
            ),
            (time, [theirs, 0], self.floor("time", Code::Word, [seconds, ours]), nothing()),
            (time, [0, 0], self.floor("time null", Code::Load, [seconds, ours]), nothing()),
        ];
        for (symbol, arguments, least, floor) in rows {
            let answer = if arguments == [0, 0] { Answer::Returned } else { Answer::Time };
            let function = self.images[1].require(symbol);
            let arguments = if symbol == time { &arguments[..1] } else { &arguments[..] };
            // SAFETY: the function takes them: a clock, memory of the benchmark, or null.
            let reference = unsafe { Call::new(function, arguments) };
            // SAFETY: the floor takes a clocksource or a word of it, and memory of the benchmark.
            let called = unsafe { Call::new(least.function, &least.arguments) };
            // SAFETY: the floor takes nothing.
            let bare = unsafe { Call::new(floor.function, &floor.arguments) };
            self.cases.push(Case {
                name: format!("the floor of {}", least.name),
                symbol,
                against: Reference::CImage,
                floor_name: floor.name,
                target: None,
                floor_target: None,
                ours: called,
                reference,
                floor: bare,
                answer,
            });
        }
    }
}
