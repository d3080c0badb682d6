//! CRIU: `criu/pie/util-vdso.c`.
//!
//! When it restores a process it compares the vDSO that the process had with the kernel's, and
//! leads each function of the old one to the new. It asks for every name that either might have,
//! and an absent one does no harm. It stays inside the mapping almost everywhere.
//!
//! # Invariants
//!
//! 1. There is one `PT_LOAD` and one `PT_DYNAMIC`.

use super::lookup::{FUNC, GLOBAL, gnu, sysv};
use super::memory::{Memory, Read};
use super::names::{Name, names};
use super::parse_vdso::no_buckets;
use super::record::{Segment, Tag, last};
use super::{Found, Reader, Yields};
use crate::machine::Machine;
use goblin::elf::dynamic::{DT_GNU_HASH, DT_HASH, DT_STRSZ, DT_STRTAB, DT_SYMENT, DT_SYMTAB};
use goblin::elf::program_header::{PT_DYNAMIC, PT_LOAD};

pub(super) const READER: Reader = Reader {
    name: "CRIU",
    version: "4.2",
    absent: "does not lead this function of a restored process to the kernel's",
    yields: Yields::Function,
    is_tool: false,
    names: wanted,
    read,
};

/// Bytes of a name that are compared.
const NAME: u64 = 31;

fn wanted(machine: &Machine) -> &'static [Name] {
    match machine.name {
        "x86-64" | "i386" => names!("": "__vdso_clock_gettime" "__vdso_getcpu"
            "__vdso_gettimeofday" "__vdso_time" "__kernel_vsyscall" "__kernel_sigreturn"
            "__kernel_rt_sigreturn"),
        "arm64" => names!("": "__kernel_clock_getres" "__kernel_clock_gettime"
            "__kernel_gettimeofday" "__kernel_rt_sigreturn"),
        "arm" => names!("": "__vdso_clock_gettime" "__vdso_gettimeofday"),
        // CRIU has no x32, and its RISC-V names are not modelled.
        _ => &[],
    }
}

/// What the reader keeps of an image.
struct Table {
    load: Segment,
    strings: u64,
    symbols: u64,
    hash: u64,
    is_gnu: bool,
}

fn read(memory: &Memory<'_>, names: &[Name]) -> Read<Found> {
    match prepare(memory)? {
        Ok(table) => {
            let find = |name: &Name| find(memory, &table, name.symbol);
            Ok(Ok(names.iter().map(find).collect::<Read<_>>()?))
        }
        Err(why) => Ok(Err(why.to_owned())),
    }
}

/// Whether `len` bytes lie in the mapping.
fn holds(memory: &Memory<'_>, at: u64, len: u64) -> bool {
    at < memory.len() && at.wrapping_add(len - 1) < memory.len()
}

