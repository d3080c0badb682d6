//! The memory of a stopped process, through `/proc/PID/mem`.
//!
//! A tracer may write there even to what the process itself can only read, so that nothing of a process needs to be
//! writable for our sake.
//!
//! # Invariants
//!
//! 1. The file belongs to one program: after an `execve` a new one is opened.

use nix::unistd::Pid;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;

/// A process's memory.
#[derive(Debug)]
pub(crate) struct Memory(File);

impl Memory {
    /// Opens the memory of `pid`.
    pub(crate) fn open(pid: Pid) -> io::Result<Self> {
        OpenOptions::new().read(true).write(true).open(format!("/proc/{pid}/mem")).map(Self)
    }

    /// Reads `size` bytes at `address`.
    pub(crate) fn read(&self, address: u64, size: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; size];
        self.0.read_exact_at(&mut bytes, address)?;
        Ok(bytes)
    }

    /// Reads up to `size` bytes at `address`, fewer if the mapping ends.
    pub(crate) fn read_some(&self, address: u64, size: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; size];
        let count = self.0.read_at(&mut bytes, address)?;
        bytes.truncate(count);
        Ok(bytes)
    }

    /// Writes `bytes` at `address`.
    pub(crate) fn write(&self, address: u64, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all_at(bytes, address)
    }
}
