//! LLVM's libunwind, under glibc: `libunwind/src/AddressSpace.hpp`, `EHHeaderParser.hpp` and
//! `DwarfParser.hpp`.
//!
//! Programs of clang with libc++ unwind by it. For each function that glibc finds it is asked for
//! the entry that covers the function's first byte. If the search table does not lead to one, it
//! looks at every entry.
//!
//! # Invariants
//!
//! 1. The last `PT_GNU_EH_FRAME` whose version it knows counts.

use super::frame::{self, BASED, Cursor, INDIRECT, OMIT, RELATIVE, wrong};
use super::glibc::Library;
use super::instructions;
use super::memory::{Memory, Read};
use super::names::Name;
use super::{Found, Reader, Yields};
use goblin::elf::program_header::{PT_GNU_EH_FRAME, PT_LOAD};

pub(super) const READER: Reader = Reader {
    name: "LLVM libunwind",
    version: "14.0.6",
    absent: "ends the unwinding there: an exception ends the process, a backtrace ends early",
    yields: Yields::Frame,
    is_tool: false,
    names: frame::wanted,
    read,
};

fn read(memory: &Memory<'_>, names: &[Name]) -> Read<Found> {
    frame::entries(memory, names, find)
}

/// The header of the search table.
struct Header {
    frame: u64,
    count: u64,
    table: u64,
    encoding: u8,
    start: u64,
}

/// The entry that covers an address.
fn find(memory: &Memory<'_>, library: &Library, address: u64) -> Read<Option<u64>> {
    let is_inside = library.segments.iter().any(|segment| {
        let start = library.bias.wrapping_add(segment.address);
        segment.kind == PT_LOAD && start <= address && address < start.wrapping_add(segment.size)
    });
    if !is_inside {
        return Ok(None);
    }
    for segment in library.segments.iter().rev().filter(|one| one.kind == PT_GNU_EH_FRAME) {
        let Some(header) = header(memory, library.bias.wrapping_add(segment.address))? else {
            continue;
        };
        let entry = match by_table(memory, address, &header)? {
            Some(entry) => Some(entry),
            None => one_by_one(memory, address, header.frame)?,
        };
        return match entry {
            Some(entry) if runs(memory, entry)? => Ok(Some(entry)),
            _ => Ok(None),
        };
    }
    Ok(None)
}

/// Whether it can run the instructions that an entry shares with others, as it does at once.
fn runs(memory: &Memory<'_>, entry: u64) -> Read<bool> {
    let Some((mut cursor, _)) = contents(memory, entry)? else { return Ok(false) };
    let at = cursor.at;
    let common = at.wrapping_sub(cursor.word32()?.into());
    let Some(shared) = common_part(memory, common)? else { return Ok(false) };
    let mut cursor = Cursor { memory, at: shared.instructions };
    instructions::run(&mut cursor, shared.end)
}

fn header(memory: &Memory<'_>, start: u64) -> Read<Option<Header>> {
    let mut cursor = Cursor { memory, at: start };
    if cursor.byte()? != 1 {
        return Ok(None);
    }
    let frame_encoding = cursor.byte()?;
    let (count_encoding, encoding) = (cursor.byte()?, cursor.byte()?);
    let frame = pointer(&mut cursor, frame_encoding, start)?;
    let count = match count_encoding {
        OMIT => 0,
        encoding => pointer(&mut cursor, encoding, start)?,
    };
    Ok(Some(Header { frame, count, table: cursor.at, encoding, start }))
}

/// A pointer with what it is relative to, even if it is 0.
fn pointer(cursor: &mut Cursor<'_, '_>, encoding: u8, base: u64) -> Read<u64> {
    let at = cursor.at;
    let mut pointer = cursor.raw(encoding)?;
    match encoding & 0x70 {
        0 => {}
        RELATIVE => pointer = pointer.wrapping_add(at),
        BASED if base != 0 => pointer = pointer.wrapping_add(base),
        _ => return Err(wrong()),
    }
    if encoding & INDIRECT != 0 {
        pointer = cursor.memory.word(pointer)?;
    }
    Ok(pointer)
}

