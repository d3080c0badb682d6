//! glibc: `elf/setup-vdso.h`, `elf/get-dynamic-info.h`, `elf/dl-setup_hash.c`, `elf/dl-lookup.c`
//! and `sysdeps/unix/sysv/linux/dl-vdso-setup.h`.
//!
//! The dynamic linker makes a library of the image before it loads any other, and looks each name
//! up at once. It asks for a version, but has not read the image's versions by then, and so takes
//! any. It reads them later, as those of every library (`elf/dl-version.c`). A program that is
//! linked statically does the same but for the last.
//!
//! # Invariants
//!
//! 1. Of tags of one kind the last counts; of `PT_LOAD`s the first whose address is not 0, up to
//!    2.42 (bug 32583).

use super::lookup::{gnu, sysv};
use super::memory::{Memory, Read};
use super::names::{Name, names};
use super::record::{BASE, Segment, Symbol, Tag, VERSION, last};
use super::{Fate, Found, Reader, Yields};
use crate::machine::Machine;
use goblin::elf::dynamic::{
    DT_GNU_HASH, DT_HASH, DT_JMPREL, DT_PLTGOT, DT_PLTREL, DT_RELA, DT_RELAENT, DT_SONAME,
    DT_STRTAB, DT_SYMTAB, DT_VERDEF, DT_VERNEED, DT_VERSYM,
};
use goblin::elf::program_header::{PF_W, PT_DYNAMIC, PT_LOAD, PT_TLS};

pub(super) const READER: Reader = Reader {
    name: "glibc",
    version: "2.36",
    absent: "makes the system call",
    yields: Yields::Function,
    is_tool: false,
    names: wanted,
    read,
};

/// `SHN_ABS`.
const ABSOLUTE: u16 = 0xfff1;
const DT_RELR: u64 = 36;
const DT_RELRENT: u64 = 37;

/// The names that the dynamic linker looks up.
pub(super) fn wanted(machine: &Machine) -> &'static [Name] {
    match machine.name {
        "x86-64" | "x32" => names!("LINUX_2.6": "__vdso_clock_gettime"
            "__vdso_gettimeofday" "__vdso_time" "__vdso_getcpu" "__vdso_clock_getres"),
        _ => super::names::all(machine),
    }
}

/// The image as a library.
pub(super) struct Library {
    /// What is added to the image's addresses.
    pub(super) bias: u64,
    /// Where the last `PT_LOAD` ends.
    pub(super) end: u64,
    pub(super) segments: Vec<Segment>,
    tags: Vec<Tag>,
}

fn read(memory: &Memory<'_>, names: &[Name]) -> Read<Found> {
    let library = load(memory)?;
    let find = |name: &Name| place(memory, &library, name.symbol);
    let found = names.iter().map(find).collect::<Read<_>>()?;
    check_versions(memory, &library)?;
    Ok(Ok(found))
}

/// Where a function is.
pub(super) fn place(memory: &Memory<'_>, library: &Library, name: &str) -> Read<Option<u64>> {
    let found = lookup(memory, library, name)?;
    Ok(found.map(|symbol| match symbol.section {
        ABSOLUTE => memory.absolute(symbol.value),
        _ => memory.pointer(library.bias.wrapping_add(symbol.value)),
    }))
}