fn prepare(memory: &Memory<'_>) -> Read<Result<Table, &'static str>> {
    let ident = memory.u64(0)?;
    // The magic number, the class, the byte order, the version; OS ABIs 0 and Linux's.
    let class = if memory.is_wide { 2 } else { 1 };
    let wanted = 0x464c_457f | class << 32 | 1 << 40 | 1 << 48;
    if ident & 0x00ff_ffff_ffff_ffff != wanted || ![0, 3].contains(&(ident >> 56)) {
        return Ok(Err("the file's first bytes are not those that it knows"));
    }
    let header = memory.header()?;
    let (mut load, mut dynamic) = (None, None);
    for index in 0..u64::from(header.segments) {
        let at = header.segments_at.wrapping_add(index * memory.segment_size());
        if !holds(memory, at, memory.segment_size()) {
            return Ok(Err("a program header lies outside the mapping"));
        }
        let segment = memory.segment(at)?;
        let place = match segment.kind {
            PT_LOAD => &mut load,
            PT_DYNAMIC => &mut dynamic,
            _ => continue,
        };
        if place.replace(segment).is_some() {
            return Ok(Err("there is a second PT_LOAD or PT_DYNAMIC"));
        }
    }
    let (Some(load), Some(dynamic)) = (load, dynamic) else {
        return Ok(Err("it finds no PT_LOAD or no PT_DYNAMIC"));
    };
    let Some(tags) = tags(memory, &dynamic)? else {
        return Ok(Err("an entry of the dynamic table lies outside the mapping"));
    };
    let tag = |tag| last(&tags, tag);
    let (Some(strings), Some(symbols), Some(_), Some(_), Some(hash)) = (
        tag(DT_STRTAB),
        tag(DT_SYMTAB),
        tag(DT_STRSZ),
        tag(DT_SYMENT),
        tag(DT_HASH).or(tag(DT_GNU_HASH)),
    ) else {
        return Ok(Err(
            "it lacks one of DT_STRTAB, DT_SYMTAB, DT_STRSZ, DT_SYMENT and a hash table",
        ));
    };
    let moved = |value: u64| value.wrapping_sub(load.address);
    let (strings, hash) = (moved(strings), moved(hash));
    if !holds(memory, strings, 1) || !holds(memory, hash, 4) {
        return Ok(Err("DT_STRTAB or the hash table lies outside the mapping"));
    }
    let is_gnu = tag(DT_HASH).is_none();
    Ok(Ok(Table { load, strings, symbols: moved(symbols), hash, is_gnu }))
}

fn tags(memory: &Memory<'_>, dynamic: &Segment) -> Read<Option<Vec<Tag>>> {
    let mut tags = Vec::new();
    if !holds(memory, dynamic.offset, 1) {
        return Ok(None);
    }
    for index in 0..dynamic.file_size / memory.tag_size() {
        let at = dynamic.offset.wrapping_add(index * memory.tag_size());
        if !holds(memory, at, memory.tag_size()) {
            return Ok(None);
        }
        let tag = memory.tag(at)?;
        if tag.tag == 0 {
            break;
        }
        tags.push(tag);
    }
    Ok(Some(tags))
}

fn find(memory: &Memory<'_>, table: &Table, name: &str) -> Read<Option<u64>> {
    let value = if table.is_gnu {
        by_gnu_hash(memory, table, name)?
    } else {
        by_hash(memory, table, name)?
    };
    // A symbol's value of 0 is one that was not found.
    let value = value.filter(|value| *value != 0);
    Ok(value.map(|value| value.wrapping_sub(table.load.address)))
}

fn by_hash(memory: &Memory<'_>, table: &Table, name: &str) -> Read<Option<u64>> {
    let (buckets, chains) = (memory.entry(table.hash, 0)?, memory.entry(table.hash, 1)?);
    let bucket = sysv(name).checked_rem(buckets).ok_or_else(no_buckets)?;
    let mut index = memory.entry(table.hash, 2 + u64::from(bucket))?;
    while index != 0 && index < chains {
        if let Some(value) = value(memory, table, index, name)? {
            return Ok(Some(value));
        }
        index = memory.entry(table.hash, 2 + u64::from(buckets) + u64::from(index))?;
    }
    Ok(None)
}

fn by_gnu_hash(memory: &Memory<'_>, table: &Table, name: &str) -> Read<Option<u64>> {
    let entry = |index: u64| memory.entry(table.hash, index);
    let (buckets, first) = (entry(0)?, entry(1)?);
    let buckets_at = 4 + u64::from(entry(2)?) * memory.word_size() / 4;
    let hash = gnu(name);
    let bucket = hash.checked_rem(buckets).ok_or_else(no_buckets)?;
    let mut index = entry(buckets_at.wrapping_add(bucket.into()))?;
    if index == 0 {
        return Ok(None);
    }
    let mut chain = buckets_at + u64::from(buckets) + u64::from(index.wrapping_sub(first));
    loop {
        let other = entry(chain)?;
        if other | 1 == hash | 1
            && let Some(value) = value(memory, table, index, name)?
        {
            return Ok(Some(value));
        }
        if other & 1 != 0 {
            return Ok(None);
        }
        (index, chain) = (index.wrapping_add(1), chain + 1);
    }
}

/// The symbol's value, if it has the name.
fn value(memory: &Memory<'_>, table: &Table, index: u32, name: &str) -> Read<Option<u64>> {
    let at = table.symbols.wrapping_add(u64::from(index) * memory.symbol_size());
    if !holds(memory, at, memory.symbol_size()) {
        return Ok(None);
    }
    let symbol = memory.symbol(table.symbols, index.into())?;
    let at = table.strings.wrapping_add(symbol.name.into());
    if symbol.kind() != FUNC && symbol.binding() != GLOBAL || !holds(memory, at, NAME) {
        return Ok(None);
    }
    Ok(memory.is_string(at, name)?.then_some(symbol.value))
}
