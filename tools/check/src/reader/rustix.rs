//! rustix: `src/backend/linux_raw/vdso.rs`.
//!
//! It follows the kernel's reference parser, reads `DT_GNU_HASH` as well, does without an image
//! whose tables lie at odd places, and asserts that a function lies in the image.
//!
//! # Invariants
//!
//! 1. The first `PT_LOAD` and the last `PT_DYNAMIC` count.

use super::lookup::{FUNC, GLOBAL, NOTYPE, Tables, WEAK, gnu, sysv};
use super::memory::{Memory, Read};
use super::names::{Name, names};
use super::record::{BASE, Tag, VERSION};
use super::{Fate, Found, Reader, Yields};
use crate::machine::Machine;
use goblin::elf::dynamic::{
    DT_GNU_HASH, DT_HASH, DT_STRTAB, DT_SYMENT, DT_SYMTAB, DT_VERDEF, DT_VERSYM,
};
use goblin::elf::program_header::{PF_R, PF_X, PT_DYNAMIC, PT_GNU_RELRO, PT_INTERP, PT_LOAD};

pub(super) const READER: Reader = Reader {
    name: "rustix",
    version: "1.1.6",
    absent: "makes the system call",
    yields: Yields::Function,
    is_tool: false,
    names: wanted,
    read,
};

fn wanted(machine: &Machine) -> &'static [Name] {
    match machine.name {
        "x86-64" => names!("LINUX_2.6": "__vdso_clock_gettime" "__vdso_getcpu"),
        "i386" => names!("LINUX_2.6": "__vdso_clock_gettime64" "__vdso_getcpu"),
        "arm" => names!("LINUX_2.6": "__vdso_clock_gettime64"),
        "arm64" => names!("LINUX_2.6.39": "__kernel_clock_gettime"),
        "riscv64" => names!("LINUX_4.15": "__vdso_clock_gettime" "__vdso_getcpu"),
        // rustix calls the C library there.
        _ => &[],
    }
}

/// What the reader keeps of an image.
struct Vdso {
    bias: u64,
    end: u64,
    tables: Tables,
    strings: u64,
    symbols: u64,
    hash: u64,
}

fn read(memory: &Memory<'_>, names: &[Name]) -> Read<Found> {
    match prepare(memory)? {
        Ok(vdso) => {
            Ok(Ok(names.iter().map(|name| find(memory, &vdso, name)).collect::<Read<_>>()?))
        }
        Err(why) => Ok(Err(why.to_owned())),
    }
}

