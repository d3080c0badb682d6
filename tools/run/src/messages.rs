//! The tracer's messages while programs run.
//!
//! They go to the standard error that the first program was started with. The tracer must not hold
//! that open: its reader waits for its end, which comes when the programs have closed theirs. So
//! once the first program runs, the tracer takes a descriptor from a program that has one, for each
//! message anew (`pidfd_getfd`). It need not be number 2: a shell that redirects one command keeps
//! its own standard error elsewhere meanwhile.
//!
//! # Invariants
//!
//! 1. A message is one line and one write, so that those of several writers do not mix.
//! 2. A message that cannot be written is lost: the programs matter more.
//! 3. A message goes to the file that was standard error at the start and to no other, also when a
//!    program has opened or redirected files since.

#![expect(unsafe_code, reason = "descriptors of other processes are taken by bare calls")]

use crate::descriptor;
use nix::errno::Errno;
use nix::libc::{self, STDERR_FILENO, c_int, c_long};
use nix::sys::stat::fstat;
use nix::unistd::Pid;
use std::ffi::OsStr;
use std::fs::File;
use std::io::Write as _;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};

/// The name of the runner in its messages.
pub(crate) const NAME: &str = "liblinux-run";

/// How many descriptors of a program are looked at.
const SEARCHED: c_int = 64;

/// A file: its device, its inode, and the device that it is.
type Identity = (u64, u64, u64);

/// The user's standard error.
#[derive(Debug)]
pub(crate) struct Messages {
    is_verbose: bool,
    first: Pid,
    error: Error,
}

/// How it is reached.
#[derive(Debug)]
enum Error {
    /// It is open here.
    Held(File),
    /// The first program has this file, or one that a message is about.
    Lent(Identity),
    /// The first program has ended.
    Gone,
}

impl Messages {
    /// Messages go to standard error, which is closed here; details only if `is_verbose`. The first
    /// program will be `first`.
    pub(crate) fn new(is_verbose: bool, first: Pid) -> Self {
        let error =
            descriptor::take(STDERR_FILENO).map_or(Error::Gone, |error| Error::Held(error.into()));
        Self { is_verbose, first, error }
    }

    /// Says something about `pid` that the user must know.
    pub(crate) fn say(&self, pid: Pid, text: &str) {
        let line = format!("{}: {text}\n", NAME);
        // Invariant 2.
        let _ = match &self.error {
            Error::Held(error) => (&*error).write_all(line.as_bytes()).is_ok(),
            Error::Lent(identity) => {
                let mut errors =
                    [self.first, pid].into_iter().flat_map(|lender| lent(lender, *identity));
                errors.any(|mut error| error.write_all(line.as_bytes()).is_ok())
            }
            Error::Gone => false,
        };
    }

    /// Says something to a user who asked for details.
    pub(crate) fn detail(&self, pid: Pid, text: impl FnOnce() -> String) {
        if self.is_verbose {
            self.say(pid, &text());
        }
    }

    /// The first program begins: lets go of standard error if that program has it.
    pub(crate) fn begun(&mut self, pid: Pid) {
        if let Error::Held(error) = &self.error
            && pid == self.first
            && let Some(identity) = identity(error)
            && lent(pid, identity).next().is_some()
        {
            self.error = Error::Lent(identity);
        }
    }

    /// A process is gone; after the first program nothing is said any more.
    pub(crate) fn gone(&mut self, pid: Pid) {
        if pid == self.first {
            self.error = Error::Gone;
        }
    }
}

/// A name as it can be part of a line: bytes that are not text, or would move the cursor, are
/// escaped.
pub(crate) fn printable(name: &OsStr) -> String {
    name.as_encoded_bytes()
        .utf8_chunks()
        .flat_map(|chunk| {
            let valid = chunk.valid().chars().map(|letter| match letter.is_control() {
                true => letter.escape_default().to_string(),
                false => letter.to_string(),
            });
            let invalid = chunk.invalid().iter().map(|byte| format!("\\x{byte:02x}"));
            valid.chain(invalid).collect::<Vec<_>>()
        })
        .collect()
}

/// Copies of the descriptors by which a process has a file.
fn lent(lender: Pid, wanted: Identity) -> impl Iterator<Item = File> {
    let process = open(libc::SYS_pidfd_open, lender.as_raw(), 0);
    let copies = [STDERR_FILENO].into_iter().chain(0..SEARCHED).filter_map(move |descriptor| {
        open(libc::SYS_pidfd_getfd, process.as_ref()?.as_raw_fd(), descriptor).map(File::from)
    });
    copies.filter(move |copy| identity(copy) == Some(wanted))
}

/// The descriptor that a system call makes.
fn open(call: c_long, first: c_int, second: c_int) -> Option<OwnedFd> {
    // SAFETY: both calls take numbers and return a new descriptor.
    let descriptor = Errno::result(unsafe { libc::syscall(call, first, second, 0) }).ok()?;
    // SAFETY: new, and owned by nothing else.
    Some(unsafe { OwnedFd::from_raw_fd(descriptor as c_int) })
}

fn identity(file: &File) -> Option<Identity> {
    fstat(file).ok().map(|data| (data.st_dev, data.st_ino, data.st_rdev))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::ffi::OsStrExt as _;

    #[test]
    fn names_are_printable() {
        for (name, printed) in [
            ("программа".as_bytes(), "программа"),
            (b"a b", "a b"),
            (b"\x1b[2J\n", "\\u{1b}[2J\\n"),
            (b"\xd0x\xff", "\\xd0x\\xff"),
            (b"", ""),
        ] {
            assert_eq!(printable(OsStr::from_bytes(name)), printed);
        }
    }
}
