//! What `/proc/PID/status` and `/proc/PID/stat` say of a process.
//!
//! Both have the program's name in them, and a name is bytes: the kernel cuts it after 15, which
//! may be inside of a character, and a program can set it to anything.
//!
//! # Invariants
//!
//! 1. Nothing but numbers is made of the bytes; a name is stepped over, whatever is in it.

use nix::unistd::Pid;
use std::{fs, io};

/// The lines of `status`.
#[derive(Debug)]
pub(crate) struct Status(Vec<u8>);

impl Status {
    /// The status of a process.
    pub(crate) fn of(pid: Pid) -> io::Result<Self> {
        fs::read(format!("/proc/{pid}/status")).map(Self)
    }

    /// A number of the line `name`: the one at `index`, to the base `radix`; none if there is no
    /// such line.
    pub(crate) fn number(&self, name: &str, index: usize, radix: u32) -> Option<u64> {
        let mut lines = self.0.split(|byte| *byte == b'\n');
        let value = lines.find_map(|line| line.strip_prefix(name.as_bytes())?.strip_prefix(b":"))?;
        number(words(value).nth(index)?, radix)
    }
}

/// The fields of `stat`.
#[derive(Debug)]
pub(crate) struct Stat(Vec<u8>);

impl Stat {
    /// The number of the first field behind the name, as `proc_pid_stat(5)` counts.
    const BEHIND_NAME: usize = 3;

    /// The fields of a process.
    pub(crate) fn of(pid: Pid) -> io::Result<Self> {
        fs::read(format!("/proc/{pid}/stat")).map(Self)
    }

    /// The field with that number in `proc_pid_stat(5)`, one behind the name.
    pub(crate) fn number(&self, field: usize) -> Option<u64> {
        // The name is in brackets, and may have brackets in it.
        let end = self.0.iter().rposition(|byte| *byte == b')')?;
        number(words(&self.0[end + 1..]).nth(field.checked_sub(Self::BEHIND_NAME)?)?, 10)
    }
}

fn words(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty())
}

fn number(word: &[u8], radix: u32) -> Option<u64> {
    u64::from_str_radix(str::from_utf8(word).ok()?, radix).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use nix::unistd::getpid;

    #[test]
    fn names_may_be_anything() {
        for name in [&b"plain"[..], b"cut\xd0", b"a) R (b", b"Uid:\\n", b"\xff\xfe", b""] {
            let status =
                [b"Name:\t", name, b"\nUmask:\t0022\nUid:\t1\t2\t3\t4\nCapPrm:\t00ff\nSeccomp:\t2\n"];
            let status = Status(status.concat());
            assert_eq!(status.number("Uid", 1, 10), Some(2), "{name:?}");
            assert_eq!(status.number("CapPrm", 0, 16), Some(255), "{name:?}");
            assert_eq!((status.number("Seccomp", 0, 10), status.number("Sec", 0, 10)), (Some(2), None));
            let stat = Stat([b"7 (", name, b") S 4 5 -1 7\n"].concat());
            let numbers = [3, 4, 5, 6, 7, 8, 1].map(|field| stat.number(field));
            assert_eq!(numbers, [None, Some(4), Some(5), None, Some(7), None, None], "{name:?}");
        }
        assert_eq!((Stat(Vec::new()).number(4), Status(Vec::new()).number("Uid", 0, 10)), (None, None));
    }

    #[test]
    fn this_process_is_what_it_says() {
        let parent = u64::try_from(nix::unistd::getppid().as_raw()).unwrap();
        assert_eq!(Stat::of(getpid()).unwrap().number(4), Some(parent));
        assert_eq!(Status::of(getpid()).unwrap().number("PPid", 0, 10), Some(parent));
    }
}