fn prepare(memory: &Memory<'_>) -> Read<Result<Vdso, &'static str>> {
    let header = memory.header()?;
    let (mut load, mut dynamic) = (None, None);
    if !is_pointer(memory, header.segments_at, memory.word_size()) {
        return Ok(Err("the program headers are not aligned"));
    }
    for at in 0..u64::from(header.segments) {
        let at = header.segments_at.wrapping_add(at * memory.segment_size());
        let segment = memory.segment(at)?;
        match segment.kind {
            PT_LOAD if load.is_none() => {
                if segment.flags & (PF_R | PF_X) != PF_R | PF_X {
                    return Ok(Err("its first PT_LOAD is not readable and executable"));
                }
                let end = segment.offset.checked_add(segment.size);
                if end.is_none_or(|end| !is_pointer(memory, end, 1)) {
                    return Ok(Err("its first PT_LOAD has no end"));
                }
                load = Some(segment);
            }
            PT_DYNAMIC => {
                if segment.offset < if memory.is_wide { 64 } else { 52 } {
                    return Ok(Err("PT_DYNAMIC overlaps the ELF header"));
                }
                if !is_pointer(memory, segment.offset, memory.word_size()) {
                    return Ok(Err("PT_DYNAMIC is not aligned"));
                }
                dynamic = Some((segment.offset, segment.size / memory.tag_size()));
            }
            PT_INTERP | PT_GNU_RELRO => {
                return Ok(Err("it has a PT_INTERP or a PT_GNU_RELRO, like a program"));
            }
            _ => {}
        }
    }
    let (Some(load), Some((dynamic, count))) = (load, dynamic) else {
        return Ok(Err("it finds no PT_LOAD or no PT_DYNAMIC"));
    };
    let mut tags: Vec<Tag> = Vec::new();
    loop {
        if tags.len() as u64 == count {
            return Ok(Err("the dynamic table has no end mark inside PT_DYNAMIC"));
        }
        let tag = memory.tag(dynamic.wrapping_add(tags.len() as u64 * memory.tag_size()))?;
        match tag.tag {
            DT_SYMENT if tag.value != memory.symbol_size() => {
                return Ok(Err("DT_SYMENT is not the size of a symbol"));
            }
            0 => break,
            _ => tags.push(tag),
        }
    }
    let bias = load.offset.wrapping_sub(load.address);
    if tags.iter().any(|tag| is_astray(memory, *tag, bias)) {
        return Ok(Err("a table is not aligned, or in front of the image"));
    }
    let tables = Tables::of(&tags, bias);
    let hash = tables.gnu_hash.or(tables.hash);
    let (Some(strings), Some(symbols), Some(hash)) = (tables.strings, tables.symbols, hash) else {
        return Ok(Err("it finds no DT_STRTAB, no DT_SYMTAB or no hash table"));
    };
    let end = load.offset.wrapping_add(load.size);
    Ok(Ok(Vdso { bias, end, tables, strings, symbols, hash }))
}

/// Whether an address can be one: it does not wrap, and is aligned.
fn is_pointer(memory: &Memory<'_>, address: u64, alignment: u64) -> bool {
    let is_behind = if memory.is_wide { address.cast_signed() >= 0 } else { address < 1 << 31 };
    is_behind && address.is_multiple_of(alignment)
}

fn is_astray(memory: &Memory<'_>, tag: Tag, bias: u64) -> bool {
    let alignment = match tag.tag {
        DT_STRTAB => 1,
        DT_VERSYM => 2,
        DT_HASH | DT_GNU_HASH | DT_VERDEF => 4,
        DT_SYMTAB => memory.word_size(),
        _ => return false,
    };
    !is_pointer(memory, memory.pointer(tag.value.wrapping_add(bias)), alignment)
}

fn find(memory: &Memory<'_>, vdso: &Vdso, name: &Name) -> Read<Option<u64>> {
    let buckets = memory.entry(vdso.hash, 0)?;
    let bucket = |hash: u32| hash.checked_rem(buckets).ok_or_else(panics);
    if vdso.tables.gnu_hash.is_none() {
        let bucket = bucket(sysv(name.symbol))?;
        let mut index = memory.entry(vdso.hash, 2 + u64::from(bucket))?;
        while index != 0 {
            let symbol = memory.symbol(vdso.symbols, index.into())?;
            if symbol.section != 0 && is_one(memory, vdso, name, index)? {
                return place(memory, vdso, symbol.value);
            }
            index = memory.entry(vdso.hash, 2 + u64::from(buckets) + u64::from(index))?;
        }
        return Ok(None);
    }
    let hash = gnu(name.symbol);
    let filter = u64::from(memory.entry(vdso.hash, 2)?) * (memory.word_size() / 4);
    let buckets_at = vdso.hash.wrapping_add(4 * (4 + filter));
    let mut index = memory.entry(buckets_at, bucket(hash)?.into())?;
    if index == 0 {
        return Ok(None);
    }
    let first = index.wrapping_sub(memory.entry(vdso.hash, 1)?);
    let mut chain = u64::from(buckets) + u64::from(first);
    loop {
        let other = memory.entry(buckets_at, chain)?;
        if other | 1 == hash | 1 && is_one(memory, vdso, name, index)? {
            return place(memory, vdso, memory.symbol(vdso.symbols, index.into())?.value);
        }
        if other & 1 != 0 {
            return Ok(None);
        }
        (index, chain) = (index.wrapping_add(1), chain + 1);
    }
}

/// The remainder of a division by zero.
fn panics() -> Fate {
    Fate::Aborts("it divides by the number of buckets, which is 0, and panics".to_owned())
}

fn place(memory: &Memory<'_>, vdso: &Vdso, value: u64) -> Read<Option<u64>> {
    let place = memory.pointer(vdso.bias.wrapping_add(value));
    if place <= vdso.end {
        return Ok(Some(place));
    }
    Err(Fate::Aborts(format!("it asserts that a function, at {place:#x}, lies in the image")))
}

/// Whether it is the symbol that is looked for.
fn is_one(memory: &Memory<'_>, vdso: &Vdso, name: &Name, index: u32) -> Read<bool> {
    let symbol = memory.symbol(vdso.symbols, index.into())?;
    if ![FUNC, NOTYPE].contains(&symbol.kind())
        || ![GLOBAL, WEAK].contains(&symbol.binding())
        || !memory.is_string(vdso.strings.wrapping_add(symbol.name.into()), name.symbol)?
    {
        return Ok(false);
    }
    let (Some(versions), Some(first)) = (vdso.tables.versions, vdso.tables.definitions) else {
        return Ok(true);
    };
    let version = memory.version_of(versions, index.into())? & VERSION;
    let mut at = first;
    loop {
        let definition = memory.definition(at)?;
        if definition.version != 1 {
            return Ok(false);
        }
        if definition.flags & BASE == 0 && definition.index & VERSION == version {
            return Ok(definition.hash == sysv(name.version)
                && memory.defines(at, vdso.strings, name.version)?);
        }
        if definition.next == 0 {
            return Ok(false);
        }
        at = at.wrapping_add(definition.next.into());
    }
}
