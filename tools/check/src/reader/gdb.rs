//! gdb, which reads the image out of a process or core file by BFD: `bfd/elfcode.h`,
//! `gdb/symfile-mem.c` and `gdb/elfread.c`.
//!
//! BFD makes a file of the mapping. gdb then takes symbols from sections, so an image whose section
//! headers are not in the mapping has no names in a backtrace.
//!
//! # Invariants
//!
//! 1. What BFD refuses harms no process: the debugger continues without the image.

use super::lookup::FUNC;
use super::memory::{Memory, Read};
use super::names::{Name, all};
use super::record::{Header, Section, Segment, VERSION};
use super::{Found, Reader, Yields};
use goblin::elf::program_header::PT_LOAD;
use goblin::elf::section_header::{SHT_DYNSYM, SHT_GNU_VERDEF, SHT_STRTAB, SHT_SYMTAB};

pub(super) const READER: Reader = Reader {
    name: "gdb and BFD",
    version: "13.1",
    absent: "shows the function without a name",
    yields: Yields::Function,
    is_tool: true,
    names: all,
    read,
};

/// Bytes of the largest page that BFD takes a segment to fill (`minpagesize`).
const PAGE: u64 = 4096;

/// `STT_SECTION` and `STT_FILE`.
const SECTION: u8 = 3;
const FILE: u8 = 4;

fn read(memory: &Memory<'_>, names: &[Name]) -> Read<Found> {
    let file = match file(memory)? {
        Ok(file) => file,
        Err(why) => return Ok(Err(why.to_owned())),
    };
    // A file with a full symbol table needs no dynamic symbols.
    let table = file.sections.iter().find(|section| section.kind == SHT_SYMTAB);
    let (table, is_dynamic) = match table {
        Some(table) => (Some(table), false),
        None => (file.sections.iter().rev().find(|section| section.kind == SHT_DYNSYM), true),
    };
    let Some(table) = table else {
        return Ok(Err("it finds no symbol table by section headers".to_owned()));
    };
    let strings = file.sections.get(table.link as usize).filter(|one| one.kind == SHT_STRTAB);
    let Some(strings) = strings else {
        return Ok(Err("the symbol table leads to no string table".to_owned()));
    };
    if table.entry_size != memory.symbol_size() {
        return Ok(Err("the symbol table has entries of another size".to_owned()));
    }
    if is_dynamic && !has_versions(memory, &file)? {
        return Ok(Err("the version definitions lead out of their section".to_owned()));
    }
    let mut found = vec![None; names.len()];
    for index in 1..table.size / memory.symbol_size() {
        let symbol = memory.symbol(table.offset, index)?;
        for (name, place) in names.iter().zip(&mut found).filter(|(_, place)| place.is_none()) {
            // A function that is undefined, but has a value, is where a program's own calls go.
            let is_place = symbol.section != 0 || symbol.kind() == FUNC && symbol.value != 0;
            let is_one = is_place
                && ![SECTION, FILE].contains(&symbol.kind())
                && u64::from(symbol.name) < strings.size
                && memory
                    .is_string(strings.offset.wrapping_add(symbol.name.into()), name.symbol)?;
            if is_one {
                *place = Some(memory.pointer(file.bias.wrapping_add(symbol.value)));
            }
        }
    }
    Ok(Ok(found))
}

/// What BFD makes of the mapping.
struct File {
    bias: u64,
    sections: Vec<Section>,
}

