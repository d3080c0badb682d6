//! The folder of a traced process in `/proc`, proven to be that process's.
//!
//! A process number belongs to a PID namespace. `ptrace` and `wait` use this process's own; `/proc`
//! uses the one that it was mounted for. That is another one in a new namespace with the old
//! `/proc` (`unshare --pid` makes such). Then `/proc/PID` is not there, or it is another process's.
//! So a word is written into the stopped process by `ptrace`, which cannot mistake it, and must be
//! seen through the folder.
//!
//! # Invariants
//!
//! 1. A [`Folder`] is held open, and the kernel ties it to one process: the proof holds for every
//!    file of it.
//! 2. Until it is proven, nothing is done with it but to read its memory.
//! 3. Files are bytes: a program's name may be anything.

use crate::arch;
use crate::tracee::{self, peek, poke};
use anyhow::{Context as _, Result, ensure};
use nix::fcntl::{OFlag, openat, readlinkat};
use nix::libc;
use nix::sys::stat::Mode;
use nix::unistd::Pid;
use std::ffi::OsString;
use std::fs::File;
use std::hash::{BuildHasher as _, RandomState};
use std::io::{self, Read as _};
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::PathBuf;

/// How far below the stack pointer the tracer may write in a program that has not begun: nothing is
/// there yet.
pub(crate) const SCRATCH: u64 = 512;

/// The folder of a process.
#[derive(Debug)]
pub(crate) struct Folder {
    pid: Pid,
    folder: File,
    memory: File,
}

impl Folder {
    /// The folder of the process `pid`, which has just become another program and is stopped.
    pub(crate) fn of(pid: Pid) -> Result<Self> {
        let folder = File::options()
            .read(true)
            .custom_flags(libc::O_PATH | libc::O_DIRECTORY)
            .open(format!("/proc/{pid}"))?;
        let memory =
            File::from(openat(&folder, "mem", OFlag::O_RDWR | OFlag::O_CLOEXEC, Mode::empty())?);
        let place = arch::stack_pointer(&tracee::registers(pid)?) - SCRATCH;
        let before = peek(pid, place)?;
        let sign = RandomState::new().hash_one(place).to_ne_bytes();
        poke(pid, place, sign)?;
        let mut seen = [0; 8];
        let read = memory.read_exact_at(&mut seen, place);
        poke(pid, place, before)?;
        read?;
        ensure!(seen == sign, "/proc/{pid} is another process's");
        Ok(Self { pid, folder, memory })
    }

    /// Reads memory.
    pub(crate) fn read_at(&self, bytes: &mut [u8], address: u64) -> io::Result<usize> {
        self.memory.read_at(bytes, address)
    }

    /// Writes memory.
    pub(crate) fn write_all_at(&self, bytes: &[u8], address: u64) -> io::Result<()> {
        self.memory.write_all_at(bytes, address)
    }

    /// Opens a file of the folder.
    pub(crate) fn open(&self, name: &str, flags: OFlag) -> io::Result<File> {
        Ok(openat(&self.folder, name, flags | OFlag::O_CLOEXEC, Mode::empty())?.into())
    }

    /// The path of a file of the folder: valid as long as the process is stopped.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        format!("/proc/{}/{name}", self.pid).into()
    }

    /// The program's file.
    pub(crate) fn program(&self) -> io::Result<OsString> {
        Ok(readlinkat(&self.folder, "exe")?)
    }

    /// The value of a line of `status`.
    pub(crate) fn status(&self, name: &str) -> io::Result<Option<Vec<u8>>> {
        Ok(line(&self.read("status")?, name).map(<[u8]>::to_vec))
    }

    /// The fields of `stat`, counted from 1 as in `proc_pid_stat(5)`.
    pub(crate) fn stat(&self) -> Result<Fields> {
        Fields::of(&self.read("stat")?)
    }

    fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        let mut bytes = Vec::new();
        self.open(name, OFlag::O_RDONLY)?.read_to_end(&mut bytes)?;
        Ok(bytes)
    }
}

/// The fields of `stat` behind the program's name.
#[derive(Debug)]
pub(crate) struct Fields(Vec<String>);

impl Fields {
    /// Number of the first field behind the name.
    const FIRST: usize = 3;

    fn of(stat: &[u8]) -> Result<Self> {
        // The name is in brackets and may have brackets itself.
        let end = stat.iter().rposition(|byte| *byte == b')').context("`stat` has no name")?;
        let fields = String::from_utf8_lossy(&stat[end + 1..]);
        Ok(Self(fields.split_whitespace().map(str::to_owned).collect()))
    }

    /// A field that is an address.
    pub(crate) fn address(&self, field: usize) -> Result<u64> {
        let text = self
            .0
            .get(field - Self::FIRST)
            .context("the kernel does not say where the program's parts are")?;
        Ok(text.parse()?)
    }
}

/// The value of the line of that name.
pub(crate) fn line<'a>(status: &'a [u8], name: &str) -> Option<&'a [u8]> {
    let lines = status.split(|byte| *byte == b'\n');
    let mut values =
        lines.filter_map(|line| line.strip_prefix(name.as_bytes())?.strip_prefix(b":"));
    values.next().map(<[u8]>::trim_ascii)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_may_be_anything() {
        let status = b"Name:\tcut\xd1\nUmask:\t0022\nSeccomp:\t2\nSeccomp_filters:\t1\n";
        assert_eq!(line(status, "Seccomp"), Some(&b"2"[..]));
        assert_eq!(line(status, "Name"), Some(&b"cut\xd1"[..]));
        assert_eq!(line(status, "Uid"), None);
        let fields = Fields::of(b"7 (a) b) \xd1) S 1 2 3\n").unwrap();
        assert_eq!((fields.address(4).unwrap(), fields.address(6).unwrap()), (1, 3));
        assert!(fields.address(3).is_err() && fields.address(7).is_err());
        assert!(Fields::of(b"").is_err());
    }
}
