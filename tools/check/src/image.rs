//! The parsed view of an ELF file.
//!
//! goblin reads the tables one by one, so that one broken table does not hide the others. Each
//! table is kept as what could be read or as the reason why not. Here are the headers and what they
//! lead to directly. The tables that loaders find through others are in [`crate::view`].
//!
//! # Invariants
//!
//! 1. A query that finds no table, or an empty one, is an error and never an empty list: a rule
//!    that saw nothing cannot pass.
//! 2. Every slice handed out lies inside the file.
//! 3. Every name handed out is printable ASCII of at most [`NAME_LIMIT`](crate::table::NAME_LIMIT)
//!    bytes: a message can quote it as it is.
//! 4. Dynamic symbols are those that loaders see: found through `PT_DYNAMIC`, never through a
//!    section.

use crate::machine::{Class, Machine};
use crate::symbol::{SHN_UNDEF, Symbol, dynamic_symbols, read_symbols};
use crate::table::{Table, not_empty, string_in};
use goblin::container::Ctx;
use goblin::elf::Elf;
use goblin::elf::dynamic::{Dyn, Dynamic};
use goblin::elf::header::{EM_386, EM_X86_64, Header};
use goblin::elf::program_header::{PT_DYNAMIC, PT_LOAD, ProgramHeader, pt_to_str};
use goblin::elf::section_header::{SHT_NOBITS, SHT_SYMTAB, SectionHeader};
use goblin::elf::sym::STB_LOCAL;
use std::fmt;

/// The section of a copy of another kernel's vDSO (`tools/run`).
pub const KERNEL_COPY: &str = ".kernel";

/// The most sections that are read; an image has 20, its unstripped twin 40.
pub const SECTION_LIMIT: usize = 1024;

/// The most program headers that are read; an image has five.
pub const SEGMENT_LIMIT: usize = 64;

/// The most dynamic tags that are read; an image has some tens.
pub const TAG_LIMIT: usize = 256;

/// The file has nothing that could be checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unreadable(pub String);

impl fmt::Display for Unreadable {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.0)
    }
}

impl std::error::Error for Unreadable {}

/// A section header with its name.
#[derive(Clone, Debug)]
pub struct Section<'a> {
    /// The name, empty if the string table does not hold it.
    pub name: &'a str,
    /// The header.
    pub header: SectionHeader,
}

/// The parsed view of an ELF file.
#[derive(Debug)]
pub struct Image<'a> {
    /// The whole file.
    pub bytes: &'a [u8],
    /// The ELF header.
    pub header: Header,
    segments: Table<ProgramHeader>,
    sections: Table<Section<'a>>,
    dynamic: Table<Dyn>,
    dynsym: Table<Symbol<'a>>,
    symtab: Table<Symbol<'a>>,
}

impl<'a> Image<'a> {
    /// Reads what can be read of `bytes`.
    pub fn read(bytes: &'a [u8]) -> Result<Self, Unreadable> {
        if bytes.is_empty() {
            return Err(Unreadable("the file is empty".into()));
        }
        if !bytes.starts_with(b"\x7fELF") {
            return Err(Unreadable(
                "this is not an ELF file: it does not begin with 7f 45 4c 46".into(),
            ));
        }
        let header = Elf::parse_header(bytes)
            .map_err(|error| Unreadable(format!("the ELF header cannot be read: {error}")))?;
        let ctx = header
            .container()
            .and_then(|container| Ok(Ctx::new(container, header.endianness()?)))
            .map_err(|error| {
                Unreadable(format!("the ELF header has no known class or byte order: {error}"))
            })?;
        let segments = read_segments(bytes, &header, ctx);
        let sections = read_sections(bytes, &header, ctx);
        let dynamic =
            segments.as_deref().map_err(Clone::clone).and_then(|all| read_dynamic(bytes, all, ctx));
        let dynsym = dynamic
            .as_deref()
            .map_err(Clone::clone)
            .and_then(|tags| dynamic_symbols(bytes, tags, ctx));
        let symtab = read_symtab(bytes, &sections, ctx);
        Ok(Self { bytes, header, segments, sections, dynamic, dynsym, symtab })
    }

    /// Whether this is a 64-bit little-endian x86-64 file.
    pub fn is_native(&self) -> bool {
        self.header.e_ident[4..6] == [2, 1] && self.header.e_machine == EM_X86_64
    }

    /// The class of the file, which says how large the entries of its tables are.
    pub fn class(&self) -> Class {
        if self.header.e_ident[4] == Class::Elf32 as u8 { Class::Elf32 } else { Class::Elf64 }
    }

    /// Whether the file's fields are little-endian.
    pub fn is_little_endian(&self) -> bool {
        self.header.e_ident[5] == 1
    }

    /// How many bits the x86 code of the file has; none for other machines.
    pub fn x86_bits(&self) -> Option<u32> {
        match self.header.e_machine {
            EM_X86_64 => Some(64),
            EM_386 => Some(32),
            _ => None,
        }
    }

