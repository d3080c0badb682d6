//! Go's runtime: `src/runtime/vdso_linux.go`.
//!
//! It asks before `main`. It takes the number of the version from the definitions once, and then
//! compares numbers. Without definitions it follows a null pointer.
//!
//! # Invariants
//!
//! 1. The first `PT_LOAD` and the last `PT_DYNAMIC` count.
//! 2. Slices are checked against the bounds that Go knows: those of `DT_HASH` are its own counts.

use super::lookup::{FUNC, GLOBAL, NOTYPE, Tables, WEAK, gnu, sysv};
use super::memory::{Memory, Read};
use super::names::{Name, names};
use super::record::{BASE, VERSION};
use super::{Fate, Found, Reader, Yields};
use crate::machine::Machine;
use goblin::elf::program_header::{PT_DYNAMIC, PT_LOAD};

pub(super) const READER: Reader = Reader {
    name: "Go",
    version: "1.19.8",
    absent: "makes the system call",
    yields: Yields::Function,
    is_tool: false,
    names: wanted,
    read,
};

fn wanted(machine: &Machine) -> &'static [Name] {
    match machine.name {
        "x86-64" => names!("LINUX_2.6": "__vdso_gettimeofday" "__vdso_clock_gettime"),
        "i386" | "arm" => names!("LINUX_2.6": "__vdso_clock_gettime"),
        "arm64" => names!("LINUX_2.6.39": "__kernel_clock_gettime"),
        "riscv64" => names!("LINUX_4.15": "__vdso_clock_gettime"),
        // Go has no programs with 32-bit pointers for x86-64.
        _ => &[],
    }
}

/// What the runtime keeps of an image.
struct Info {
    bias: u64,
    strings: u64,
    symbols: u64,
    buckets_at: u64,
    buckets: u32,
    chains_at: u64,
    /// Bound of the chains, none for `DT_GNU_HASH`.
    chains: Option<u32>,
    first_symbol: u32,
    versions: Option<u64>,
}

fn read(memory: &Memory<'_>, names: &[Name]) -> Read<Found> {
    let header = memory.header()?;
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
    let hash = tables.gnu_hash.or(tables.hash);
    let (Some(strings), Some(symbols), Some(hash)) = (tables.strings, tables.symbols, hash) else {
        return Ok(Err("it finds no DT_STRTAB, no DT_SYMTAB or no hash table".to_owned()));
    };
    let buckets = memory.entry(hash, 0)?;
    let second = memory.entry(hash, 1)?;
    let mut info = Info {
        bias,
        strings,
        symbols,
        buckets_at: hash.wrapping_add(8),
        buckets,
        chains_at: hash.wrapping_add(4 * (2 + u64::from(buckets))),
        chains: Some(second),
        first_symbol: 0,
        versions: tables.versions.filter(|_| tables.definitions.is_some()),
    };
    if tables.gnu_hash.is_some() {
        let scale = (memory.word_size() / 4) as u32;
        let filter = memory.entry(hash, 2)?.wrapping_mul(scale).wrapping_add(4);
        info.buckets_at = hash.wrapping_add(4 * u64::from(filter));
        info.chains_at = hash.wrapping_add(4 * u64::from(filter.wrapping_add(buckets)));
        info.chains = None;
        info.first_symbol = second;
    } else if 2_u32.wrapping_add(buckets) < 2
        || 2_u32.wrapping_add(buckets).wrapping_add(second) < 2 + buckets
    {
        return Err(panic("the counts of DT_HASH"));
    }
    let Some(definitions) = tables.definitions else {
        return Err(Fate::Crashes("it reads version definitions, which are absent".to_owned()));
    };
    let version = version(memory, definitions, strings, names[0].version)?;
    Ok(Ok(names.iter().map(|name| find(memory, &info, version, name)).collect::<Read<_>>()?))
}

/// A failed check of an index, before the runtime can report one.
fn panic(what: &str) -> Fate {
    Fate::Crashes(format!("{what} lead out of the slice that it made of the table"))
}

/// Whether a string is `text`; the runtime measures a string before it compares.
fn is_string(memory: &Memory<'_>, at: u64, text: &str) -> Read<bool> {
    let len = memory.string_len(at)?;
    Ok(len == text.len() as u64 && memory.is_string(at, text)?)
}

/// The number of the version, none if no definition has its name.
fn version(memory: &Memory<'_>, first: u64, strings: u64, name: &str) -> Read<Option<u16>> {
    let mut at = first;
    loop {
        let definition = memory.definition(at)?;
        if definition.flags & BASE == 0 {
            let auxiliary = memory.u32(at.wrapping_add(definition.auxiliary.into()))?;
            if definition.hash == sysv(name)
                && is_string(memory, strings.wrapping_add(auxiliary.into()), name)?
            {
                return Ok(Some(definition.index & VERSION));
            }
        }
        if definition.next == 0 {
            return Ok(None);
        }
        at = at.wrapping_add(definition.next.into());
    }
}

fn find(memory: &Memory<'_>, info: &Info, version: Option<u16>, name: &Name) -> Read<Option<u64>> {
    if let Some(chains) = info.chains {
        if info.buckets == 0 {
            return Ok(None);
        }
        let bucket = sysv(name.symbol) % info.buckets;
        let mut index = memory.entry(info.buckets_at, bucket.into())?;
        while index != 0 {
            if let Some(place) = apply(memory, info, version, name, index)? {
                return Ok(Some(place));
            }
            if index >= chains {
                return Err(panic("a chain's index"));
            }
            index = memory.entry(info.chains_at, index.into())?;
        }
        return Ok(None);
    }
    let hash = gnu(name.symbol);
    let bucket = hash.checked_rem(info.buckets).ok_or_else(super::parse_vdso::no_buckets)?;
    let mut index = memory.entry(info.buckets_at, bucket.into())?;
    if index < info.first_symbol {
        return Ok(None);
    }
    loop {
        let other = memory.entry(info.chains_at, index.wrapping_sub(info.first_symbol).into())?;
        if other | 1 == hash | 1
            && let Some(place) = apply(memory, info, version, name, index)?
        {
            return Ok(Some(place));
        }
        if other & 1 != 0 {
            return Ok(None);
        }
        index = index.wrapping_add(1);
    }
}

/// The symbol's address, if it is the one.
fn apply(
    memory: &Memory<'_>,
    info: &Info,
    version: Option<u16>,
    name: &Name,
    index: u32,
) -> Read<Option<u64>> {
    let symbol = memory.symbol(info.symbols, index.into())?;
    if ![FUNC, NOTYPE].contains(&symbol.kind())
        || ![GLOBAL, WEAK].contains(&symbol.binding())
        || symbol.section == 0
        || !is_string(memory, info.strings.wrapping_add(symbol.name.into()), name.symbol)?
    {
        return Ok(None);
    }
    if let Some(versions) = info.versions.filter(|_| version != Some(0))
        && Some(memory.version_of(versions, index.into())? & VERSION) != version
    {
        return Ok(None);
    }
    Ok(Some(memory.pointer(info.bias.wrapping_add(symbol.value))))
}
