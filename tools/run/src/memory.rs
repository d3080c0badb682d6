//! The memory of a stopped process that this process traces.
//!
//! The tracer reads and writes it through the process's [`Folder`] in `/proc`, where that is proven
//! to be the process's, and otherwise by `ptrace`, a word at a time. Both may write to memory that
//! the process itself can only read. So no memory of a process has to be writable for the tracer's
//! sake.
//!
//! # Invariants
//!
//! 1. Every access reaches the process that `ptrace` knows by this number: a [`Folder`] was proven,
//!    a word needs no proof.
//! 2. A [`Memory`] belongs to one program: after an `execve` a new one is opened.

use crate::arch;
use crate::folder::{Folder, SCRATCH};
use crate::tracee::{self, WORD, peek, poke};
use anyhow::{Context as _, Result};
use nix::errno::Errno;
use nix::unistd::Pid;
use std::io;

/// A process's memory.
#[derive(Debug)]
pub(crate) struct Memory {
    pid: Pid,
    folder: Option<Folder>,
}

impl Memory {
    /// The memory of `pid`, which is stopped.
    pub(crate) fn open(pid: Pid) -> Result<Self> {
        let place = arch::stack_pointer(&tracee::registers(pid)?) - SCRATCH;
        peek(pid, place).context(
            "its memory is closed to the runner (the program's file is not readable, or it runs as another user)",
        )?;
        Ok(Self { pid, folder: Folder::of(pid).ok() })
    }

    /// The process's folder in `/proc`; none if `/proc` does not have it.
    pub(crate) fn folder(&self) -> Option<&Folder> {
        self.folder.as_ref()
    }

    /// Reads `size` bytes at `address`.
    pub(crate) fn read(&self, address: u64, size: usize) -> io::Result<Vec<u8>> {
        let bytes = self.read_some(address, size)?;
        if bytes.len() == size { Ok(bytes) } else { Err(Errno::EFAULT.into()) }
    }

    /// Reads up to `size` bytes at `address`, fewer if the mapping ends.
    pub(crate) fn read_some(&self, address: u64, size: usize) -> io::Result<Vec<u8>> {
        let Some(folder) = &self.folder else { return Ok(read_words(self.pid, address, size)) };
        let mut bytes = vec![0; size];
        let mut count = 0;
        while count < size {
            match folder.read_at(&mut bytes[count..], address + count as u64) {
                Ok(0) => break,
                Ok(more) => count += more,
                Err(error) if count == 0 => return Err(error),
                Err(_) => break,
            }
        }
        bytes.truncate(count);
        Ok(bytes)
    }

    /// Writes `bytes` at `address`.
    pub(crate) fn write(&self, address: u64, bytes: &[u8]) -> io::Result<()> {
        match &self.folder {
            Some(folder) => folder.write_all_at(bytes, address),
            None => Ok(write_words(self.pid, address, bytes)?),
        }
    }
}

/// Where in its word `address` is, and how many of `size` bytes the word has from there on.
fn part(address: u64, size: usize) -> (usize, usize) {
    let start = address as usize % WORD;
    (start, size.min(WORD - start))
}

/// Reads up to `size` bytes, as far as they are mapped.
fn read_words(pid: Pid, address: u64, size: usize) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(size);
    while bytes.len() < size {
        let at = address + bytes.len() as u64;
        let (start, count) = part(at, size - bytes.len());
        let Ok(word) = peek(pid, at - start as u64) else { break };
        bytes.extend(&word[start..start + count]);
    }
    bytes
}

fn write_words(pid: Pid, mut address: u64, mut bytes: &[u8]) -> nix::Result<()> {
    while !bytes.is_empty() {
        let (start, count) = part(address, bytes.len());
        let (now, later) = bytes.split_at(count);
        let place = address - start as u64;
        let mut word = if count == WORD { [0; WORD] } else { peek(pid, place)? };
        word[start..start + count].copy_from_slice(now);
        poke(pid, place, word)?;
        (address, bytes) = (address + count as u64, later);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_words() {
        assert_eq!(part(16, 100), (0, 8));
        assert_eq!(part(19, 100), (3, 5));
        assert_eq!(part(19, 2), (3, 2));
        assert_eq!(part(23, 9), (7, 1));
    }
}
