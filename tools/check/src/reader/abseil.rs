//! abseil, on which TCMalloc and Protocol Buffers rely: `absl/debugging/internal/elf_mem_image.cc`
//! and `vdso_support.cc`.
//!
//! It looks at each symbol in turn, with its version, up to the one that it wants, and ends the
//! process at the first that it finds wrong, wanted or not. It does so for a missing table, too, if
//! it was built with assertions, as Debian's is.
//!
//! # Invariants
//!
//! 1. The first `PT_LOAD` and the last `PT_DYNAMIC` count.

use super::lookup::{FUNC, Tables};
use super::memory::{Memory, Read};
use super::names::{Name, names};
use super::record::{VERSION, last};
use super::{Fate, Found, Reader, Yields};
use crate::machine::Machine;
use goblin::elf::dynamic::{DT_STRSZ, DT_VERDEFNUM};
use goblin::elf::program_header::{PT_DYNAMIC, PT_LOAD};

pub(super) const READER: Reader = Reader {
    name: "abseil",
    version: "20220623.1",
    absent: "makes the system call",
    yields: Yields::Function,
    is_tool: false,
    names: wanted,
    read,
};

fn wanted(machine: &Machine) -> &'static [Name] {
    match machine.name {
        "x86-64" => names!("LINUX_2.6": "__vdso_getcpu"),
        // Elsewhere it asks for the same name, which no image has there.
        _ => &[],
    }
}

/// Section indices from here on have meanings of their own (`SHN_LORESERVE`).
const RESERVED: u16 = 0xff00;

/// What the reader keeps of an image.
struct Elf {
    base: u64,
    strings: u64,
    strings_len: u64,
    symbols: u64,
    count: i32,
    versions: u64,
    definitions: u64,
    definition_count: u64,
}

fn read(memory: &Memory<'_>, names: &[Name]) -> Read<Found> {
    let elf = prepare(memory)?;
    Ok(Ok(names.iter().map(|name| find(memory, &elf, name)).collect::<Read<_>>()?))
}

fn prepare(memory: &Memory<'_>) -> Read<Elf> {
    if memory.u32(0)? != 0x464c_457f || memory.u8(4)? != 2 || memory.u8(5)? != 1 {
        return Err(asserts("it is a 64-bit little-endian ELF file"));
    }
    let header = memory.header()?;
    let (mut base, mut dynamic) = (None, None);
    for segment in memory.segments(&header, header.segment_size.into())? {
        match segment.kind {
            PT_LOAD if base.is_none() => base = Some(segment.address),
            PT_DYNAMIC => dynamic = Some(segment.address),
            _ => {}
        }
    }
    let (Some(base), Some(dynamic)) = (base, dynamic) else {
        return Err(asserts("there is a PT_LOAD and a PT_DYNAMIC"));
    };
    let bias = 0_u64.wrapping_sub(base);
    let tags = memory.tags(dynamic.wrapping_add(bias))?;
    let tables = Tables::of(&tags, bias);
    let strings_len = last(&tags, DT_STRSZ).filter(|len| *len != 0);
    let definition_count = last(&tags, DT_VERDEFNUM).filter(|count| *count != 0);
    let (
        (Some(hash), Some(symbols), Some(strings), Some(strings_len)),
        (Some(versions), Some(definitions), Some(definition_count)),
    ) = (
        (tables.hash, tables.symbols, tables.strings, strings_len),
        (tables.versions, tables.definitions, definition_count),
    )
    else {
        return Err(asserts(
            "there are DT_HASH, DT_SYMTAB, DT_STRTAB, DT_STRSZ, DT_VERSYM, DT_VERDEF and DT_VERDEFNUM",
        ));
    };
    let count = memory.entry(hash, 1)?.cast_signed();
    Ok(Elf { base, strings, strings_len, symbols, count, versions, definitions, definition_count })
}

fn asserts(what: &str) -> Fate {
    Fate::Aborts(format!("it asserts that {what}"))
}

fn check(holds: bool, what: &str) -> Read<()> {
    if holds { Ok(()) } else { Err(asserts(what)) }
}

fn find(memory: &Memory<'_>, elf: &Elf, name: &Name) -> Read<Option<u64>> {
    for index in 0..u64::try_from(elf.count).unwrap_or(0) {
        let symbol = memory.symbol(elf.symbols, index)?;
        let string = |offset: u32| {
            check(u64::from(offset) < elf.strings_len, "names lie in the string table")?;
            Ok(elf.strings.wrapping_add(offset.into()))
        };
        let text = string(symbol.name)?;
        let version = memory.version_of(elf.versions, index)? & VERSION;
        let mut definition = None;
        if symbol.section != 0 {
            definition = definition_of(memory, elf, version)?;
        }
        let mut version = None;
        if let Some(at) = definition {
            let count = memory.definition(at)?.count;
            check(count == 1 || count == 2, "a version has one or two names")?;
            version = Some(string(memory.u32(at.wrapping_add(20))?)?);
        }
        if symbol.section != 0 && symbol.section < RESERVED {
            check(elf.base < symbol.value, "a symbol lies behind the first PT_LOAD's start")?;
        }
        let is_version = match version {
            Some(at) => memory.is_string(at, name.version)?,
            None => name.version.is_empty(),
        };
        if is_version && symbol.kind() == FUNC && memory.is_string(text, name.symbol)? {
            let is_moved = symbol.section != 0 && symbol.section < RESERVED;
            return Ok(Some(if is_moved {
                symbol.value.wrapping_sub(elf.base)
            } else {
                memory.absolute(symbol.value)
            }));
        }
    }
    Ok(None)
}

fn definition_of(memory: &Memory<'_>, elf: &Elf, index: u16) -> Read<Option<u64>> {
    check(u64::from(index) <= elf.definition_count, "there are as many versions as DT_VERDEFNUM")?;
    let mut at = elf.definitions;
    loop {
        let definition = memory.definition(at)?;
        if definition.index >= index || definition.next == 0 {
            return Ok((definition.index == index).then_some(at));
        }
        at = at.wrapping_add(definition.next.into());
    }
}
