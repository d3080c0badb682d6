//! Pinning where system calls come from: each thread of each program makes them from the image
//! alone, from its first instruction to its end; and a report of the calls that were made.
//!
//! The kernel's Syscall User Dispatch is told the image's range. A `syscall` instruction anywhere
//! else is not executed: its thread gets `SIGSYS`, and the report has the place. A new program, a
//! new process and a new thread begin without such a range, so the tracer sets it at their first
//! stop, before they execute an instruction.
//!
//! # Invariants
//!
//! 1. A thread runs pinned, or the report says that it could not be pinned.
//! 2. The report appears under its name when the last program has ended, and is whole then.
//! 3. No legacy call is made for it: a kernel that has the image may refuse them.

use crate::tracee;
use anyhow::{Context as _, Result};
use liblinux_abi::syscall::SYSCALLS;
use nix::errno::Errno;
use nix::fcntl::AT_FDCWD;
use nix::libc;
use nix::unistd::{Pid, UnlinkatFlags, unlinkat};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::CString;
use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf, absolute};
use std::{fs, io};

/// The name of the runner's mapping, and of the kernel's.
const NAMES: [&str; 2] = ["liblinux-vdso", "[vdso]"];

/// Violations that a report lists; all are counted.
const LISTED: usize = 20;

/// What pinned programs did.
#[derive(Clone, Debug)]
pub(crate) struct Pin {
    report: PathBuf,
    threads: BTreeSet<i32>,
    /// How often each call was made, by number.
    calls: BTreeMap<u64, u64>,
    violations: u64,
    listed: Vec<String>,
}

impl Pin {
    /// Programs will be pinned, and `report` will be written.
    pub(crate) fn to(report: &Path) -> Result<Self> {
        let report = absolute(report).context("--pin names no file")?;
        match unlinkat(AT_FDCWD, &report, UnlinkatFlags::NoRemoveDir) {
            Err(error) if error != Errno::ENOENT => Err(error.into()),
            _ => fs::write(partial(&report), ""),
        }
        .with_context(|| format!("the report {} cannot be written", report.display()))?;
        let (threads, calls) = (BTreeSet::new(), BTreeMap::new());
        Ok(Self { report, threads, calls, violations: 0, listed: Vec::new() })
    }

    /// Pins a thread that is stopped at its start, or again elsewhere.
    pub(crate) fn pin(&mut self, pid: Pid) {
        let pinned = image_of(pid).and_then(|(start, size)| {
            tracee::pin(pid, start, size).context(
                "the kernel does not let a tracer set up Syscall User Dispatch (Linux 6.4 does)",
            )
        });
        match pinned {
            Ok(()) => drop(self.threads.insert(pid.as_raw())),
            // A thread that was killed meanwhile has no memory map.
            Err(_) if tracee::registers(pid).is_err() => {}
            Err(error) => self.list(format!("{pid} could not be pinned: {error:#}")),
        }
    }

    /// A thread stands before or behind a system call.
    pub(crate) fn count(&mut self, pid: Pid) {
        if let Some(number) = tracee::call_at_entry(pid) {
            *self.calls.entry(number).or_default() += 1;
        }
    }

    /// A thread is about to get a signal.
    pub(crate) fn judge(&mut self, pid: Pid, signal: i32) {
        if signal != libc::SIGSYS {
            return;
        }
        if let Some((address, number)) = tracee::dispatched(pid) {
            let place = mapping(pid, address).unwrap_or_else(|| "unmapped memory".to_owned());
            self.list(format!("{pid} makes {} at {address:#x}, {place}", name(number)));
        }
    }

    fn list(&mut self, text: String) {
        self.violations += 1;
        if self.listed.len() < LISTED {
            self.listed.push(text);
        }
    }

    /// Writes the report; an error is not told, since the runner has ended for its caller.
    pub(crate) fn finish(&self) {
        let partial = partial(&self.report);
        if fs::write(&partial, self.text()).is_ok() {
            let _ = rename(&partial, &self.report);
        }
    }

    fn text(&self) -> String {
        let entries = SYSCALLS.iter().filter(|call| call.is_exported()).count();
        let (threads, made) = (self.threads.len(), self.calls.len());
        let mut text = format!(
            "threads {threads}\ncalls {made} of {entries}\nviolations {}\n",
            self.violations
        );
        for line in &self.listed {
            let _ = writeln!(text, "violation {line}");
        }
        for (number, count) in &self.calls {
            let _ = writeln!(text, "call {} {count}", name(*number));
        }
        text
    }
}

