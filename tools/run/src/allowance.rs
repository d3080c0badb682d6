//! The share of the user's limits that the tracer gets.
//!
//! The tracer inherits limits that the user means for programs. It serves all of the programs, so
//! one process's share is too little for it: of CPU time (`ulimit -t`), whose end is SIGKILL, and
//! of memory (`ulimit -v`, `ulimit -d`). The tracer raises its limits as far as it may, which is
//! without end for root. Where CPU time stays limited, the tracer ends its service in time: if the
//! kernel killed it, its programs would die, too.
//!
//! # Invariants
//!
//! 1. No limit of a program changes: the tracer raises its own, after it has become a process of
//!    its own.
//! 2. The limits on the size of files and on the number of open files stay.

#![expect(unsafe_code, reason = "limits and clocks are asked of C functions")]

use nix::libc::{self, RLIM_INFINITY, c_uint, rlimit, timespec};
use std::time::Duration;

/// The limits at which the kernel kills a process, or the process cannot continue: `RLIMIT_CPU`,
/// `RLIMIT_RTTIME`, `RLIMIT_AS`, `RLIMIT_DATA`.
const DEADLY: [c_uint; 4] =
    [libc::RLIMIT_CPU, libc::RLIMIT_RTTIME, libc::RLIMIT_AS, libc::RLIMIT_DATA];

/// CPU time for the end of the service: many times as much as letting go of a thousand processes
/// takes.
const RESERVE: Duration = Duration::from_millis(250);

/// The CPU time of the tracer.
#[derive(Debug)]
pub(crate) struct Allowance {
    /// The CPU time that it may use; none if that is not limited.
    limit: Option<Duration>,
}

impl Allowance {
    /// Raises this process's limits as far as it may.
    pub(crate) fn take() -> Self {
        DEADLY.into_iter().for_each(raise);
        let limit = get(libc::RLIMIT_CPU).map_or(RLIM_INFINITY, |limit| limit.rlim_max);
        Self { limit: (limit != RLIM_INFINITY).then(|| Duration::from_secs(limit)) }
    }

    /// Whether its CPU time can be used up at all.
    pub(crate) fn is_limited(&self) -> bool {
        self.limit.is_some()
    }

    /// Whether it is time to end.
    pub(crate) fn is_used_up(&self) -> bool {
        self.limit.is_some_and(|limit| used() + RESERVE >= limit)
    }
}

/// Takes a limit away; where that is not permitted, raises it to the highest value that is.
fn raise(resource: c_uint) {
    let Some(limit) = get(resource) else { return };
    for limit in [RLIM_INFINITY, limit.rlim_max] {
        // SAFETY: reads the structure.
        if unsafe { libc::setrlimit(resource, &rlimit { rlim_cur: limit, rlim_max: limit }) } == 0 {
            return;
        }
    }
}

fn get(resource: c_uint) -> Option<rlimit> {
    let mut limit = rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: writes the structure.
    (unsafe { libc::getrlimit(resource, &raw mut limit) } == 0).then_some(limit)
}

/// The CPU time that this process has used.
fn used() -> Duration {
    let mut time = timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: writes the structure.
    unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut time) };
    Duration::new(time.tv_sec.cast_unsigned(), time.tv_nsec as u32)
}
