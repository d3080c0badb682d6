//! The image as it lies in a process: whole pages, with the kernel's data pages in front.
//!
//! Addresses are relative to the image, so the ELF header is at 0 and the data pages end there.
//! They wrap like pointers: a reader that adds a wrong number to a pointer arrives at a wrong
//! address here, too. What lies elsewhere in the process is not known, so a read of it counts as a
//! crash.
//!
//! # Invariants
//!
//! 1. No reader reads more often than [`Memory::limit`] permits, so that each model ends.

use super::Fate;
use std::cell::Cell;

/// Bytes of a page.
const PAGE: u64 = 4096;

/// Bytes of the kernel's data pages in front of the image; kernels differ in their number.
const DATA: u64 = 16 * PAGE;

/// Where the image is taken to lie: what an address that is not relative to it is counted from.
const PLACE: u64 = 0x2000_0000_0000;

/// Reads that any image may cost, however small.
const READS: u64 = 100_000;

/// What a reader has read, or how it ends because of it.
pub(super) type Read<T> = Result<T, Fate>;

/// The memory that a reader sees.
#[derive(Debug)]
pub(super) struct Memory<'a> {
    bytes: &'a [u8],
    len: u64,
    /// Whether pointers have 64 bits.
    pub(super) is_wide: bool,
    reads_left: Cell<u64>,
}

impl<'a> Memory<'a> {
    /// Maps the bytes of a file for a program whose pointers have 64 bits, or 32: a program was
    /// compiled for one, and takes the image to be of the same kind.
    pub(super) fn of(bytes: &'a [u8], is_wide: bool) -> Self {
        let len = (bytes.len() as u64).next_multiple_of(PAGE);
        Self { bytes, len, is_wide, reads_left: Cell::new(Self::limit(len)) }
    }

    /// Reads that an image of `len` bytes may cost: a reader that needs more is taken to read
    /// without end.
    fn limit(len: u64) -> u64 {
        READS + len
    }

    /// Bytes of all pages of the image.
    pub(super) fn len(&self) -> u64 {
        self.len
    }

    /// An address that the image's place is not added to, relative to the image.
    pub(super) fn absolute(&self, address: u64) -> u64 {
        self.pointer(address.wrapping_sub(PLACE))
    }

    /// An address as a pointer holds it.
    pub(super) fn pointer(&self, address: u64) -> u64 {
        if self.is_wide { address } else { address & u64::from(u32::MAX) }
    }

    /// Bytes of a pointer.
    pub(super) fn word_size(&self) -> u64 {
        if self.is_wide { 8 } else { 4 }
    }

    fn count(&self) -> Read<()> {
        let left = self.reads_left.get();
        if left == 0 {
            return Err(Fate::Hangs("it reads on and on".to_owned()));
        }
        self.reads_left.set(left - 1);
        Ok(())
    }

    /// A byte.
    pub(super) fn u8(&self, address: u64) -> Read<u8> {
        self.count()?;
        let address = self.pointer(address);
        if address < self.len {
            let at = usize::try_from(address).ok();
            return Ok(at.and_then(|at| self.bytes.get(at)).copied().unwrap_or(0));
        }
        if self.pointer(address.wrapping_add(DATA)) < DATA {
            return Ok(0);
        }
        let signed = if self.is_wide {
            address.cast_signed()
        } else {
            i64::from((address as u32).cast_signed())
        };
        let sign = if signed < 0 { "-" } else { "" };
        Err(Fate::Crashes(format!(
            "it reads at {sign}{:#x}, outside the image's {:#x} bytes",
            signed.unsigned_abs(),
            self.len
        )))
    }

    fn number(&self, address: u64, len: u64) -> Read<u64> {
        let start = usize::try_from(self.pointer(address)).unwrap_or(usize::MAX);
        let bytes = start.checked_add(len as usize).and_then(|end| self.bytes.get(start..end));
        if let Some(bytes) = bytes {
            self.count()?;
            return Ok(bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte)));
        }
        // At an edge, or outside.
        let mut number = 0;
        for at in (0..len).rev() {
            number = number << 8 | u64::from(self.u8(address.wrapping_add(at))?);
        }
        Ok(number)
    }

    /// A little-endian 16-bit number.
    pub(super) fn u16(&self, address: u64) -> Read<u16> {
        Ok(self.number(address, 2)? as u16)
    }

    /// A little-endian 32-bit number.
    pub(super) fn u32(&self, address: u64) -> Read<u32> {
        Ok(self.number(address, 4)? as u32)
    }

    /// A little-endian 64-bit number.
    pub(super) fn u64(&self, address: u64) -> Read<u64> {
        self.number(address, 8)
    }

    /// A number of a pointer's size.
    pub(super) fn word(&self, address: u64) -> Read<u64> {
        self.number(address, self.word_size())
    }

    /// Entry `index` of a table of 32-bit numbers.
    pub(super) fn entry(&self, table: u64, index: u64) -> Read<u32> {
        self.u32(table.wrapping_add(index.wrapping_mul(4)))
    }

    /// Whether a zero-terminated string is `text`; reads up to the first difference, like `strcmp`.
    pub(super) fn is_string(&self, address: u64, text: &str) -> Read<bool> {
        for (at, byte) in (0..).zip(text.bytes().chain([0])) {
            if self.u8(address.wrapping_add(at))? != byte {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Bytes in front of a string's zero, all of which are read.
    pub(super) fn string_len(&self, address: u64) -> Read<u64> {
        let mut len = 0;
        while self.u8(address.wrapping_add(len))? != 0 {
            len += 1;
        }
        Ok(len)
    }
}