/// Makes a library of the image; the dynamic linker does so for every program.
pub(super) fn load(memory: &Memory<'_>) -> Read<Library> {
    let header = memory.header()?;
    let segments = memory.segments(&header, memory.segment_size())?;
    let (mut first, mut end, mut dynamic, mut is_writable) = (0, 0, 0, true);
    for segment in &segments {
        match segment.kind {
            PT_DYNAMIC => {
                dynamic = segment.address;
                is_writable = segment.flags & PF_W != 0;
            }
            PT_LOAD => {
                if first == 0 {
                    first = segment.address;
                }
                end = u64::max(end, segment.address.wrapping_add(segment.size));
            }
            PT_TLS => return Err(aborts("there is no PT_TLS")),
            _ => {}
        }
    }
    let bias = 0_u64.wrapping_sub(first);
    let tags = memory.tags(bias.wrapping_add(dynamic))?;
    let moved = [
        DT_HASH,
        DT_PLTGOT,
        DT_STRTAB,
        DT_SYMTAB,
        DT_RELR,
        DT_JMPREL,
        DT_VERSYM,
        DT_GNU_HASH,
        DT_RELA,
    ];
    if is_writable && moved.iter().any(|tag| last(&tags, *tag).is_some()) {
        return Err(Fate::Crashes(
            "it writes addresses into the dynamic table, which no PT_DYNAMIC calls read-only"
                .to_owned(),
        ));
    }
    let library = Library { bias, end: bias.wrapping_add(end), segments, tags };
    presume_relocations(&library)?;
    setup_hash(memory, &library)?;
    if let Some(name) = last(&library.tags, DT_SONAME) {
        // It compares the name with those of the libraries that the program needs.
        memory.u8(library.table(DT_STRTAB)?.wrapping_add(name))?;
    }
    Ok(library)
}

/// Reads the version tables, which it does for each library once all are loaded, and before the
/// program begins.
pub(super) fn check_versions(memory: &Memory<'_>, library: &Library) -> Read<()> {
    let tag = |tag| last(&library.tags, tag);
    if tag(DT_STRTAB).is_none() {
        return Ok(());
    }
    if tag(DT_VERNEED).is_some() {
        memory.u16(library.table(DT_VERNEED)?)?;
        return Err(Fate::Aborts(
            "it looks for a library whose versions DT_VERNEED asks for".to_owned(),
        ));
    }
    if tag(DT_VERDEF).is_none() {
        return Ok(());
    }
    let (mut at, mut highest) = (library.table(DT_VERDEF)?, 0);
    loop {
        let definition = memory.definition(at)?;
        highest = u16::max(highest, definition.index & VERSION);
        // The second time it goes through them, to note their names.
        memory
            .u32(at.wrapping_add(definition.auxiliary.into()))
            .or_else(|fate| if definition.flags & BASE == 0 { Err(fate) } else { Ok(0) })?;
        if definition.next == 0 {
            break;
        }
        at = at.wrapping_add(definition.next.into());
    }
    if highest > 0 {
        library.table(DT_VERSYM)?;
    }
    Ok(())
}

fn aborts(what: &str) -> Fate {
    Fate::Aborts(format!("it asserts that {what}"))
}

impl Library {
    /// The table that a tag leads to; without the tag a null pointer is followed.
    fn table(&self, tag: u64) -> Read<u64> {
        let value = last(&self.tags, tag).ok_or_else(|| {
            let name = goblin::elf::dynamic::tag_to_str(tag);
            Fate::Crashes(format!("it presumes {name}, which is absent"))
        })?;
        Ok(self.bias.wrapping_add(value))
    }
}

fn presume_relocations(library: &Library) -> Read<()> {
    let tag = |tag| last(&library.tags, tag);
    if tag(DT_PLTREL).is_some_and(|kind| kind != DT_RELA) {
        return Err(aborts("DT_PLTREL is DT_RELA"));
    }
    for (table, size, wanted) in [(DT_RELA, DT_RELAENT, 24), (DT_RELR, DT_RELRENT, 8)] {
        if tag(table).is_none() {
            continue;
        }
        match tag(size) {
            None => {
                return Err(Fate::Crashes(
                    "it presumes the size of relocations, which is absent".to_owned(),
                ));
            }
            Some(size) if size != wanted => {
                return Err(aborts("relocations have the size of relocations"));
            }
            Some(_) => {}
        }
    }
    Ok(())
}

fn setup_hash(memory: &Memory<'_>, library: &Library) -> Read<()> {
    if last(&library.tags, DT_GNU_HASH).is_some() {
        let words = memory.entry(library.table(DT_GNU_HASH)?, 2)?;
        if words & words.wrapping_sub(1) != 0 {
            return Err(aborts("the filter of DT_GNU_HASH has a power of two of words"));
        }
    }
    Ok(())
}