fn file(memory: &Memory<'_>) -> Read<Result<File, &'static str>> {
    let class = if memory.is_wide { 2 } else { 1 };
    if memory.u32(0)? != 0x464c_457f
        || memory.u8(4)? != class
        || memory.u8(5)? != 1
        || memory.u8(6)? != 1
    {
        return Ok(Err("the file's first bytes are not those that it knows"));
    }
    let header = memory.header()?;
    if u64::from(header.segment_size) != memory.segment_size() || header.segments == 0 {
        return Ok(Err("it has no program headers of the right size"));
    }
    let end = u64::from(header.segments) * memory.segment_size();
    if !is_mapped(memory, header.segments_at, end) {
        return Ok(Err("a program header lies outside the mapping"));
    }
    let segments = memory.segments(&header, memory.segment_size())?;
    let (bias, size) = match extent(memory, &header, &segments) {
        Ok(extent) => extent,
        Err(why) => return Ok(Err(why)),
    };
    let sections = match sections(memory, &header, size)? {
        Ok(sections) => sections,
        Err(why) => return Ok(Err(why)),
    };
    Ok(Ok(File { bias, sections }))
}

fn is_mapped(memory: &Memory<'_>, at: u64, len: u64) -> bool {
    at < memory.len() && len <= memory.len() - at
}

/// The bias of addresses, and how much of the mapping is the file.
fn extent(
    memory: &Memory<'_>,
    header: &Header,
    segments: &[Segment],
) -> Result<(u64, u64), &'static str> {
    let loads = || segments.iter().filter(|segment| segment.kind == PT_LOAD);
    let mut high = 0;
    let mut last = None;
    for segment in loads() {
        let end = segment.offset.wrapping_add(segment.file_size);
        if end > high {
            (high, last) = (end, Some(segment));
        }
    }
    let last = last.ok_or("it finds no PT_LOAD")?;
    let mask = |segment: &Segment| match segment.alignment {
        0 | 1 => u64::MAX,
        alignment => alignment.wrapping_neg(),
    };
    let first = loads().find(|segment| segment.offset & mask(segment) == 0);
    let bias = first.map_or(0, |first| 0_u64.wrapping_sub(first.address & mask(first)));
    let headers = u64::from(header.sections) * u64::from(header.section_size);
    if header.sections_at != 0 && headers != 0 && last.file_size == last.size {
        let headers_end = header.sections_at.wrapping_add(headers);
        if memory.len() >= headers_end {
            high = memory.len();
        } else if headers_end > high
            && high.checked_next_multiple_of(PAGE).is_some_and(|end| end >= headers_end)
        {
            high = headers_end;
        }
    }
    for segment in loads() {
        let (mut at, mut start) = (bias.wrapping_add(segment.address), segment.offset);
        if first.is_some_and(|first| std::ptr::eq(first, segment)) {
            (at, start) = (at.wrapping_sub(start), 0);
        }
        let end = if std::ptr::eq(last, segment) {
            high
        } else {
            segment.offset.wrapping_add(segment.file_size)
        };
        if !is_mapped(memory, at, end.wrapping_sub(start)) {
            return Err("a PT_LOAD reaches beyond the mapping");
        }
    }
    Ok((bias, high))
}

fn sections(
    memory: &Memory<'_>,
    header: &Header,
    size: u64,
) -> Read<Result<Vec<Section>, &'static str>> {
    let len = u64::from(header.sections) * memory.section_size();
    if header.sections == 0 {
        return Ok(if header.names == 0 {
            Ok(Vec::new())
        } else {
            Err("it has no section headers")
        });
    }
    // Section headers that are not in the mapping are taken out of the file's header.
    if header.sections_at.checked_add(len).is_none_or(|end| end > size) {
        return Ok(Ok(Vec::new()));
    }
    if u64::from(header.section_size) != memory.section_size() || header.sections_at < 64 {
        return Ok(Err("the section headers have another size or place"));
    }
    let place = |index: u64| header.sections_at + index * memory.section_size();
    let sections = (0..header.sections.into()).map(|index| memory.section(place(index)));
    let sections: Vec<Section> = sections.collect::<Read<_>>()?;
    let is_lost = |section: &Section| {
        section.link as usize >= sections.len() && !(0xff00..=0xff01).contains(&section.link)
    };
    if sections.iter().skip(1).any(is_lost) {
        return Ok(Err("a section header leads to a section that is not there"));
    }
    Ok(Ok(sections))
}

/// Whether BFD can read the version definitions; without them it reads no dynamic symbols.
fn has_versions(memory: &Memory<'_>, file: &File) -> Read<bool> {
    /// Bytes of a definition, and of the record of its name.
    const DEFINITION: u64 = 20;
    const NAME: u64 = 8;
    let section = file.sections.iter().rev().find(|section| section.kind == SHT_GNU_VERDEF);
    let Some(section) = section else { return Ok(true) };
    let Some(last) = section.size.checked_sub(DEFINITION) else { return Ok(false) };
    let mut at = 0;
    for _ in 0..section.info {
        let definition = memory.definition(section.offset.wrapping_add(at))?;
        let (name, next) = (u64::from(definition.auxiliary), u64::from(definition.next));
        if definition.index & VERSION == 0
            || next > last.saturating_sub(at)
            || name > (section.size - NAME).saturating_sub(at)
        {
            return Ok(false);
        }
        if next == 0 {
            break;
        }
        at += next;
    }
    Ok(true)
}
