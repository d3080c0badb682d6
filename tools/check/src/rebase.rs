//! An image that is linked for another address than 0, as gVisor's, moved to 0: rules find tables
//! and code at their place in the file.
//!
//! Readers subtract the address of the `PT_LOAD`. That rule is `load-at-zero`; the others judge the
//! image as if it were linked for 0, and the models of the readers judge the file as it is.
//!
//! # Invariants
//!
//! 1. Only an image is moved whose `PT_LOAD`, `PT_DYNAMIC` and `DT_STRTAB` agree about the address:
//!    where one alone names another, that one is wrong.
//! 2. The file keeps its length, and what is not an address its bytes. Of the ELF header the entry
//!    alone is one, even where a table claims to lie over the header: so what could be read still
//!    can be.

use crate::image::Image;
use crate::machine::Class;
use crate::symbol::{SHN_ABS, SHN_UNDEF};
use goblin::elf::dynamic::{
    DT_FINI, DT_FINI_ARRAY, DT_GNU_HASH, DT_HASH, DT_INIT, DT_INIT_ARRAY, DT_JMPREL, DT_PLTGOT,
    DT_REL, DT_RELA, DT_STRTAB, DT_SYMTAB, DT_VERDEF, DT_VERNEED, DT_VERSYM,
};
use goblin::elf::program_header::PT_DYNAMIC;
use goblin::elf::section_header::{SHF_ALLOC, SHT_DYNSYM, SHT_SYMTAB};

/// Where `e_entry` is.
const ENTRY_AT: u64 = 24;

/// Tags whose value is an address.
const ADDRESSES: [u64; 15] = [
    DT_FINI,
    DT_FINI_ARRAY,
    DT_GNU_HASH,
    DT_HASH,
    DT_INIT,
    DT_INIT_ARRAY,
    DT_JMPREL,
    DT_PLTGOT,
    DT_REL,
    DT_RELA,
    DT_STRTAB,
    DT_SYMTAB,
    DT_VERDEF,
    DT_VERNEED,
    DT_VERSYM,
];

/// The address that the image is linked for, and its bytes moved to 0; none if it is linked for 0,
/// or if its tables do not agree.
pub(crate) fn to_zero(image: &Image<'_>) -> Option<(u64, Vec<u8>)> {
    let load = image.load().ok()?;
    let base = load.p_vaddr.checked_sub(load.p_offset).filter(|base| *base != 0)?;
    let dynamic = image.segments_of(PT_DYNAMIC).ok()?.first().copied()?;
    let strings = image.tag(DT_STRTAB, "DT_STRTAB").ok()?;
    let agrees = dynamic.p_vaddr.checked_sub(dynamic.p_offset) == Some(base) && strings >= base;
    if !agrees || !image.is_little_endian() {
        return None;
    }
    let mut moved = Moved { base, class: image.class(), bytes: image.bytes.to_vec() };
    moved.headers(image);
    moved.dynamic(image, dynamic.p_offset);
    moved.symbols(image);
    Some((base, moved.bytes))
}

/// The bytes while they are moved.
struct Moved {
    base: u64,
    class: Class,
    bytes: Vec<u8>,
}

impl Moved {
    /// Moves the address of a table at a place in the file, if that is not in the ELF header.
    fn address(&mut self, at: u64) {
        if at >= self.class.header() {
            self.word_at(at);
        }
    }

    /// Moves the address at a place in the file, if one that is not in front of the image is there.
    fn word_at(&mut self, at: u64) {
        let Some(place) = usize::try_from(at).ok() else { return };
        let Some(end) = place.checked_add(self.class.word() as usize) else { return };
        let Some(bytes) = self.bytes.get_mut(place..end) else { return };
        let old = bytes.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte));
        if let Some(new) = old.checked_sub(self.base) {
            bytes.copy_from_slice(&new.to_le_bytes()[..bytes.len()]);
        }
    }

    fn headers(&mut self, image: &Image<'_>) {
        let (class, word) = (self.class, self.class.word());
        self.word_at(ENTRY_AT);
        // `p_vaddr` and `p_paddr`, behind two fields.
        let first = if class == Class::Elf64 { 16 } else { 8 };
        for index in 0..u64::from(image.header.e_phnum) {
            let header = image.header.e_phoff.saturating_add(index * class.segment());
            self.address(header.saturating_add(first));
            self.address(header.saturating_add(first + word));
        }
        // `sh_addr`, behind name, type and flags.
        for (section, index) in image.sections().unwrap_or_default().iter().zip(0..) {
            let header = image.header.e_shoff.saturating_add(index * class.section());
            if section.header.sh_flags & u64::from(SHF_ALLOC) != 0 {
                self.address(header.saturating_add(8 + word));
            }
        }
    }

    fn dynamic(&mut self, image: &Image<'_>, table: u64) {
        let word = self.class.word();
        for (entry, index) in image.dynamic().unwrap_or_default().iter().zip(0..) {
            if ADDRESSES.contains(&entry.d_tag) {
                self.address(table.saturating_add((2 * index + 1) * word));
            }
        }
    }

    fn symbols(&mut self, image: &Image<'_>) {
        let size = self.class.symbol();
        let tables = image
            .sections()
            .unwrap_or_default()
            .iter()
            .filter(|section| matches!(section.header.sh_type, SHT_DYNSYM | SHT_SYMTAB));
        // `st_value` and `st_shndx`: the two classes order the fields otherwise.
        let (value, home) = if size == 24 { (8, 6) } else { (4, 14) };
        for table in tables {
            let count = image.contents(table).map_or(0, |bytes| bytes.len() as u64 / size);
            for index in 0..count {
                let symbol = table.header.sh_offset.saturating_add(index * size);
                let home = image.u16(symbol.saturating_add(home)).map_or(SHN_UNDEF, usize::from);
                if home != SHN_UNDEF && home != SHN_ABS {
                    self.address(symbol.saturating_add(value));
                }
            }
        }
    }
}
