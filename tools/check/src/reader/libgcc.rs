//! libgcc's unwinder, under glibc: `libgcc/unwind-dw2-fde-dip.c`, `libgcc/unwind-pe.h`, and glibc's
//! `elf/dl-find_object.c`.
//!
//! It throws C++ and Rust exceptions, and cancels threads. For each function that glibc finds it is
//! asked for the entry that covers the function's first byte, where a signal may have stopped a
//! thread. It trusts the sorted search table in front of `.eh_frame`.
//!
//! # Invariants
//!
//! 1. The first `PT_GNU_EH_FRAME` counts.

use super::frame::{self, BASED, Cursor, INDIRECT, OMIT, RELATIVE, SIGNED_32, wrong};
use super::glibc::Library;
use super::memory::{Memory, Read};
use super::names::Name;
use super::{Fate, Found, Reader, Yields};
use goblin::elf::program_header::PT_GNU_EH_FRAME;

pub(super) const READER: Reader = Reader {
    name: "libgcc",
    version: "12.2",
    absent: "ends the unwinding there: an exception ends the process, a backtrace ends early",
    yields: Yields::Frame,
    is_tool: false,
    names: frame::wanted,
    read,
};

fn read(memory: &Memory<'_>, names: &[Name]) -> Read<Found> {
    frame::entries(memory, names, find)
}

/// The entry that covers an address.
fn find(memory: &Memory<'_>, library: &Library, address: u64) -> Read<Option<u64>> {
    if address >= library.end {
        return Ok(None);
    }
    let segment = library.segments.iter().find(|segment| segment.kind == PT_GNU_EH_FRAME);
    let Some(segment) = segment else { return Ok(None) };
    let start = library.bias.wrapping_add(segment.address);
    let mut cursor = Cursor { memory, at: start };
    let (version, frame_encoding) = (cursor.byte()?, cursor.byte()?);
    let (count_encoding, table_encoding) = (cursor.byte()?, cursor.byte()?);
    if version != 1 {
        return Ok(None);
    }
    let frame = pointer(&mut cursor, frame_encoding)?;
    if count_encoding != OMIT && table_encoding == BASED | SIGNED_32 {
        let count = pointer(&mut cursor, count_encoding)?;
        if count == 0 {
            return Ok(None);
        }
        if cursor.at & 3 == 0 {
            return by_table(memory, address, start, cursor.at, count);
        }
    }
    one_by_one(memory, address, frame)
}

/// A pointer with what it is relative to; a pointer of 0 stays 0.
fn pointer(cursor: &mut Cursor<'_, '_>, encoding: u8) -> Read<u64> {
    /// Padded to the size of a pointer (`DW_EH_PE_aligned`).
    const ALIGNED: u8 = 0x50;
    let memory = cursor.memory;
    if encoding == ALIGNED {
        let word = memory.word_size();
        cursor.at = cursor.at.wrapping_add(word - 1) & word.wrapping_neg();
        return cursor.raw(0);
    }
    let at = cursor.at;
    let mut pointer = cursor.raw(encoding)?;
    if pointer != 0 {
        // A pointer that is not relative is not an address of the image: nothing is there.
        if encoding & 0x70 == RELATIVE {
            pointer = pointer.wrapping_add(at);
        }
        if encoding & INDIRECT != 0 {
            pointer = memory.word(pointer)?;
        }
    }
    Ok(pointer)
}

fn by_table(
    memory: &Memory<'_>,
    address: u64,
    base: u64,
    table: u64,
    count: u64,
) -> Read<Option<u64>> {
    let field = |index: u64, at: u64| -> Read<u64> {
        let value = memory.u32(table.wrapping_add(index.wrapping_mul(8)).wrapping_add(at))?;
        Ok(base.wrapping_add_signed(value.cast_signed().into()))
    };
    // The image lies high in the address space: a place in front of it is lower, not higher.
    let is_before = |place: u64| address.cast_signed() < place.cast_signed();
    let mut middle = count - 1;
    if is_before(field(0, 0)?) {
        return Ok(None);
    }
    if is_before(field(middle, 0)?) {
        let (mut low, mut high) = (0, middle);
        loop {
            if low >= high {
                return Err(Fate::Aborts("it asserts that the search table is sorted".to_owned()));
            }
            // As there: of a count that no table has, the sum begins at 0 again.
            middle = low.wrapping_add(high) / 2;
            if is_before(field(middle, 0)?) {
                high = middle;
            } else if !is_before(field(middle + 1, 0)?) {
                low = middle + 1;
            } else {
                break;
            }
        }
    }
    let entry = field(middle, 4)?;
    let encoding = encoding(memory, entry)?;
    let size = size_of(memory, encoding)?;
    let mut cursor = Cursor { memory, at: entry.wrapping_add(8 + size) };
    let range = cursor.raw(encoding & 0x0f)?;
    let start = field(middle, 0)?;
    Ok((address.wrapping_sub(start) < range).then_some(entry))
}

/// How pointers of an entry are encoded, as its common part says.
fn encoding(memory: &Memory<'_>, entry: u64) -> Read<u8> {
    let distance = memory.u32(entry.wrapping_add(4))?.cast_signed();
    let common = entry.wrapping_add(4).wrapping_add_signed(-i64::from(distance));
    let version = memory.u8(common.wrapping_add(8))?;
    let mut letter = common.wrapping_add(9);
    let mut cursor = Cursor { memory, at: letter };
    cursor.skip_string()?;
    if version >= 4 && (u64::from(cursor.byte()?) != memory.word_size() || cursor.byte()? != 0) {
        return Ok(OMIT);
    }
    if memory.u8(letter)? != b'z' {
        return Ok(0);
    }
    cursor.leb128(false)?;
    cursor.leb128(true)?;
    if version == 1 {
        cursor.byte()?;
    } else {
        cursor.leb128(false)?;
    }
    cursor.leb128(false)?;
    loop {
        letter = letter.wrapping_add(1);
        match memory.u8(letter)? {
            b'R' => return cursor.byte(),
            b'P' => {
                let encoding = cursor.byte()? & 0x7f;
                pointer(&mut cursor, encoding)?;
            }
            b'L' | b'B' => {
                cursor.byte()?;
            }
            _ => return Ok(0),
        }
    }
}

fn size_of(memory: &Memory<'_>, encoding: u8) -> Read<u64> {
    match encoding & 7 {
        _ if encoding == OMIT => Ok(0),
        0 => Ok(memory.word_size()),
        2 => Ok(2),
        3 => Ok(4),
        4 => Ok(8),
        _ => Err(wrong()),
    }
}

/// Without a search table that it knows, the unwinder looks at every entry.
fn one_by_one(memory: &Memory<'_>, address: u64, frame: u64) -> Read<Option<u64>> {
    let mut entry = frame;
    loop {
        let len = memory.u32(entry)?;
        if len == 0 {
            return Ok(None);
        }
        if memory.u32(entry.wrapping_add(4))? != 0 {
            let encoding = encoding(memory, entry)?;
            if encoding != OMIT && ![0, RELATIVE, 0x20, BASED, 0x50].contains(&(encoding & 0x70)) {
                return Err(wrong());
            }
            let mut cursor = Cursor { memory, at: entry.wrapping_add(8) };
            let start = pointer(&mut cursor, encoding)?;
            let range = cursor.raw(encoding & 0x0f)?;
            if start != 0 && address.wrapping_sub(start) < range {
                return Ok(Some(entry));
            }
        }
        entry = entry.wrapping_add(4).wrapping_add(len.into());
    }
}