/// Where a report is until it is whole.
fn partial(report: &Path) -> PathBuf {
    let mut name = report.as_os_str().to_owned();
    name.push(".partial");
    name.into()
}

/// Gives a file another name. The C library's function makes a legacy call unless it has flags.
#[expect(unsafe_code, reason = "a system call by its number")]
fn rename(from: &Path, to: &Path) -> io::Result<()> {
    let from = CString::new(from.as_os_str().as_bytes())?;
    let to = CString::new(to.as_os_str().as_bytes())?;
    let (here, flags) = (libc::AT_FDCWD, 0);
    // SAFETY: the call reads two strings, which live until it returns.
    let result = unsafe {
        libc::syscall(libc::SYS_renameat2, here, from.as_ptr(), here, to.as_ptr(), flags)
    };
    Ok(Errno::result(result).map(drop)?)
}

/// The name of a call, or its number.
fn name(number: u64) -> String {
    let call = SYSCALLS.iter().find(|call| u64::from(call.number) == number);
    call.map_or_else(|| number.to_string(), |call| call.name.to_owned())
}

/// Where the image is in a stopped process, and how many bytes it has.
fn image_of(pid: Pid) -> Result<(u64, u64)> {
    let maps =
        fs::read_to_string(format!("/proc/{pid}/maps")).context("its memory map cannot be read")?;
    image_in(&maps).context("it has no image")
}

/// The image's executable mapping among the lines of a memory map: the runner's, else the kernel's.
fn image_in(maps: &str) -> Option<(u64, u64)> {
    let of = |name: &str| {
        let mut lines = maps.lines().filter(|line| line.contains(name) && line.contains("r-x"));
        lines.find_map(range)
    };
    let (start, end) = NAMES.iter().find_map(|name| of(name))?;
    Some((start, end - start))
}

/// The name of the mapping that has an address, and the offset in its file.
fn mapping(pid: Pid, address: u64) -> Option<String> {
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).ok()?;
    let line = maps
        .lines()
        .find(|line| range(line).is_some_and(|(start, end)| (start..end).contains(&address)))?;
    let (start, _) = range(line)?;
    let words: Vec<&str> = line.split_whitespace().collect();
    let offset = u64::from_str_radix(words.get(2)?, 16).ok()?;
    let name = words.get(5).unwrap_or(&"memory without a name");
    Some(format!("{name}+{:#x}", address - start + offset))
}

fn range(line: &str) -> Option<(u64, u64)> {
    let (start, end) = line.split_whitespace().next()?.split_once('-')?;
    let number = |text| u64::from_str_radix(text, 16).ok();
    Some((number(start)?, number(end)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KERNEL: &str = "7f0000005000-7f0000007000 r-xp 00000000 00:00 0          [vdso]\n";
    const RUNNER: &str =
        "7f0000001000-7f0000003000 r-xp 00000000 00:01 7          /memfd:liblinux-vdso (deleted)\n";

    #[test]
    fn the_runners_image_is_taken_before_the_kernels() {
        assert_eq!(image_in(KERNEL), Some((0x7f00_0000_5000, 0x2000)));
        assert_eq!(image_in(&format!("{KERNEL}{RUNNER}")), Some((0x7f00_0000_1000, 0x2000)));
        assert_eq!(image_in("7f0000001000-7f0000003000 r--p 00000000 00:00 0 [vdso]\n"), None);
    }

    #[test]
    fn a_report_counts_all_and_lists_some() {
        let folder = std::env::temp_dir().join(format!("pin-{}", std::process::id()));
        let mut pin = Pin::to(&folder).expect("a file");
        pin.calls.insert(0, 3);
        (0..2 * LISTED).for_each(|number| pin.list(number.to_string()));
        pin.finish();
        let text = fs::read_to_string(&folder).expect("the report");
        fs::remove_file(&folder).expect("the test's own file");
        assert!(text.contains("violations 40\n") && text.contains("call read 3\n"), "{text}");
        assert_eq!(text.matches("violation ").count(), LISTED);
        let error = Pin::to(Path::new("/nonesuch/report")).expect_err("there is no such folder");
        assert!(format!("{error:#}").contains("/nonesuch/report"), "{error:#}");
    }
}
