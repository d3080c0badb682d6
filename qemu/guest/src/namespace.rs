//! A time namespace for the guest's programs.
//!
//! In it the clocks that count from the machine's start are days ahead, and the kernel maps another
//! page of clock data into every process. Nothing else tells the programs: the clocks of a case and
//! its bare system calls must agree here as they do anywhere.
//!
//! # Invariants
//!
//! 1. After `Ok(true)` every process to come is in the namespace: one was made and saw the offset.

#![expect(unsafe_code, reason = "forks")]

use anyhow::{Context, Result, ensure};
use nix::sched::{CloneFlags, unshare};
use nix::sys::wait::{WaitStatus, waitpid};
use nix::time::{ClockId, clock_gettime};
use nix::unistd::{ForkResult, fork};
use std::fs;

/// The word on the kernel's command line that asks for the namespace.
const WORD: &str = "timens";

/// `CLONE_NEWTIME` of `include/uapi/linux/sched.h`.
const CLONE_NEWTIME: i32 = 0x80;

/// How far ahead the namespace is, in seconds: ten days, more than a guest ever runs.
const AHEAD: i64 = 864_000;

/// Enters a namespace if the kernel's command line asks for it; whether it did.
pub fn enter_if_asked() -> Result<bool> {
    let command_line = fs::read_to_string("/proc/cmdline").context("cannot read /proc/cmdline")?;
    if !command_line.split_whitespace().any(|word| word == WORD) {
        return Ok(false);
    }
    unshare(CloneFlags::from_bits_retain(CLONE_NEWTIME)).context("cannot make a time namespace")?;
    let offsets = format!("monotonic {AHEAD} 5\nboottime {} 999999999\n", 2 * AHEAD);
    fs::write("/proc/self/timens_offsets", offsets)
        .context("cannot set the namespace's offsets")?;
    // SAFETY: the child reads a clock and exits, with nothing that another thread could have
    // locked.
    match unsafe { fork() }.context("cannot fork")? {
        ForkResult::Child => {
            let is_ahead =
                clock_gettime(ClockId::CLOCK_MONOTONIC).is_ok_and(|time| time.tv_sec() >= AHEAD);
            std::process::exit(i32::from(!is_ahead));
        }
        ForkResult::Parent { child } => {
            let status =
                waitpid(child, None).context("cannot wait for the namespace's first process")?;
            ensure!(
                matches!(status, WaitStatus::Exited(_, 0)),
                "the namespace's first process is not ahead: {status:?}"
            );
        }
    }
    Ok(true)
}
