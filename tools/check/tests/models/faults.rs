//! Faults that a person thought of, each in what some reader reads, and the places where mutants
//! are made.

use crate::mutation::Class;
use crate::specimen::{File, segment, symbol};
use goblin::elf::dynamic::{
    DT_GNU_HASH, DT_HASH, DT_PLTREL, DT_RELA, DT_SONAME, DT_STRSZ, DT_STRTAB, DT_SYMENT, DT_SYMTAB,
    DT_VERDEF, DT_VERDEFNUM, DT_VERSYM,
};
use goblin::elf::program_header::{
    PT_DYNAMIC, PT_GNU_EH_FRAME, PT_GNU_RELRO, PT_INTERP, PT_LOAD, PT_NOTE, PT_TLS,
};

/// A function that most readers want.
const WANTED: &str = "__vdso_clock_gettime";

/// A fault, and how to make it.
pub(crate) type Fault = (&'static str, fn(&mut File));

#[rustfmt::skip]
pub(crate) const FAULTS: &[Fault] = &[
    ("two PT_LOADs", |image| kind(image, PT_NOTE, PT_LOAD)),
    ("no PT_LOAD", |image| kind(image, PT_LOAD, 0)),
    ("no PT_DYNAMIC", |image| kind(image, PT_DYNAMIC, 0)),
    ("no PT_GNU_EH_FRAME", |image| kind(image, PT_GNU_EH_FRAME, 0)),
    ("a PT_TLS", |image| kind(image, PT_NOTE, PT_TLS)),
    ("a PT_INTERP", |image| kind(image, PT_NOTE, PT_INTERP)),
    ("a PT_GNU_RELRO", |image| kind(image, PT_NOTE, PT_GNU_RELRO)),
    ("a second PT_DYNAMIC", |image| kind(image, PT_NOTE, PT_DYNAMIC)),
    ("a writable PT_DYNAMIC", |image| put(image, PT_DYNAMIC, segment::FLAGS, 6)),
    ("a PT_LOAD without X", |image| put(image, PT_LOAD, segment::FLAGS, 4)),
    ("linked for a page above 0", |image| put(image, PT_LOAD, segment::VADDR, 0x1000)),
    ("a PT_LOAD of one page", |image| put(image, PT_LOAD, segment::MEMSZ, 0x1000)),
    ("a PT_DYNAMIC of one entry", |image| put(image, PT_DYNAMIC, segment::MEMSZ, 16)),
    ("no version definitions", |image| hide(image, DT_VERDEF)),
    ("no version indices", |image| hide(image, DT_VERSYM)),
    ("no number of versions", |image| hide(image, DT_VERDEFNUM)),
    ("no DT_HASH", |image| hide(image, DT_HASH)),
    ("no DT_GNU_HASH", |image| hide(image, DT_GNU_HASH)),
    ("no hash table", |image| { hide(image, DT_HASH); hide(image, DT_GNU_HASH) }),
    ("no DT_STRTAB", |image| hide(image, DT_STRTAB)),
    ("no DT_STRSZ", |image| hide(image, DT_STRSZ)),
    ("no DT_SYMTAB", |image| hide(image, DT_SYMTAB)),
    ("no DT_SYMENT", |image| hide(image, DT_SYMENT)),
    ("no DT_SONAME", |image| hide(image, DT_SONAME)),
    ("DT_SYMENT 16", |image| value(image, DT_SYMENT, 16)),
    ("a SONAME outside the image", |image| value(image, DT_SONAME, 0x1000_0000)),
    ("strings outside the image", |image| value(image, DT_STRTAB, 0x1000_0000)),
    ("symbols in front of the image", |image| value(image, DT_SYMTAB, (-0x1000_0000_i64).cast_unsigned())),
    ("relocations of REL's kind", |image| tag(image, DT_SONAME, DT_PLTREL, 17)),
    ("DT_RELA alone", |image| tag(image, DT_SONAME, DT_RELA, 0x100)),
    ("DT_RELR alone", |image| tag(image, DT_SONAME, 36, 0x100)),
    ("no buckets", |image| put_word(image, ".hash", 0, 0)),
    ("no buckets in DT_GNU_HASH", |image| put_word(image, ".gnu.hash", 0, 0)),
    ("a filter of three words", |image| put_word(image, ".gnu.hash", 8, 3)),
    ("DT_GNU_HASH lists symbols from 5000 on", |image| put_word(image, ".gnu.hash", 4, 5000)),
    ("many symbols in DT_HASH", |image| put_word(image, ".hash", 4, 0x7fff_ffff)),
    ("a negative number of symbols in DT_HASH", |image| put_word(image, ".hash", 4, 0xffff_ffff)),
    ("no symbols in DT_HASH", |image| put_word(image, ".hash", 4, 0)),
    ("chains of DT_HASH that end in a loop", loop_of_chains),
    ("DT_HASH alone, chains that end in a loop", |image| { hide(image, DT_GNU_HASH); loop_of_chains(image) }),
    ("DT_GNU_HASH alone, no buckets", |image| { hide(image, DT_HASH); put_word(image, ".gnu.hash", 0, 0) }),
    ("DT_HASH alone, no buckets", |image| { hide(image, DT_GNU_HASH); put_word(image, ".hash", 0, 0) }),
    ("a symbol without a type", |image| info(image, 0x10)),
    ("a symbol of data", |image| info(image, 0x11)),
    ("a symbol of a file", |image| info(image, 0x14)),
    ("a thread-local symbol", |image| info(image, 0x16)),
    ("an indirect function", |image| info(image, 0x1a)),
    ("a local symbol", |image| info(image, 0x02)),
    ("a weak symbol", |image| info(image, 0x22)),
    ("a unique symbol", |image| info(image, 0xa2)),
    ("a hidden symbol", |image| { let at = image.export(WANTED); image.bytes[at + symbol::OTHER] = 2 }),
    ("a protected symbol", |image| { let at = image.export(WANTED); image.bytes[at + symbol::OTHER] = 3 }),
    ("an undefined symbol", |image| { let at = image.export(WANTED); image.put16(at + symbol::SECTION, 0) }),
    ("an absolute symbol", |image| { let at = image.export(WANTED); image.put16(at + symbol::SECTION, 0xfff1) }),
    ("a symbol with the value 0", |image| { let at = image.export(WANTED); image.put64(at + symbol::VALUE, 0) }),
    ("a symbol outside the image", |image| { let at = image.export(WANTED); image.put64(at + symbol::VALUE, 0x1000_0000) }),
    ("a name outside the strings", |image| { let at = image.export(WANTED); image.put32(at + symbol::NAME, 0x7fff_ffff) }),
    ("a symbol of the file's own version", |image| version(image, 1)),
    ("a symbol of a version that is not defined", |image| version(image, 9)),
    ("a symbol of a hidden version", |image| version(image, 0x8002)),
    ("a local version", |image| version(image, 0)),
    ("a version of another name", |image| { let at = last_definition(image); image.put32(at + 8, 1) }),
    ("a version definition of kind 2", |image| { let at = last_definition(image); image.put16(at, 2) }),
    ("a version definition of the file itself", |image| { let at = last_definition(image); image.put16(at + 2, 1) }),
    ("a version with three names", |image| { let at = last_definition(image); image.put16(at + 6, 3) }),
    ("version definitions that lead outside", |image| { let at = last_definition(image); image.put32(at + 16, 0x7000_0000) }),
    ("no section headers", |image| { image.put64(40, 0); image.put16(60, 0); image.put16(62, 0) }),
    ("section headers of 32 bytes", |image| image.put16(58, 32)),
    ("section headers outside the mapping", |image| image.put64(40, 0x10_0000)),
    ("a class of 32 bits", |image| image.bytes[4] = 1),
    ("a class that does not exist", |image| image.bytes[4] = 3),
    ("big-endian", |image| image.bytes[5] = 2),
    ("OS ABI FreeBSD", |image| image.bytes[7] = 9),
    ("program headers of 64 bytes", |image| image.put16(54, 64)),
    ("no program headers", |image| image.put16(56, 0)),
    ("program headers outside the mapping", |image| image.put64(32, 0x10_0000)),
    ("an unwinding table of version 2", |image| { let at = image.contents(".eh_frame_hdr"); image.bytes[at] = 2 }),
    ("an unwinding table without a count", |image| { let at = image.contents(".eh_frame_hdr"); image.bytes[at + 2] = 0xff }),
    ("an unwinding table of an unknown encoding", |image| { let at = image.contents(".eh_frame_hdr"); image.bytes[at + 3] = 0x3d }),
    ("an empty unwinding table", |image| put_word(image, ".eh_frame_hdr", 8, 0)),
    ("an unwinding table of twice the rows", |image| { let at = image.contents(".eh_frame_hdr") + 8; let rows = image.word(at); image.put32(at, 2 * rows) }),
    ("an unwinding table that is not sorted", |image| { let at = image.contents(".eh_frame_hdr") + 12; let rows = image.word(at - 4) as usize; image.put32(at + 8 * (rows / 2), 0x1000_0000) }),
    ("call-frame information of version 9", |image| { let at = image.contents(".eh_frame") + 8; image.bytes[at] = 9 }),
    ("call-frame information without letters", |image| { let at = image.contents(".eh_frame") + 9; image.bytes[at] = 0 }),
    ("no call-frame information", |image| put_word(image, ".eh_frame", 0, 0)),
];

fn kind(image: &mut File, from: u32, to: u32) {
    let at = image.segment(from);
    image.put32(at + segment::TYPE, to);
}

fn put(image: &mut File, kind: u32, field: usize, value: u64) {
    let at = image.segment(kind) + field;
    if field == segment::FLAGS {
        image.put32(at, value as u32);
    } else {
        image.put64(at, value);
    }
}

/// Makes a tag one that no reader knows.
fn hide(image: &mut File, tag: u64) {
    let at = image.tag(tag);
    image.put64(at, 0x6fff_ff00);
}

fn value(image: &mut File, tag: u64, value: u64) {
    let at = image.tag(tag) + 8;
    image.put64(at, value);
}

fn tag(image: &mut File, from: u64, to: u64, value: u64) {
    let at = image.tag(from);
    image.put64(at, to);
    image.put64(at + 8, value);
}

fn put_word(image: &mut File, section: &str, at: usize, word: u32) {
    let start = image.contents(section);
    image.put32(start + at, word);
}

fn loop_of_chains(image: &mut File) {
    let at = image.contents(".hash");
    let (buckets, chains) = (image.word(at) as usize, image.word(at + 4) as usize);
    for chain in 1..chains {
        if image.word(at + 8 + 4 * (buckets + chain)) == 0 {
            image.put32(at + 8 + 4 * (buckets + chain), chain as u32);
        }
    }
}

fn info(image: &mut File, info: u8) {
    let at = image.export(WANTED);
    image.bytes[at + symbol::INFO] = info;
}

fn version(image: &mut File, version: u16) {
    let at = image.contents(".gnu.version") + 2 * image.export_index(WANTED);
    image.put16(at, version);
}

fn last_definition(image: &File) -> usize {
    let mut at = image.contents(".gnu.version_d");
    loop {
        match image.word(at + 16) {
            0 => return at,
            next => at += next as usize,
        }
    }
}

/// What readers read, by section.
pub(crate) fn classes(image: &File) -> Vec<Class> {
    let view = image.view();
    let header = &view.header;
    let section = |name: &str| {
        let header = &view.section(name).expect(name).header;
        let start = header.sh_offset as usize;
        (start..start + header.sh_size as usize).collect()
    };
    let segments = 64..64 + 56 * usize::from(header.e_phnum);
    let start = header.e_shoff as usize;
    let sections = start..start + 64 * usize::from(header.e_shnum);
    let class = |name, places: Vec<usize>| Class { name, is_loaders: true, places };
    vec![
        class("ELF header", (0..64).collect()),
        class("program headers", segments.collect()),
        class("dynamic table", section(".dynamic")),
        class("DT_HASH", section(".hash")),
        class("DT_GNU_HASH", section(".gnu.hash")),
        class("symbols", section(".dynsym")),
        class("strings", section(".dynstr")),
        class("version indices", section(".gnu.version")),
        class("version definitions", section(".gnu.version_d")),
        class("eh_frame_hdr", section(".eh_frame_hdr")),
        class("eh_frame", section(".eh_frame")),
        class("section headers", sections.collect()),
    ]
}