/// The symbol of that name.
fn lookup(memory: &Memory<'_>, library: &Library, name: &str) -> Read<Option<Symbol>> {
    let is_gnu = last(&library.tags, DT_GNU_HASH).is_some();
    if !is_gnu && last(&library.tags, DT_HASH).is_none() {
        return Ok(None);
    }
    let table = library.table(if is_gnu { DT_GNU_HASH } else { DT_HASH })?;
    let buckets = memory.entry(table, 0)?;
    if buckets == 0 {
        return Ok(None);
    }
    let (symbols, strings) = (library.table(DT_SYMTAB)?, library.table(DT_STRTAB)?);
    let matching = |index: u64| -> Read<Option<Symbol>> {
        let symbol = memory.symbol(symbols, index)?;
        let is_one = is_definition(&symbol)
            && memory.is_string(strings.wrapping_add(symbol.name.into()), name)?;
        Ok(is_one.then_some(symbol))
    };
    let found = if is_gnu {
        by_gnu_hash(memory, table, buckets, name, matching)?
    } else {
        let mut index = memory.entry(table, 2 + u64::from(sysv(name) % buckets))?;
        loop {
            if index == 0 {
                break None;
            }
            if let Some(found) = matching(index.into())? {
                break Some(found);
            }
            index = memory.entry(table, 2 + u64::from(buckets) + u64::from(index))?;
        }
    };
    Ok(found.filter(is_visible))
}

fn by_gnu_hash(
    memory: &Memory<'_>,
    table: u64,
    buckets: u32,
    name: &str,
    matching: impl Fn(u64) -> Read<Option<Symbol>>,
) -> Read<Option<Symbol>> {
    let bits = 8 * memory.word_size() as u32;
    let (first, words) = (memory.entry(table, 1)?, memory.entry(table, 2)?);
    let shift = memory.entry(table, 3)?;
    let hash = gnu(name);
    let filter = table.wrapping_add(16);
    let index = u64::from((hash / bits) & words.wrapping_sub(1));
    let word = memory.word(filter.wrapping_add(memory.word_size() * index))?;
    // The processor takes the lowest bits of a distance.
    let second = hash >> (shift & 31);
    if word >> (hash % bits) & word >> (second % bits) & 1 == 0 {
        return Ok(None);
    }
    let buckets_at = filter.wrapping_add(memory.word_size() * u64::from(words));
    let mut index = u64::from(memory.entry(buckets_at, u64::from(hash % buckets))?);
    if index == 0 {
        return Ok(None);
    }
    let chains = buckets_at.wrapping_add(4 * u64::from(buckets)).wrapping_sub(4 * u64::from(first));
    loop {
        let other = memory.entry(chains, index)?;
        if (other ^ hash) >> 1 == 0 {
            // The number of a symbol has 32 bits.
            if let Some(found) = matching(index & u64::from(u32::MAX))? {
                return Ok(Some(found));
            }
        }
        if other & 1 != 0 {
            return Ok(None);
        }
        index += 1;
    }
}

fn is_definition(symbol: &Symbol) -> bool {
    /// `STT_NOTYPE`, `STT_OBJECT`, `STT_FUNC`, `STT_COMMON`, `STT_TLS`, `STT_GNU_IFUNC`.
    const KINDS: [u8; 6] = [0, 1, 2, 5, 6, 10];
    let has_value = symbol.value != 0 || symbol.section == ABSOLUTE || symbol.kind() == 6;
    has_value && KINDS.contains(&symbol.kind())
}

/// Neither local by binding nor by visibility.
fn is_visible(symbol: &Symbol) -> bool {
    /// `STB_GLOBAL`, `STB_WEAK`, `STB_GNU_UNIQUE`.
    const BINDINGS: [u8; 3] = [1, 2, 10];
    /// `STV_INTERNAL`, `STV_HIDDEN`.
    const LOCAL: [u8; 2] = [1, 2];
    BINDINGS.contains(&symbol.binding()) && !LOCAL.contains(&symbol.visibility())
}
