//! musl: `src/internal/vdso.c`.
//!
//! It asks when a function is first called, and then makes the system call if it has none.
//! The hash table tells it only how many symbols there are: it compares the name of each.
//!
//! # Invariants
//!
//! 1. The last `PT_LOAD` and the last `PT_DYNAMIC` count.

use super::lookup::Tables;
use super::memory::{Memory, Read};
use super::names::{Name, names};
use super::{Found, Reader, Yields};
use crate::machine::Machine;
use goblin::elf::program_header::{PT_DYNAMIC, PT_LOAD};

pub(super) const READER: Reader = Reader {
    name: "musl",
    version: "1.2.3",
    absent: "makes the system call",
    yields: Yields::Function,
    is_tool: false,
    names: wanted,
    read,
};

fn wanted(machine: &Machine) -> &'static [Name] {
    match machine.name {
        "x86-64" | "x32" => names!("LINUX_2.6": "__vdso_clock_gettime" "__vdso_getcpu"),
        "i386" | "arm" => {
            names!("LINUX_2.6": "__vdso_clock_gettime64" "__vdso_clock_gettime")
        }
        "arm64" => names!("LINUX_2.6.39": "__kernel_clock_gettime"),
        // For riscv64 its source has the names, but leaves them out.
        _ => &[],
    }
}

fn read(memory: &Memory<'_>, names: &[Name]) -> Read<Found> {
    let header = memory.header()?;
    let (mut bias, mut dynamic) = (None, None);
    for segment in memory.segments(&header, header.segment_size.into())? {
        match segment.kind {
            PT_LOAD => bias = Some(segment.offset.wrapping_sub(segment.address)),
            PT_DYNAMIC => dynamic = Some(segment.offset),
            _ => {}
        }
    }
    let (Some(bias), Some(dynamic)) = (bias, dynamic) else {
        return Ok(Err("it finds no PT_LOAD or no PT_DYNAMIC".to_owned()));
    };
    let tables = Tables::of(&memory.tags(dynamic)?, bias);
    let found = names.iter().map(|name| find(memory, &tables, bias, name));
    Ok(Ok(found.collect::<Read<_>>()?))
}

fn find(memory: &Memory<'_>, tables: &Tables, bias: u64, name: &Name) -> Read<Option<u64>> {
    /// `STT_NOTYPE`, `STT_OBJECT`, `STT_FUNC`, `STT_COMMON`.
    const KINDS: [u8; 4] = [0, 1, 2, 5];
    /// `STB_GLOBAL`, `STB_WEAK`, `STB_GNU_UNIQUE`.
    const BINDINGS: [u8; 3] = [1, 2, 10];
    let (Some(strings), Some(symbols), Some(hash)) = (tables.strings, tables.symbols, tables.hash)
    else {
        return Ok(None);
    };
    for index in 0..u64::from(memory.entry(hash, 1)?) {
        let symbol = memory.symbol(symbols, index)?;
        let is_kind = KINDS.contains(&symbol.kind()) && BINDINGS.contains(&symbol.binding());
        if !is_kind
            || symbol.section == 0
            || !memory.is_string(strings.wrapping_add(symbol.name.into()), name.symbol)?
        {
            continue;
        }
        if let (Some(versions), Some(definitions)) = (tables.versions, tables.definitions) {
            let version = memory.version_of(versions, index)?;
            match memory.definition_of(definitions, version)? {
                Some(at) if memory.defines(at, strings, name.version)? => {}
                _ => continue,
            }
        }
        return Ok(Some(memory.pointer(bias.wrapping_add(symbol.value))));
    }
    Ok(None)
}
