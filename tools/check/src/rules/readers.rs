//! A second reader: the object crate has to see the same as goblin.
//!
//! The two share no code. If they disagree about an image, programs do, too.
//!
//! # Invariants
//!
//! 1. Headers, section and dynamic symbol tables are compared in full; the rule refuses if it
//!    compared none.

use crate::demand;
use crate::image::Image;
use crate::machine::Class;
use crate::rule::{Rule, Scope, Severity};
use crate::subject::Subject;
use crate::verdict::{Verdict, demand};
use object::elf::{FileHeader32, FileHeader64};
use object::read::elf::{FileHeader, ProgramHeader as _, SectionHeader as _, Sym as _};
use object::{Endianness, read::SectionIndex};

pub(super) const RULES: &[Rule] = &[Rule {
    name: "readers-agree",
    severity: Severity::Warning,
    scope: Scope::Any,
    demands: &[demand::ELF_HEADER, demand::DYNAMIC_TABLES, demand::SECTION_HEADERS],
    because: "of an image that two careful readers see differently, two programs will see different symbols",
    remedy: "compare `readelf -a` with the message; the file was probably edited after the link",
    check: readers_agree,
}];

fn readers_agree(subject: &Subject<'_>) -> Verdict {
    match subject.image.class() {
        Class::Elf32 => agrees::<FileHeader32<Endianness>>(&subject.image),
        Class::Elf64 => agrees::<FileHeader64<Endianness>>(&subject.image),
    }
}

/// Reads the file a second time and compares.
fn agrees<File: FileHeader<Endian = Endianness>>(image: &Image<'_>) -> Verdict {
    let refused = |error: object::Error| format!("the second reader refuses the file: {error}");
    let bytes = image.bytes;
    let file = File::parse(bytes).map_err(refused)?;
    let endian = file.endian().map_err(refused)?;

    let segments = file.program_headers(endian, bytes).map_err(refused)?;
    let theirs = segments.iter().map(|one| {
        (one.p_type(endian).0, one.p_offset(endian).into(), one.p_filesz(endian).into())
    });
    let own = image.segments()?.iter().map(|one| (one.p_type, one.p_offset, one.p_filesz));
    demand!(own.eq(theirs), "the two readers see different program headers");

    let sections = file.sections(endian, bytes).map_err(refused)?;
    let mut theirs = Vec::new();
    for section in sections.iter() {
        let name = sections.section_name(endian, section).map_err(refused)?;
        theirs.push((name, section.sh_addr(endian).into(), section.sh_size(endian).into()));
    }
    let own = image
        .sections()?
        .iter()
        .map(|one| (one.name.as_bytes(), one.header.sh_addr, one.header.sh_size));
    demand!(own.eq(theirs), "the two readers see different sections");

    let table = sections.symbols(endian, bytes, object::elf::SHT_DYNSYM).map_err(refused)?;
    demand!(table.section() != SectionIndex(0), "the second reader finds no dynamic symbols");
    let mut theirs = Vec::new();
    for symbol in table.iter() {
        let name = symbol.name(endian, table.strings()).map_err(refused)?;
        theirs.push((name, symbol.st_value(endian).into(), symbol.st_size(endian).into()));
    }
    let own = image.dynsym()?.iter().map(|one| (one.name.as_bytes(), one.value, one.size));
    demand!(own.eq(theirs), "the two readers see different dynamic symbols");
    Ok(())
}
