//! Where images come from: a file, standard input, a process, a kernel image, a folder, a Debian
//! package of a kernel.
//!
//! What a file is, its first bytes tell. A kernel image or a package may hold several images; each
//! is judged by itself.
//!
//! # Invariants
//!
//! 1. No source is read beyond its limit, and nothing is unpacked beyond one: [`IMAGE_LIMIT`] for
//!    an image, [`KERNEL_LIMIT`] for a kernel and what it unpacks to, and for what any file unpacks
//!    to [`SMALL_LIMIT`] and [`RATIO`] times its bytes beyond the first megabyte.
//! 2. A source without an image is an error, never an empty list.

mod carve;
mod file;
mod folder;
mod kernel;
mod package;
mod process;
mod unpack;

use std::path::{Path, PathBuf};

/// Bytes that an image has at most: the kernel maps it into every process.
pub const IMAGE_LIMIT: u64 = 4 << 20;

/// Bytes that an unstripped image has at most: its debugging information takes a few times its
/// code's.
pub const DEBUG_LIMIT: u64 = 64 << 20;

/// Bytes that a kernel image or a package has at most, and what either unpacks to.
pub const KERNEL_LIMIT: u64 = 1 << 29;

/// Bytes that a file of up to a megabyte may unpack to: LZMA takes up to 40 ns for each, and such a
/// file costs at most 100 ms.
pub const SMALL_LIMIT: u64 = 2 << 20;

/// How many bytes a file may unpack to for each of its bytes beyond the first megabyte: kernels and
/// packages unpack to some five times theirs.
pub const RATIO: u64 = 12;

/// The most images that a file may hold; a kernel has up to four.
pub const IMAGES_LIMIT: usize = 16;

/// An image, and where it was found.
#[derive(Clone, Debug)]
pub struct Found {
    /// The file, and the place in it if it is more than the image.
    pub name: String,
    /// The image.
    pub bytes: Vec<u8>,
    /// The unstripped image, if it is beside the image.
    pub debug: Option<Vec<u8>>,
}

/// What to judge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A file or a folder; `-` is standard input.
    Path(PathBuf),
    /// The vDSO that a process has mapped.
    Process(u32),
    /// The one that this process has mapped.
    Own,
}

impl Source {
    /// All images of the source, at least one.
    pub fn images(&self) -> Result<Vec<Found>, String> {
        match self {
            Self::Path(path) if path == Path::new("-") => file::standard_input(),
            Self::Path(path) => file::at(path),
            Self::Process(id) => process::mapped(&id.to_string()).map(|found| vec![found]),
            Self::Own => process::mapped("self").map(|found| vec![found]),
        }
    }
}

pub use file::{debug_beside, images_in, read};
