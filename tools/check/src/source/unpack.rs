//! Compressed data, by the magic number that it begins with.
//!
//! # Invariants
//!
//! 1. No more bytes come out of a file than its [`Budget`] has, over all its layers and attempts.
//! 2. A dictionary takes memory as what is unpacked into it grows, whatever a header asks for:
//!    lzma-rust2 and ruzstd see to that.

use super::{KERNEL_LIMIT, RATIO, SMALL_LIMIT};
use std::io::{self, Cursor, Read};

/// How many bytes may still be unpacked from a file.
#[derive(Debug)]
pub(super) struct Budget {
    left: u64,
}

impl Budget {
    /// What a file of `len` bytes may unpack to.
    pub(super) fn of(len: usize) -> Self {
        let beyond = (len as u64).saturating_sub(1 << 20);
        Self { left: SMALL_LIMIT + beyond * RATIO }
    }

    /// What remains for data that are unpacked and not kept.
    pub(super) fn left(&self) -> u64 {
        self.left
    }

    /// All that a reader gives before its end or its first error.
    fn read(&mut self, reader: impl Read) -> Result<Vec<u8>, String> {
        /// Room that is made at once, so that growing takes no twice the memory.
        const ROOM: u64 = 1 << 24;
        let limit = self.left.min(KERNEL_LIMIT);
        let mut bytes = Vec::with_capacity(limit.min(ROOM) as usize);
        let _ = reader.take(limit).read_to_end(&mut bytes);
        self.left -= bytes.len() as u64;
        if bytes.len() as u64 == limit {
            return Err(format!(
                "it unpacks to more than a kernel of its size does: more than {SMALL_LIMIT} bytes and {RATIO} for each of its bytes beyond the first megabyte, or more than {KERNEL_LIMIT}; unpack it, and give the file that comes out"
            ));
        }
        Ok(bytes)
    }
}

/// A way to compress that kernels use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Gzip,
    Xz,
    Lzma,
    Zstd,
    Lz4,
}

/// The magic numbers. Kernels use LZ4's legacy frame.
const MAGIC: &[(&[u8], Format)] = &[
    (&[0x1f, 0x8b, 0x08], Format::Gzip),
    (&[0xfd, b'7', b'z', b'X', b'Z', 0], Format::Xz),
    (&[0x5d, 0, 0], Format::Lzma),
    (&[0x28, 0xb5, 0x2f, 0xfd], Format::Zstd),
    (&[0x02, 0x21, 0x4c, 0x18], Format::Lz4),
    (&[0x04, 0x22, 0x4d, 0x18], Format::Lz4),
];

/// How what begins here is compressed, if it is.
pub(super) fn format(bytes: &[u8]) -> Option<Format> {
    MAGIC.iter().find(|(magic, _)| bytes.starts_with(magic)).map(|found| found.1)
}

/// What comes out of compressed `input`, as it is read.
pub(super) fn reader<'a>(format: Format, input: &'a [u8]) -> io::Result<Box<dyn Read + 'a>> {
    let input = Cursor::new(input);
    Ok(match format {
        Format::Gzip => Box::new(flate2::read::GzDecoder::new(input)),
        Format::Xz => Box::new(lzma_rust2::XzReader::new(input, false)),
        Format::Lzma => Box::new(lzma_rust2::LzmaReader::new_mem_limit(input, u32::MAX, None)?),
        Format::Zstd => {
            let decoder = ruzstd::decoding::StreamingDecoder::new(input);
            Box::new(decoder.map_err(|error| io::Error::other(error.to_string()))?)
        }
        Format::Lz4 => Box::new(lz4_flex::frame::FrameDecoder::new(input)),
    })
}

/// All that comes out before the end or the first error: behind a kernel's compressed payload there
/// are other bytes, which some decoders take for more of it.
pub(super) fn unpack(format: Format, input: &[u8], budget: &mut Budget) -> Result<Vec<u8>, String> {
    match reader(format, input) {
        Ok(reader) => budget.read(reader),
        Err(_) => Ok(Vec::new()),
    }
}
