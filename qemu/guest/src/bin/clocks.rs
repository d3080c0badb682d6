//! An ordinary Rust program that reads clocks with the standard library, each between two bare
//! system calls.
//!
//! `Instant` has no absolute value, so what is bracketed is the time between two of them: it is at
//! least the time from after the first to before the second, and at most from before the first to
//! after the second.

use liblinux_guest::bare;
use liblinux_guest::bracket::Bracket;
use std::process::ExitCode;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

const ROUNDS: usize = 500;

fn main() -> ExitCode {
    let mut wrong = false;
    for round in [realtime as fn() -> Option<Bracket>, monotonic] {
        // The first reading that is off, or the last.
        let mut last = None;
        for _ in 0..ROUNDS {
            last = round();
            if last.as_ref().is_none_or(|bracket| bracket.check().is_err()) {
                wrong = true;
                break;
            }
        }
        match last {
            Some(Bracket { clock, before, reading, after }) => {
                println!("clock {clock} {before} {reading} {after}")
            }
            None => eprintln!("clocks: the kernel does not know the clock"),
        }
    }
    if wrong { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

fn realtime() -> Option<Bracket> {
    let before = bare::clock_gettime(bare::CLOCK_REALTIME)?;
    let now = SystemTime::now();
    let after = bare::clock_gettime(bare::CLOCK_REALTIME)?;
    let reading = i64::try_from(now.duration_since(UNIX_EPOCH).ok()?.as_nanos()).ok()?;
    Some(Bracket { clock: "CLOCK_REALTIME".to_owned(), before, reading, after })
}

fn monotonic() -> Option<Bracket> {
    let before_first = bare::clock_gettime(bare::CLOCK_MONOTONIC)?;
    let first = Instant::now();
    let after_first = bare::clock_gettime(bare::CLOCK_MONOTONIC)?;
    let before_second = bare::clock_gettime(bare::CLOCK_MONOTONIC)?;
    let second = Instant::now();
    let after_second = bare::clock_gettime(bare::CLOCK_MONOTONIC)?;
    let reading = i64::try_from(second.duration_since(first).as_nanos()).ok()?;
    Some(Bracket {
        clock: "CLOCK_MONOTONIC".to_owned(),
        before: before_second - after_first,
        reading,
        after: after_second - before_first,
    })
}