    /// Whether the file is for that machine, in its class, with little-endian fields.
    pub fn is_for(&self, machine: &Machine) -> bool {
        self.header.e_ident[4..6] == [machine.class as u8, 1]
            && self.header.e_machine == machine.number
    }

    /// All program headers.
    pub fn segments(&self) -> Result<&[ProgramHeader], String> {
        self.segments.as_deref().map_err(Clone::clone)
    }

    /// All program headers of one type, at least one.
    pub fn segments_of(&self, kind: u32) -> Result<Vec<&ProgramHeader>, String> {
        let found: Vec<_> =
            self.segments()?.iter().filter(|segment| segment.p_type == kind).collect();
        if found.is_empty() {
            return Err(format!("the file has no program header {}", pt_to_str(kind)));
        }
        Ok(found)
    }

    /// The first `PT_LOAD`; the rule `one-load` demands that it is the only one.
    pub fn load(&self) -> Result<&ProgramHeader, String> {
        Ok(self.segments_of(PT_LOAD)?[0])
    }

    /// All section headers, the null one too.
    pub fn sections(&self) -> Result<&[Section<'a>], String> {
        self.sections.as_deref().map_err(Clone::clone)
    }

    /// The section of that name, if the file has one; an error if it has no sections at all.
    pub fn find_section(&self, name: &str) -> Result<Option<&Section<'a>>, String> {
        Ok(self.sections()?.iter().find(|section| section.name == name))
    }

    /// The section of that name.
    pub fn section(&self, name: &str) -> Result<&Section<'a>, String> {
        self.find_section(name)?.ok_or_else(|| format!("the file has no section {name}"))
    }

    /// The bytes of a section.
    pub fn contents(&self, section: &Section<'_>) -> Result<&'a [u8], String> {
        if section.header.sh_type == SHT_NOBITS {
            return Err(format!("section {} has no bytes in the file", section.name));
        }
        self.slice(section.header.sh_offset, section.header.sh_size)
            .ok_or_else(|| format!("section {} reaches beyond the file", section.name))
    }

    /// The address range of `.text`.
    pub fn text(&self) -> Result<std::ops::Range<u64>, String> {
        let header = &self.section(".text")?.header;
        Ok(header.sh_addr..header.sh_addr.saturating_add(header.sh_size))
    }

    /// The addresses of another kernel's vDSO, whole, which the runner has put behind the image;
    /// empty without one.
    ///
    /// Its code belongs to that kernel, and is not judged.
    pub fn kernel_copy(&self) -> std::ops::Range<u64> {
        let section = self.find_section(KERNEL_COPY).ok().flatten().map(|section| &section.header);
        let range =
            |header: &SectionHeader| header.sh_addr..header.sh_addr.saturating_add(header.sh_size);
        section.map_or(0..0, range)
    }

    /// All entries of the dynamic table, its end mark excluded.
    pub fn dynamic(&self) -> Result<&[Dyn], String> {
        self.dynamic.as_deref().map_err(Clone::clone)
    }

    /// The value of a dynamic tag.
    pub fn tag(&self, tag: u64, name: &str) -> Result<u64, String> {
        let found = self.dynamic()?.iter().find(|entry| entry.d_tag == tag);
        found.map(|entry| entry.d_val).ok_or_else(|| format!("the file has no dynamic tag {name}"))
    }

    /// All dynamic symbols, the null one too: `DT_SYMTAB`, as many as the hash table counts, with
    /// names of `DT_STRTAB`.
    pub fn dynsym(&self) -> Result<&[Symbol<'a>], String> {
        self.dynsym.as_deref().map_err(Clone::clone)
    }

    /// The symbols that the image offers: every dynamic symbol that is not local, undefined or the
    /// version node.
    pub fn exports(&self) -> Result<Vec<&Symbol<'a>>, String> {
        let offered = |symbol: &&Symbol<'_>| {
            symbol.binding != STB_LOCAL && symbol.section != SHN_UNDEF && !symbol.is_version_node()
        };
        let exports: Vec<_> = self.dynsym()?.iter().filter(offered).collect();
        if exports.is_empty() { Err("no symbol is exported".into()) } else { Ok(exports) }
    }

    /// All symbols of `.symtab`, the null one too.
    pub fn symtab(&self) -> Result<&[Symbol<'a>], String> {
        self.symtab.as_deref().map_err(Clone::clone)
    }

    /// Whether the file has kept its `.symtab`.
    pub fn has_symtab(&self) -> bool {
        self.sections()
            .is_ok_and(|all| all.iter().any(|section| section.header.sh_type == SHT_SYMTAB))
    }

    /// `len` bytes at `offset`, which is also an address: the rule `load-at-zero` demands that the
    /// two are the same.
    pub fn slice(&self, offset: u64, len: u64) -> Option<&'a [u8]> {
        let start = usize::try_from(offset).ok()?;
        let end = start.checked_add(usize::try_from(len).ok()?)?;
        self.bytes.get(start..end)
    }

    /// `len` bytes at an address.
    pub fn at(&self, address: u64, len: u64) -> Result<&'a [u8], String> {
        self.slice(address, len)
            .ok_or_else(|| format!("{len} bytes at {address:#x} reach beyond the file"))
    }

    /// A little-endian 16-bit word.
    pub fn u16(&self, address: u64) -> Result<u16, String> {
        Ok(self.at(address, 2)?.iter().rev().fold(0, |word, byte| word << 8 | u16::from(*byte)))
    }

    /// A little-endian 32-bit word.
    pub fn u32(&self, address: u64) -> Result<u32, String> {
        Ok(self.at(address, 4)?.iter().rev().fold(0, |word, byte| word << 8 | u32::from(*byte)))
    }

    /// A little-endian 64-bit word.
    pub fn u64(&self, address: u64) -> Result<u64, String> {
        Ok(self.at(address, 8)?.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte)))
    }

    /// The string that ends with the first zero byte behind `address`.
    pub fn string(&self, address: u64) -> Result<&'a str, String> {
        let beyond = || format!("the string at {address:#x} does not end inside the file");
        let start = usize::try_from(address).map_err(|_| beyond())?;
        string_in(self.bytes.get(start..).unwrap_or_default(), 0)
            .ok_or_else(|| format!("{} or is not printable", beyond()))
    }
}

