//! Signals that come faster than the tracer can pass them on.
//!
//! Each signal stops a traced process until the tracer has answered. That takes several
//! microseconds, and much more on a busy machine. A timer starts its next period when the process
//! takes its signal. If the period is shorter than the stop, the next signal is there before the
//! process has executed an instruction, for ever. A tracer cannot decline signals, so the runner
//! can only say so.
//!
//! # Invariants
//!
//! 1. The message is about a process that all of many signals in a row interrupted in one and the
//!    same state, outside of system calls, and that used no more CPU time than taking them needs.
//!    Other load of the machine does not matter.

#![expect(unsafe_code, reason = "the clock of another process is a C function's")]

use crate::{arch, tracee};
use nix::libc::{self, timespec};
use nix::unistd::Pid;
use std::time::Duration;

/// How many signals make a sample.
const SAMPLE: u32 = 64;

/// How many equal samples make a storm.
const SAMPLES: u32 = 32;

/// The CPU time that a process uses to take that many signals, and little more.
const COST: Duration = Duration::from_micros(100 * (SAMPLE * SAMPLES) as u64);

/// The process that was interrupted last.
#[derive(Debug)]
pub(crate) struct Storm {
    pid: Pid,
    signals: u32,
    /// Where it was, and in what state.
    place: Option<[u64; 4]>,
    /// The CPU time that it had used when it came there.
    used: Duration,
}

impl Storm {
    /// No process was interrupted yet.
    pub(crate) fn new() -> Self {
        Self { pid: Pid::from_raw(0), signals: 0, place: None, used: Duration::ZERO }
    }

    /// A process is stopped for a signal: whether it is now certain that it does nothing but take
    /// signals.
    pub(crate) fn strikes(&mut self, pid: Pid) -> bool {
        if pid != self.pid {
            *self = Self { pid, ..Self::new() };
        }
        self.signals = self.signals.saturating_add(1);
        if !self.signals.is_multiple_of(SAMPLE) {
            return false;
        }
        let registers =
            tracee::registers(pid).ok().filter(|registers| !arch::is_in_call(registers));
        let place = registers.map(|registers| arch::place(&registers));
        if place.is_none() || place != self.place {
            *self = Self { pid, place, used: used(pid).unwrap_or_default(), ..Self::new() };
            return false;
        }
        self.signals == SAMPLE * SAMPLES && used(pid).is_some_and(|used| used < self.used + COST)
    }
}

/// The CPU time that a process has used; none for a thread that is not its first.
fn used(pid: Pid) -> Option<Duration> {
    let (mut clock, mut time) = (0, timespec { tv_sec: 0, tv_nsec: 0 });
    // SAFETY: writes the clock's number to a variable.
    if unsafe { libc::clock_getcpuclockid(pid.as_raw(), &raw mut clock) } != 0 {
        return None;
    }
    // SAFETY: writes the structure.
    let result = unsafe { libc::clock_gettime(clock, &raw mut time) };
    (result == 0).then(|| Duration::new(time.tv_sec.cast_unsigned(), time.tv_nsec as u32))
}
