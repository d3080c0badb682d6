//! Where a process that waits in a system call has made it.
//!
//! # Invariants
//!
//! 1. The process is not traced, and does not see that it is looked at.

use anyhow::{Context as _, Result, bail};
use std::fs;
use std::thread;
use std::time::{Duration, Instant};

/// How long the process may take until it waits.
const PATIENCE: Duration = Duration::from_secs(60);

/// The place of a call.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// The address of the instruction behind the call's.
    pub address: u64,
    /// Whether it is in the mapping that the kernel calls `[vdso]`.
    pub is_vdso: bool,
}

/// The place at which the process `pid` waits in `read`.
pub fn of_waiting(pid: u32) -> Result<Place> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        // The number, six arguments, the stack pointer, the instruction pointer.
        let text = fs::read_to_string(format!("/proc/{pid}/syscall"))
            .context("cannot see the call of a process")?;
        let words: Vec<&str> = text.split_whitespace().collect();
        if let [READ, .., address] = words[..]
            && let Some(address) = hexadecimal(address.trim_start_matches("0x"))
            && is_input(&words)
        {
            let maps = fs::read_to_string(format!("/proc/{pid}/maps"))
                .context("cannot see the memory of a process")?;
            return Ok(Place { address, is_vdso: is_vdso(&maps, address) });
        }
        if Instant::now() > deadline {
            bail!("the process does not wait in `read`, but in: {}", text.trim());
        }
        thread::sleep(Duration::from_millis(10));
    }
}

/// `read`, as `/proc/PID/syscall` shows it.
const READ: &str = "0";

/// Whether the call's first argument is descriptor 0.
fn is_input(words: &[&str]) -> bool {
    words.get(1) == Some(&"0x0")
}

/// Whether the mapping of the image has the address.
fn is_vdso(maps: &str, address: u64) -> bool {
    let line = maps.lines().find(|line| line.ends_with("[vdso]"));
    let range = line.and_then(|line| line.split(' ').next()?.split_once('-'));
    range.is_some_and(|(start, end)| {
        (hexadecimal(start).unwrap_or(u64::MAX)..hexadecimal(end).unwrap_or(0)).contains(&address)
    })
}

fn hexadecimal(text: &str) -> Option<u64> {
    u64::from_str_radix(text, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command, Stdio};

    #[test]
    fn a_program_of_this_machine_calls_by_its_libc() {
        let mut child =
            Command::new("cat").stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        let place = of_waiting(child.id()).unwrap();
        let maps = fs::read_to_string(format!("/proc/{}/maps", child.id())).unwrap();
        drop(child.stdin.take());
        child.wait().unwrap();
        assert!(!place.is_vdso, "{place:x?}");
        let vdso = maps.lines().find(|line| line.ends_with("[vdso]")).unwrap();
        let start = hexadecimal(vdso.split('-').next().unwrap()).unwrap();
        assert!(is_vdso(&maps, start) && !is_vdso(&maps, start - 1));
    }
}
