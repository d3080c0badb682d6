//! The programs that read a vDSO, each as a pure function over the bytes of an image.
//!
//! A libc, a language's runtime or a debugger reads the image in its own way: it picks a hash
//! table, checks versions or does not, filters symbols by type and binding, and trusts most of what
//! it reads. A model does what the reader does, with the reader's own mistakes, and tells
//!
//! - whether the image loads for the reader, or how the reader ends: a crash, an abort, a loop;
//! - which of the names that the reader wants lead where.
//!
//! The models were written by reading the sources that each module names. `tests/models` runs the
//! readers themselves on the same images, sound and broken, and refuses any difference; bionic
//! cannot run there.
//!
//! # Invariants
//!
//! 1. Any bytes have an answer, within a number of reads that follows from their length.
//! 2. A name that a reader could not ask for, because it crashed before, has no place.

mod abseil;
mod bionic;
mod criu;
mod frame;
mod gdb;
mod glibc;
mod go;
mod harm;
mod instructions;
mod libgcc;
mod libunwind;
mod lookup;
mod memory;
mod musl;
mod names;
mod parse_vdso;
mod record;
mod rustix;
mod table;

use crate::machine::{Class, Machine};
pub use harm::{Harm, harms};
use memory::{Memory, Read};
pub use names::{Name, machine_of};
pub use table::table;

/// How a reader fares with an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It reads the image.
    Loads,
    /// It does without the image, for this reason.
    Ignores(String),
    /// The process dies of a signal.
    Crashes(String),
    /// The reader finds a contradiction and ends the process.
    Aborts(String),
    /// The reader never ends.
    Hangs(String),
}

/// What a reader says of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// How it fares.
    pub fate: Fate,
    /// For each name that it wants the offset in the image that it arrives at.
    pub found: Vec<(&'static str, Option<u64>)>,
}

/// What the offset behind a name is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Yields {
    /// Where the function is.
    Function,
    /// Where the function's call-frame information is.
    Frame,
}

/// A program that reads vDSOs.
#[derive(Debug)]
pub struct Reader {
    /// Its name.
    pub name: &'static str,
    /// The version whose source the model follows.
    pub version: &'static str,
    /// What it does for a name that is absent.
    pub absent: &'static str,
    /// What the offsets in its answers are.
    pub yields: Yields,
    /// Whether it is a tool for people who debug or test, and no part of the programs that they
    /// use.
    pub is_tool: bool,
    /// The names that it asks for.
    pub names: fn(&Machine) -> &'static [Name],
    read: fn(&Memory<'_>, &[Name]) -> Read<Found>,
}

/// The offsets of the names that were asked for; or why the reader does without the image.
type Found = Result<Vec<Option<u64>>, String>;

/// All readers.
pub const READERS: &[Reader] = &[
    glibc::READER,
    musl::READER,
    go::READER,
    bionic::READER,
    rustix::READER,
    abseil::READER,
    parse_vdso::READER,
    criu::READER,
    gdb::READER,
    libgcc::READER,
    libunwind::READER,
];

impl Reader {
    /// What the reader does with an image when it runs on that machine; none if it reads no images
    /// there.
    pub fn ask(&self, image: &[u8], machine: &Machine) -> Option<Answer> {
        let names = (self.names)(machine);
        if names.is_empty() {
            return None;
        }
        let (fate, found) =
            match (self.read)(&Memory::of(image, machine.class == Class::Elf64), names) {
                Ok(Ok(found)) => (Fate::Loads, found),
                Ok(Err(why)) => (Fate::Ignores(why), Vec::new()),
                Err(fate) => (fate, Vec::new()),
            };
        let places = found.into_iter().chain(std::iter::repeat(None));
        Some(Answer { fate, found: names.iter().map(|name| name.symbol).zip(places).collect() })
    }
}