fn read_segments(bytes: &[u8], header: &Header, ctx: Ctx) -> Table<ProgramHeader> {
    if usize::from(header.e_phnum) > SEGMENT_LIMIT {
        return Err(format!(
            "there are {} program headers; an image has fewer than {SEGMENT_LIMIT}",
            header.e_phnum
        ));
    }
    let offset =
        usize::try_from(header.e_phoff).map_err(|_| "e_phoff is beyond the file".to_owned())?;
    let table = ProgramHeader::parse(bytes, offset, usize::from(header.e_phnum), ctx)
        .map_err(|error| format!("the program headers cannot be read: {error}"))?;
    not_empty("program headers", table)
}

fn read_sections<'a>(bytes: &'a [u8], header: &Header, ctx: Ctx) -> Table<Section<'a>> {
    let offset =
        usize::try_from(header.e_shoff).map_err(|_| "e_shoff is beyond the file".to_owned())?;
    if usize::from(header.e_shnum) > SECTION_LIMIT {
        return Err(format!(
            "there are {} section headers; an image has fewer than {SECTION_LIMIT}",
            header.e_shnum
        ));
    }
    let table = SectionHeader::parse(bytes, offset, usize::from(header.e_shnum), ctx)
        .map_err(|error| format!("the section headers cannot be read: {error}"))?;
    let names = table
        .get(usize::from(header.e_shstrndx))
        .and_then(|names| file_range(bytes, names))
        .unwrap_or_default();
    let named = |header: SectionHeader| Section {
        name: string_in(names, header.sh_name).unwrap_or(""),
        header,
    };
    not_empty("section headers", table.into_iter().map(named).collect())
}

fn file_range<'a>(bytes: &'a [u8], section: &SectionHeader) -> Option<&'a [u8]> {
    let start = usize::try_from(section.sh_offset).ok()?;
    bytes.get(start..start.checked_add(usize::try_from(section.sh_size).ok()?)?)
}

fn read_dynamic(bytes: &[u8], segments: &[ProgramHeader], ctx: Ctx) -> Table<Dyn> {
    let missing = || "the file has no program header PT_DYNAMIC".to_owned();
    let first = segments.iter().find(|segment| segment.p_type == PT_DYNAMIC).ok_or_else(missing)?;
    let table = Dynamic::parse(bytes, std::slice::from_ref(first), ctx)
        .map_err(|error| format!("the dynamic table cannot be read: {error}"))?;
    let mut entries = table.ok_or_else(missing)?.dyns;
    entries.pop_if(|entry| entry.d_tag == 0);
    if entries.len() > TAG_LIMIT {
        return Err(format!(
            "there are {} dynamic tags; an image has fewer than {TAG_LIMIT}",
            entries.len()
        ));
    }
    not_empty("dynamic tags", entries)
}

fn read_symtab<'a>(bytes: &'a [u8], sections: &Table<Section<'a>>, ctx: Ctx) -> Table<Symbol<'a>> {
    let sections = sections.as_deref().map_err(Clone::clone)?;
    let found = sections.iter().find(|section| section.header.sh_type == SHT_SYMTAB);
    let table = &found.ok_or("the file has no section of type SHT_SYMTAB")?.header;
    let beyond = || "the symbol table SHT_SYMTAB reaches beyond the file".to_owned();
    let count =
        file_range(bytes, table).ok_or_else(beyond)?.len() / goblin::elf::Sym::size(ctx.container);
    let strings =
        sections.get(table.sh_link as usize).and_then(|strings| file_range(bytes, &strings.header));
    let strings = strings.ok_or("the symbol table SHT_SYMTAB links to no string table")?;
    let offset = usize::try_from(table.sh_offset).map_err(|_| beyond())?;
    read_symbols(bytes, offset, count, strings, ctx)
}
