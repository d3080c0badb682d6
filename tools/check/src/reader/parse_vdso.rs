//! The kernel's reference parser: `tools/testing/selftests/vDSO/parse_vdso.c` of Linux 6.12.
//!
//! Its selftests link it, and other programs have copied it.
//!
//! # Invariants
//!
//! 1. The first `PT_LOAD` and the last `PT_DYNAMIC` count.

use super::lookup::{FUNC, GLOBAL, Tables, WEAK, sysv};
use super::memory::{Memory, Read};
use super::names::{Name, all};
use super::{Fate, Found, Reader, Yields};
use goblin::elf::program_header::{PT_DYNAMIC, PT_LOAD};

pub(super) const READER: Reader = Reader {
    name: "parse_vdso.c",
    version: "Linux 6.12",
    absent: "skips the selftest, or fails it",
    yields: Yields::Function,
    is_tool: true,
    names: all,
    read,
};

fn read(memory: &Memory<'_>, names: &[Name]) -> Read<Found> {
    let header = memory.header()?;
    let class = memory.u8(4)?;
    if class != if memory.is_wide { 2 } else { 1 } {
        return Ok(Err("the file's class is not the program's".to_owned()));
    }
    let (mut bias, mut dynamic) = (None, None);
    for segment in memory.segments(&header, memory.segment_size())? {
        match segment.kind {
            PT_LOAD if bias.is_none() => bias = Some(segment.offset.wrapping_sub(segment.address)),
            PT_DYNAMIC => dynamic = Some(segment.offset),
            _ => {}
        }
    }
    let (Some(bias), Some(dynamic)) = (bias, dynamic) else {
        return Ok(Err("it finds no PT_LOAD or no PT_DYNAMIC".to_owned()));
    };
    let tables = Tables::of(&memory.tags(dynamic)?, bias);
    let (Some(strings), Some(symbols), Some(hash)) = (tables.strings, tables.symbols, tables.hash)
    else {
        return Ok(Err("it finds no DT_STRTAB, DT_SYMTAB or DT_HASH".to_owned()));
    };
    let find = |name: &Name| -> Read<Option<u64>> {
        let buckets = memory.entry(hash, 0)?;
        let chains = hash.wrapping_add(4 * (u64::from(buckets) + 2));
        let first = sysv(name.symbol).checked_rem(buckets).ok_or_else(no_buckets)?;
        let mut index = memory.entry(hash, 2 + u64::from(first))?;
        while index != 0 {
            let symbol = memory.symbol(symbols, index.into())?;
            if symbol.kind() == FUNC
                && [GLOBAL, WEAK].contains(&symbol.binding())
                && symbol.section != 0
                && memory.is_string(strings.wrapping_add(symbol.name.into()), name.symbol)?
                && is_version(memory, &tables, strings, index, name)?
            {
                return Ok(Some(memory.pointer(bias.wrapping_add(symbol.value))));
            }
            index = memory.entry(chains, index.into())?;
        }
        Ok(None)
    };
    Ok(Ok(names.iter().map(find).collect::<Read<_>>()?))
}

/// A division by zero.
pub(super) fn no_buckets() -> Fate {
    Fate::Crashes("it divides by the number of buckets, which is 0".to_owned())
}

fn is_version(
    memory: &Memory<'_>,
    tables: &Tables,
    strings: u64,
    index: u32,
    name: &Name,
) -> Read<bool> {
    let (Some(versions), Some(definitions)) = (tables.versions, tables.definitions) else {
        return Ok(true);
    };
    let version = memory.version_of(versions, index.into())?;
    let Some(at) = memory.definition_of(definitions, version)? else { return Ok(false) };
    Ok(memory.definition(at)?.hash == sysv(name.version)
        && memory.defines(at, strings, name.version)?)
}
