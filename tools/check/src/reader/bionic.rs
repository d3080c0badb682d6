//! bionic: `libc/bionic/vdso.cpp`.
//!
//! It takes the number of symbols from the section headers and then looks at all of them, so it
//! does without an image that has none. This model was written from the source alone: bionic does
//! not run where the tests run.
//!
//! # Invariants
//!
//! 1. Of everything that there is more than once, the last counts.

use super::lookup::Tables;
use super::memory::{Memory, Read};
use super::names::{Name, names};
use super::{Found, Reader, Yields};
use crate::machine::Machine;
use goblin::elf::program_header::{PT_DYNAMIC, PT_LOAD};
use goblin::elf::section_header::SHT_DYNSYM;

pub(super) const READER: Reader = Reader {
    name: "bionic",
    version: "from its source alone",
    absent: "makes the system call",
    yields: Yields::Function,
    is_tool: false,
    names: wanted,
    read,
};

fn wanted(machine: &Machine) -> &'static [Name] {
    match machine.name {
        "x86-64" => names!("": "__vdso_clock_gettime" "__vdso_clock_getres"
            "__vdso_gettimeofday" "__vdso_time"),
        "i386" | "arm" => names!("": "__vdso_clock_gettime" "__vdso_gettimeofday"),
        "arm64" => names!("": "__kernel_clock_gettime" "__kernel_clock_getres"
            "__kernel_gettimeofday"),
        "riscv64" => names!("": "__vdso_clock_gettime" "__vdso_clock_getres"
            "__vdso_gettimeofday"),
        // Android has no programs with 32-bit pointers for x86-64.
        _ => &[],
    }
}

fn read(memory: &Memory<'_>, names: &[Name]) -> Read<Found> {
    let header = memory.header()?;
    let mut count = 0;
    for index in 0..u64::from(header.sections) {
        let at = header.sections_at.wrapping_add(index * memory.section_size());
        let section = memory.section(at)?;
        if section.kind == SHT_DYNSYM {
            count = section.size / memory.symbol_size();
        }
    }
    if count == 0 {
        return Ok(Err("it finds no symbols by the section headers".to_owned()));
    }
    let (mut bias, mut dynamic) = (None, None);
    for segment in memory.segments(&header, memory.segment_size())? {
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
    let (Some(strings), Some(symbols)) = (tables.strings, tables.symbols) else {
        return Ok(Err("it finds no DT_STRTAB or no DT_SYMTAB".to_owned()));
    };
    let mut found = vec![None; names.len()];
    for index in 0..count {
        let symbol = memory.symbol(symbols, index)?;
        for (name, place) in names.iter().zip(&mut found) {
            if memory.is_string(strings.wrapping_add(symbol.name.into()), name.symbol)? {
                *place = Some(memory.pointer(bias.wrapping_add(symbol.value)));
            }
        }
    }
    Ok(Ok(found))
}