fn by_table(memory: &Memory<'_>, address: u64, header: &Header) -> Read<Option<u64>> {
    if header.count == 0 {
        return Ok(None);
    }
    let size = match header.encoding & 0x0f {
        2 | 10 => 4,
        3 | 11 => 8,
        4 | 12 => 16,
        15 => 0,
        _ => return Err(wrong()),
    };
    let row = |index: u64| header.table.wrapping_add(index.wrapping_mul(size));
    let (mut low, mut len) = (0_u64, header.count);
    while len > 1 {
        let middle = low + len / 2;
        let mut cursor = Cursor { memory, at: row(middle) };
        let start = pointer(&mut cursor, header.encoding, header.start)?;
        // The image lies high in the address space: a place in front of it is lower, not higher.
        match start.cast_signed().cmp(&address.cast_signed()) {
            std::cmp::Ordering::Equal => {
                low = middle;
                break;
            }
            std::cmp::Ordering::Less => {
                low = middle;
                len -= len / 2;
            }
            std::cmp::Ordering::Greater => len /= 2,
        }
    }
    let mut cursor = Cursor { memory, at: row(low) };
    pointer(&mut cursor, header.encoding, header.start)?;
    let entry = pointer(&mut cursor, header.encoding, header.start)?;
    let Some((start, end)) = range(memory, entry)? else { return Ok(None) };
    Ok((start <= address && address < end).then_some(entry))
}

/// Where an entry's contents begin, and its length; none at the end mark.
fn contents<'m, 'a>(memory: &'m Memory<'a>, entry: u64) -> Read<Option<(Cursor<'m, 'a>, u64)>> {
    let mut cursor = Cursor { memory, at: entry };
    let len = match cursor.word32()? {
        u32::MAX => cursor.word64()?,
        len => len.into(),
    };
    Ok((len != 0).then_some((cursor, len)))
}

/// The addresses that an entry covers, none if it is not one.
fn range(memory: &Memory<'_>, entry: u64) -> Read<Option<(u64, u64)>> {
    let Some((mut cursor, _)) = contents(memory, entry)? else { return Ok(None) };
    let at = cursor.at;
    let distance = cursor.word32()?;
    if distance == 0 {
        return Ok(None);
    }
    let common = at.wrapping_sub(distance.into());
    let Some(encoding) = common_part(memory, common)?.map(|common| common.encoding) else {
        return Ok(None);
    };
    let start = pointer(&mut cursor, encoding, 0)?;
    let len = pointer(&mut cursor, encoding & 0x0f, 0)?;
    Ok(Some((start, start.wrapping_add(len))))
}

/// What entries share.
struct Common {
    encoding: u8,
    instructions: u64,
    end: u64,
}

/// The part that an entry shares with others; none if it cannot be read.
fn common_part(memory: &Memory<'_>, common: u64) -> Read<Option<Common>> {
    let Some((mut cursor, len)) = contents(memory, common)? else {
        return Ok(Some(Common { encoding: 0, instructions: 0, end: 0 }));
    };
    let end = cursor.at.wrapping_add(len);
    if cursor.word32()? != 0 {
        return Ok(None);
    }
    let version = cursor.byte()?;
    if version != 1 && version != 3 {
        return Ok(None);
    }
    let letters = cursor.at;
    cursor.skip_string()?;
    cursor.leb128(false)?;
    cursor.leb128(true)?;
    if version == 1 {
        cursor.byte()?;
    } else {
        cursor.leb128(false)?;
    }
    let mut encoding = 0;
    if memory.u8(letters)? == b'z' {
        cursor.leb128(false)?;
        for letter in 0..memory.string_len(letters)? {
            match memory.u8(letters.wrapping_add(letter))? {
                b'P' => {
                    let encoding = cursor.byte()?;
                    pointer(&mut cursor, encoding, 0)?;
                }
                b'L' => {
                    cursor.byte()?;
                }
                b'R' => encoding = cursor.byte()?,
                _ => {}
            }
        }
    }
    Ok(Some(Common { encoding, instructions: cursor.at, end }))
}

/// Looks at every entry. Here an entry covers the byte behind its end, and not its first one.
fn one_by_one(memory: &Memory<'_>, address: u64, frame: u64) -> Read<Option<u64>> {
    let mut entry = frame;
    loop {
        let Some((cursor, len)) = contents(memory, entry)? else { return Ok(None) };
        let at = cursor.at;
        let distance = memory.u32(at)?;
        let common = at.wrapping_sub(distance.into());
        if distance != 0
            && common.cast_signed() >= frame.cast_signed()
            && let Some(encoding) = common_part(memory, common)?.map(|common| common.encoding)
        {
            let mut cursor = Cursor { memory, at: at.wrapping_add(4) };
            let start = pointer(&mut cursor, encoding, 0)?;
            let range = pointer(&mut cursor, encoding & 0x0f, 0)?;
            let end = start.wrapping_add(range);
            if start.cast_signed() < address.cast_signed()
                && address.cast_signed() <= end.cast_signed()
            {
                return Ok(Some(entry));
            }
        }
        entry = at.wrapping_add(len);
    }
}
