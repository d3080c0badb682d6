//! For each rule the smallest broken image: the good one with one thing changed.

#[path = "specimen/mod.rs"]
mod specimen;

use goblin::elf::dynamic::{
    DT_FLAGS, DT_HASH, DT_INIT, DT_NEEDED, DT_RELA, DT_SONAME, DT_STRSZ, DT_SYMENT, DT_SYMTAB,
    DT_TEXTREL,
};
use goblin::elf::program_header::{PT_DYNAMIC, PT_INTERP, PT_LOAD, PT_NOTE, PT_TLS};
use liblinux_abi::arch::x86_64::alternative::{ENTRY_SIZE, FEATURE_RDPID, FEATURE_RDTSCP};
use liblinux_abi::image::cancel;
use liblinux_abi::image::export::{CANCEL, FIXUPS, PRIVATE, SYSCALL_CANCELLABLE};
use liblinux_abi::image::layout::{PRIVATE as PRIVATE_NUMBER, cancel_slot, fixup_slot, slot};
use liblinux_check::{Lock, check, rules};
use specimen::{Specimen, section, segment, symbol};
use std::collections::BTreeSet;

/// `DT_RELR`.
const DT_RELR: u64 = 36;

/// A way to break the image, and the rule that has to see it.
struct Fixture {
    rule: &'static str,
    what: &'static str,
    break_it: fn(&mut Specimen),
}

const fn fixture(rule: &'static str, what: &'static str, break_it: fn(&mut Specimen)) -> Fixture {
    Fixture { rule, what, break_it }
}

/// The function that fixtures about code overwrite: compiled, exported, not a slot.
const VICTIM: &str = "__vdso_getcpu";

/// Where the layout note is, behind the build-id: its owner's name 12 bytes on, its numbers 24.
const LAYOUT_NOTE: usize = 16 + 20;

#[rustfmt::skip]
const FIXTURES: &[Fixture] = &[
    fixture("elf-ident", "ABI version 1", |s| s.image.bytes[8] = 1),
    fixture("elf-ident", "OS ABI FreeBSD", |s| s.image.bytes[7] = 9),
    fixture("elf-ident", "32-bit", |s| s.image.bytes[4] = 1),
    fixture("elf-ident", "big-endian", |s| s.image.bytes[5] = 2),
    fixture("elf-type", "an executable", |s| s.image.put16(16, 2)),
    fixture("elf-type", "for aarch64", |s| s.image.put16(18, 183)),
    fixture("elf-type", "e_version 0", |s| s.image.put32(20, 0)),
    fixture("elf-sizes", "e_ehsize 65", |s| s.image.put16(52, 65)),
    fixture("elf-sizes", "e_phentsize 64", |s| s.image.put16(54, 64)),
    fixture("elf-sizes", "no program headers", |s| s.image.put16(56, 0)),
    fixture("elf-sizes", "PN_XNUM program headers", |s| s.image.put16(56, 0xffff)),
    fixture("elf-sizes", "program headers inside the ELF header", |s| s.image.put64(32, 32)),

    fixture("elf-ident", "something in the padding", |s| s.image.bytes[12] = 1),
    fixture("elf-type", "an entry point", |s| s.image.put64(24, 0x1000)),
    fixture("elf-sizes", "program headers elsewhere", |s| s.image.put64(32, 128)),

    fixture("one-load", "a writable PT_LOAD", |s| segment32(s, PT_LOAD, segment::FLAGS, 7)),
    fixture("one-load", "a PT_LOAD without X", |s| segment32(s, PT_LOAD, segment::FLAGS, 4)),
    fixture("one-load", "two PT_LOADs", |s| segment32(s, PT_NOTE, segment::TYPE, PT_LOAD)),
    fixture("one-load", "no PT_LOAD", |s| segment32(s, PT_LOAD, segment::TYPE, 0)),
    fixture("load-at-zero", "one more byte in memory than in the file", |s| {
        let size = u64::from(s.image.word(s.image.segment(PT_LOAD) + segment::MEMSZ));
        segment64(s, PT_LOAD, segment::MEMSZ, size + 1);
    }),
    fixture("load-at-zero", "linked for a page above 0", |s| segment64(s, PT_LOAD, segment::VADDR, 0x1000)),
    fixture("load-geometry", "aligned to 16 bytes", |s| segment64(s, PT_LOAD, segment::ALIGN, 16)),
    fixture("load-geometry", "two PT_LOADs in one page", |s| {
        segment64(s, PT_NOTE, segment::ALIGN, 0x1000);
        segment32(s, PT_NOTE, segment::TYPE, PT_LOAD);
    }),
    fixture("read-only-dynamic", "a writable PT_DYNAMIC", |s| segment32(s, PT_DYNAMIC, segment::FLAGS, 6)),
    fixture("read-only-dynamic", "two PT_DYNAMICs", |s| segment32(s, PT_NOTE, segment::TYPE, PT_DYNAMIC)),
    fixture("dynamic-ends", "a table of one entry", |s| {
        segment64(s, PT_DYNAMIC, segment::FILESZ, 16);
        segment64(s, PT_DYNAMIC, segment::MEMSZ, 16);
    }),
    fixture("known-segments", "a PT_TLS", |s| segment32(s, PT_NOTE, segment::TYPE, PT_TLS)),
    fixture("known-segments", "a PT_INTERP", |s| segment32(s, PT_NOTE, segment::TYPE, PT_INTERP)),
    fixture("known-segments", "a PT_GNU_RELRO", |s| segment32(s, PT_NOTE, segment::TYPE, 0x6474_e552)),
    fixture("known-segments", "an executable stack", |s| {
        segment32(s, PT_NOTE, segment::FLAGS, 7);
        segment32(s, PT_NOTE, segment::TYPE, 0x6474_e551);
    }),
    fixture("segment-fields", "a physical address of its own", |s| segment64(s, PT_DYNAMIC, segment::PADDR, 0x1000)),
    fixture("segment-fields", "a note that is longer in memory", |s| segment64(s, PT_NOTE, segment::MEMSZ, 400)),
    fixture("segment-fields", "executable notes", |s| segment32(s, PT_NOTE, segment::FLAGS, 5)),
    fixture("segment-fields", "a dynamic table for a bus of 4 bytes", |s| segment64(s, PT_DYNAMIC, segment::ALIGN, 4)),
    fixture("segments-in-load", "a note at another address than offset", |s| segment64(s, PT_NOTE, segment::VADDR, 0x10_0000)),

    fixture("no-relocation-tags", "DT_RELR", |s| s.image.add_tag(DT_RELR, 0x100)),
    fixture("no-relocation-tags", "DT_RELA", |s| s.image.add_tag(DT_RELA, 0x100)),
    fixture("no-relocation-tags", "DT_TEXTREL", |s| s.image.add_tag(DT_TEXTREL, 0)),
    fixture("no-relocation-sections", "SHT_RELA", |s| section32(s, ".comment", section::TYPE, 4)),
    fixture("no-relocation-sections", "SHT_RELR", |s| section32(s, ".comment", section::TYPE, 19)),
    fixture("no-unstripped-relocations", "SHT_RELA", |s| { let at = s.debug.section(".comment"); s.debug.put32(at + section::TYPE, 4) }),
    fixture("no-dependencies", "DT_NEEDED", |s| s.image.add_tag(DT_NEEDED, 1)),
    fixture("no-run-path", "DT_RUNPATH", |s| s.image.add_tag(29, 1)),
    fixture("no-initialisers", "DT_INIT", |s| s.image.add_tag(DT_INIT, 0x1000)),
    fixture("dynamic-tables", "DT_SYMENT 16", |s| { let at = s.image.tag(DT_SYMENT); s.image.put64(at + 8, 16) }),
    fixture("dynamic-tables", "no DT_VERDEF", |s| { let at = s.image.tag(0x6fff_fffc); s.image.put64(at, 0x6fff_ff00) }),
    fixture("dynamic-tables", "a hash table at an odd place", |s| { let at = s.image.tag(DT_HASH) + 8; let old = u64::from(s.image.word(at)); s.image.put64(at, old + 2) }),
    fixture("known-tags", "DT_DEBUG", |s| s.image.add_tag(21, 0)),
    fixture("known-tags", "DF_BIND_NOW", |s| { let at = s.image.tag(DT_FLAGS) + 8; s.image.put64(at, 10) }),
    fixture("known-tags", "something behind the end mark", |s| { let end = s.image.contents(".dynamic") + 16 * s.image.view().dynamic().expect("dynamic").len(); s.image.put64(end + 16, 1) }),
    fixture("string-table", "a name that no symbol has", |s| { let at = s.image.export("__vdso_read"); s.image.put32(at + symbol::NAME, 0) }),
    fixture("unique-tags", "DT_SYMENT twice", |s| s.image.add_tag(DT_SYMENT, 24)),
    fixture("soname", "a name with its first letter missing", |s| {
        let at = s.image.tag(DT_SONAME) + 8;
        s.image.put64(at, u64::from(s.image.word(at)) + 1);
    }),

    fixture("section-headers", "stripped of its section headers", |s| { s.image.put64(40, 0); s.image.put16(60, 0); s.image.put16(62, 0) }),
    fixture("section-headers", "no section names", |s| s.image.put16(62, 0)),
    fixture("section-headers", "section headers in a page that is cut off", |s| {
        let len = s.image.bytes.len();
        s.image.bytes.truncate(len - 1);
    }),
    fixture("dynsym-section", "no SHT_DYNSYM", |s| section32(s, ".dynsym", section::TYPE, 1)),
    fixture("sections-in-load", "a note's section elsewhere", |s| section64(s, ".note", section::ADDR, 0x10_0000)),
    fixture("no-writable-data", "a writable .eh_frame", |s| section64(s, ".eh_frame", section::FLAGS, 3)),
    fixture("no-writable-data", "a .bss", |s| section32(s, ".altinstructions", section::TYPE, 8)),
    fixture("no-tls-sections", "SHF_TLS", |s| section64(s, ".altinstructions", section::FLAGS, 0x402)),
    fixture("text", "text that is not executable", |s| section64(s, ".text", section::FLAGS, 2)),
    fixture("text", "no .text", |s| s.image.rename_section(".text", ".tex")),

    fixture("sections-agree", "a second symbol table, for readers of the sections", |s| {
        let (size, strings) = (s.image.view().section(".dynsym").expect("symbols").header.sh_size, s.image.section_index(".dynstr"));
        let copy = s.image.loaded_copy(".dynsym");
        s.image.exchange_values("__vdso_getpid", "__vdso_getppid");
        section32(s, ".dynsym", section::TYPE, 1);
        s.image.pretend(".comment", 11, copy, size, strings, 24);
    }),
    fixture("sections-agree", "a second string table, for readers of the sections", |s| {
        let size = s.image.view().section(".dynstr").expect("strings").header.sh_size;
        let copy = s.image.loaded_copy(".dynstr");
        // The names change places in the table that loaders read.
        let swapped = [("__vdso_getuid", b"__vdso_getgid\0"), ("__vdso_getgid", b"__vdso_getuid\0")];
        let places = swapped.map(|(name, _)| s.image.contents(".dynstr") + s.image.word(s.image.export(name)) as usize);
        places.into_iter().zip(swapped).for_each(|(at, (_, new))| s.image.put(at, new));
        s.image.pretend(".comment", 3, copy, size, 0, 0);
        let link = s.image.section_index(".comment");
        section32(s, ".dynsym", section::LINK, link);
    }),
    fixture("sections-agree", "a second hash table", |s| { let copy = s.image.second_table(".hash"); section64(s, ".hash", section::ADDR, copy as u64) }),
    fixture("sections-agree", "versions that link to the strings", |s| section32(s, ".gnu.version", section::LINK, 11)),
    fixture("sections-agree", "symbols of 16 bytes", |s| section64(s, ".dynsym", section::ENTRY_SIZE, 16)),
    fixture("sections-agree", "a note's section without its last word", |s| section64(s, ".note", section::SIZE, 32)),
    fixture("sections-agree", "a copy of the call-frame information", |s| { let copy = s.image.second_table(".eh_frame"); section64(s, ".eh_frame", section::ADDR, copy as u64) }),
    fixture("section-table", "an unknown section", |s| s.image.rename_section(".comment", ".commend")),
    fixture("section-table", "constants that can be executed", |s| section64(s, ".rodata", section::FLAGS, 6)),
    fixture("section-table", "code that is said to be another kernel's", |s| s.image.rename_section(".altinstr_replacement", ".kernel")),
    fixture("section-table", "something in the section header of none", |s| { let at = s.image.view().header.e_shoff as usize; s.image.put64(at + section::ADDR, 1) }),

    fixture("no-undefined", "an export that is not defined", |s| { let at = s.image.export("__vdso_read"); s.image.put16(at + symbol::SECTION, 0) }),
    fixture("plain-symbols", "an indirect function", |s| info(s, "__vdso_read", 0x1a)),
    fixture("plain-symbols", "a thread-local symbol", |s| info(s, "__vdso_read", 0x16)),
    fixture("export-shape", "an object", |s| info(s, "__vdso_read", 0x11)),
    fixture("export-shape", "a local symbol", |s| info(s, "__vdso_read", 0x02)),
    fixture("export-shape", "a hidden symbol", |s| { let at = s.image.export("__vdso_read"); s.image.bytes[at + symbol::OTHER] = 2 }),
    fixture("export-shape", "no size", |s| { let at = s.image.export("__vdso_read"); s.image.put64(at + symbol::SIZE, 0) }),
    fixture("export-shape", "outside the text", |s| { let at = s.image.export("__vdso_read"); s.image.put64(at + symbol::VALUE, 0x100) }),
    fixture("expected-exports", "a weak entry", |s| info(s, "__vdso_read", 0x22)),
    fixture("expected-exports", "an entry under another name", |s| {
        let at = s.image.contents(".dynstr") + s.image.word(s.image.export("__vdso_read")) as usize;
        s.image.bytes[at] = b'X';
    }),
    fixture("unique-exports", "two entries of one name", |s| {
        let name = s.image.word(s.image.export("__vdso_read"));
        let at = s.image.export("__vdso_write");
        s.image.put32(at + symbol::NAME, name);
    }),
    fixture("null-symbol", "a null symbol with a value", |s| { let at = s.image.contents(".dynsym"); s.image.put64(at + symbol::VALUE, 1) }),
    fixture("null-symbol", "another bit beside the visibility", |s| { let at = s.image.export("__vdso_read"); s.image.bytes[at + symbol::OTHER] = 0x80 }),
    fixture("aliases", "a time that is not __vdso_time", |s| { let at = s.image.export("time"); let old = u64::from(s.image.word(at + symbol::VALUE)); s.image.put64(at + symbol::VALUE, old + 16) }),
    fixture("entry-room", "an entry of 8 bytes", |s| { let at = s.image.export("__vdso_read"); s.image.put64(at + symbol::SIZE, 8) }),
    fixture("entry-room", "an entry in the middle of a slot", |s| { let at = s.image.export("__vdso_read"); s.image.put64(at + symbol::VALUE, slot(0) as u64 + 8) }),
    fixture("entry-room", "an entry over two slots", |s| { let at = s.image.export("__vdso_read"); s.image.put64(at + symbol::SIZE, 32) }),
    fixture("name-length", "two names run together", |s| {
        let longest = s.image.view().exports().expect("exports").iter().map(|one| one.name).max_by_key(|name| name.len()).expect("a name").to_owned();
        let end = s.image.contents(".dynstr") + s.image.word(s.image.export(&longest)) as usize + longest.len();
        s.image.bytes[end] = b'_';
        assert!(longest.len() > 20);
    }),

    fixture("sysv-hash", "no buckets", |s| { let at = s.image.contents(".hash"); s.image.put32(at, 0) }),
    fixture("sysv-hash", "an empty bucket", |s| { let at = s.image.contents(".hash"); s.image.put32(at + 8, 0) }),
    fixture("sysv-hash", "a chain that runs in a circle", |s| {
        let (at, read) = (s.image.contents(".hash"), s.image.export_index("__vdso_read"));
        let buckets = s.image.word(at) as usize;
        s.image.put32(at + 8 + 4 * (buckets + read), read as u32);
        for bucket in 0..buckets { s.image.put32(at + 8 + 4 * bucket, read as u32) }
    }),
    fixture("sysv-hash", "no DT_HASH", |s| { let at = s.image.tag(4); s.image.put64(at, 0x6fff_ff00) }),
    fixture("sysv-hash", "a chain of which no export sees that it runs in a circle", |s| {
        let (at, buckets) = (s.image.contents(".hash"), s.image.word(s.image.contents(".hash")) as usize);
        // The last of the chain leads back to itself: every name of the chain is found before.
        let mut last = s.image.word(at + 8) as usize;
        while let next @ 1.. = s.image.word(at + 8 + 4 * (buckets + last)) as usize { last = next }
        s.image.put32(at + 8 + 4 * (buckets + last), last as u32);
    }),
    fixture("sysv-hash", "a chain that ends in a symbol that does not exist", |s| {
        let (at, buckets) = (s.image.contents(".hash"), s.image.word(s.image.contents(".hash")) as usize);
        let mut last = s.image.word(at + 8) as usize;
        while let next @ 1.. = s.image.word(at + 8 + 4 * (buckets + last)) as usize { last = next }
        s.image.put32(at + 8 + 4 * (buckets + last), 0x7fff_ffff);
    }),
    fixture("sysv-hash", "a chain of the null symbol", |s| { let at = s.image.contents(".hash"); let buckets = s.image.word(at) as usize; s.image.put32(at + 8 + 4 * buckets, 1) }),
    fixture("sysv-hash-count", "one symbol too many", |s| { let at = s.image.contents(".hash") + 4; let count = s.image.word(at); s.image.put32(at, count + 1) }),
    fixture("gnu-hash-bloom", "an empty filter", |s| { let at = s.image.contents(".gnu.hash"); s.image.put64(at + 16, 0) }),
    fixture("gnu-hash", "no buckets", |s| { let at = s.image.contents(".gnu.hash"); s.image.put32(at, 0) }),
    fixture("gnu-hash", "a chain without an end", |s| { let at = s.image.contents(".gnu.hash") + s.image.view().section(".gnu.hash").expect("table").header.sh_size as usize - 4; s.image.bytes[at] &= !1 }),
    fixture("gnu-hash", "a bucket in front of the first symbol", |s| { let at = s.image.gnu_buckets(); let empty = (0..).map(|bucket| at + 4 * bucket).find(|at| s.image.word(*at) == 0); s.image.put32(empty.unwrap_or(at), 0x7fff_ffff) }),
    fixture("gnu-hash", "two buckets with one chain", |s| { let at = s.image.gnu_buckets(); let first = s.image.word(at + 4); s.image.put32(at, first) }),
    fixture("gnu-hash-bloom", "a filter that lets every name through", |s| { let at = s.image.contents(".gnu.hash") + 16; s.image.put64(at, u64::MAX) }),
    fixture("gnu-hash-bloom", "a filter of three words", |s| { let at = s.image.contents(".gnu.hash"); s.image.put32(at + 8, 3) }),

    fixture("version-definitions", "a wrong hash", |s| { let at = s.image.contents(".gnu.version_d"); s.image.put32(at + 28 + 8, 1) }),
    fixture("version-definitions", "another node", |s| { let at = s.image.find(".dynstr", b"LINUX_2.6\0"); s.image.bytes[at + 8] = b'7' }),
    fixture("version-definitions", "a node with two names", |s| { let at = s.image.contents(".gnu.version_d"); s.image.put16(at + 28 + 6, 2) }),
    fixture("version-definitions", "a node of another index", |s| { let at = s.image.contents(".gnu.version_d"); s.image.put16(at + 28 + 4, 3) }),
    fixture("version-base", "no base definition", |s| { let at = s.image.contents(".gnu.version_d"); s.image.put16(at + 2, 0) }),
    fixture("version-symbols", "a hidden version", |s| { let at = s.image.contents(".gnu.version") + 2 * s.image.export_index("__vdso_read"); s.image.put16(at, 0x8002) }),
    fixture("version-symbols", "no version", |s| { let at = s.image.contents(".gnu.version") + 2 * s.image.export_index("__vdso_read"); s.image.put16(at, 1) }),

    fixture("note-layout", "aligned to 8", |s| segment64(s, PT_NOTE, segment::ALIGN, 8)),
    fixture("note-layout", "a note longer than its segment", |s| { let at = s.image.contents(".note"); s.image.put32(at + 4, 400) }),
    fixture("build-id", "all zeros", |s| { let at = s.image.contents(".note"); s.image.put(at + 16, &[0; 20]) }),
    fixture("build-id", "another kind of note", |s| { let at = s.image.contents(".note"); s.image.put32(at + 8, 1) }),
    fixture("no-property-note", "a property note", |s| { let at = s.image.contents(".note"); s.image.put32(at + 8, 5) }),
    fixture("data-layout", "clocks of another size", |s| { let at = s.image.contents(".note") + LAYOUT_NOTE + 24 + 8; s.image.put32(at, 7) }),
    fixture("data-layout", "nobody's note", |s| { let at = s.image.contents(".note") + LAYOUT_NOTE + 12; s.image.put(at, b"L") }),
    fixture("no-property-note", "a PT_GNU_PROPERTY", |s| segment32(s, PT_NOTE, segment::TYPE, 0x6474_e553)),

    fixture("eh-frame-hdr", "two rows exchanged", |s| {
        let row = s.image.contents(".eh_frame_hdr") + 12;
        s.image.bytes[row..row + 16].rotate_left(8);
    }),
    fixture("eh-frame-hdr", "one row missing", |s| { let at = s.image.contents(".eh_frame_hdr") + 8; let rows = s.image.word(at); s.image.put32(at, rows - 1) }),
    fixture("eh-frame-hdr", "no PT_GNU_EH_FRAME", |s| segment32(s, 0x6474_e550, segment::TYPE, 0)),
    fixture("eh-frame-end", "a word behind the last entry", |s| { let header = s.image.view().section(".eh_frame").expect("frames").header.clone(); let at = (header.sh_offset + header.sh_size) as usize - 4; s.image.put32(at, 0x7fff_ffff) }),
    fixture("unwind-entries", "an entry's last byte uncovered", |s| { let (at, _) = s.image.frame(slot(0)); s.image.put32(at + 12, 14) }),
    fixture("unwind-functions", "a body's last byte uncovered", |s| {
        let (start, size) = s.debug.range("__vdso_vfork.body");
        let (at, _) = s.image.frame(start);
        s.image.put32(at + 12, size as u32 - 1);
    }),
    fixture("unwind-rows", "frames that begin at rsp+16", |s| { let at = s.image.find(".eh_frame", &[0x0c, 7, 8]); s.image.bytes[at + 2] = 16 }),
    fixture("unwind-rows", "a return address at rsp", |s| { let at = s.image.find(".eh_frame", &[0x0c, 7, 8, 0x90, 1]); s.image.bytes[at + 4] = 2 }),
    fixture("unwind-rows", "a push that the rows do not follow", |s| s.code(VICTIM, &[0x50, 0x58, 0xc3])),
    fixture("unwind-rows", "a row that comes a byte late", |s| {
        let (start, _) = s.debug.range("__vdso_pause.body");
        let (at, _) = s.image.frame(start);
        let row = at + s.image.bytes[at..].windows(3).position(|bytes| bytes == [0x41, 0x0e, 16]).expect("a row");
        s.image.bytes[row] = 0x42;
        let debug = s.debug.contents(".eh_frame") + row - s.image.contents(".eh_frame");
        s.debug.bytes[debug] = 0x42;
    }),
    fixture("frame-instructions", "a return address in r15's column", |s| { let at = s.image.find(".eh_frame", b"zR\0\x01\x78\x10"); s.image.bytes[at + 5] = 15 }),
    fixture("frame-instructions", "a restored rcx in the padding", |s| {
        let (at, _) = s.image.frame(s.debug.range("__vdso_pause.body").0);
        let end = at + 4 + s.image.word(at) as usize;
        assert_eq!(s.image.bytes[end - 1], 0, "padding");
        s.image.bytes[end - 1] = 0xc2;
    }),
    fixture("frame-instructions", "an augmentation of one byte", |s| { let (at, _) = s.image.frame(s.debug.range("__vdso_pause.body").0); s.image.bytes[at + 16] = 1 }),
    fixture("section-table", "a word without bytes", |s| section64(s, ".private", section::SIZE, 0)),
    fixture("signal-frame", "rip where rsp is", |s| { let entry = s.image.frame(slot(15) - 1).0; let at = entry + s.image.bytes[entry..].windows(2).position(|bytes| bytes == [0x10, 16]).unwrap(); s.image.bytes[at + 4] ^= 8 }),
    fixture("signal-frame", "a signal frame that begins at the entry", |s| {
        let (at, row) = s.image.frame(slot(15) - 1);
        for (at, change) in [(at + 8, 1), (at + 12, u32::MAX), (row, 1)] {
            let old = s.image.word(at);
            s.image.put32(at, old.wrapping_add(change));
        }
    }),

    fixture("stub-bytes", "a stub with another call's number", |s| s.put(slot(1) + 5, &[0])),
    fixture("stub-bytes", "a stub that keeps the fourth argument in rcx", |s| s.put(slot(0) + 9, &[0x90, 0x90, 0x90])),
    fixture("custom-slots", "rt_sigreturn with a 5-byte mov", |s| s.put(slot(15), &[0xb8, 15, 0, 0, 0, 0x90, 0x90])),
    fixture("custom-slots", "exit that returns", |s| s.put(slot(60) + 11, &[0xc3, 0xcc])),
    fixture("custom-slots", "vfork that jumps to clone's body", |s| {
        let distance = s.debug.range("__vdso_clone.body").0 - (slot(58) + 9);
        s.put(slot(58) + 5, &(distance as u32).to_le_bytes());
    }),
    fixture("custom-slots", "mkdir that makes the call itself", |s| s.put(slot(83) + 4, &[0xb8, 83, 0, 0, 0, 0x0f, 0x05, 0xc3])),
    fixture("unused-slots", "code in the slot of call 335", |s| s.put(slot(335), &[0xc3])),
    fixture("slot-symbols", "an entry outside its slot", |s| { let at = s.image.export("__vdso_read"); s.image.put64(at + symbol::VALUE, slot(1) as u64) }),

    fixture("decodes", "a byte that is not an instruction", |s| s.code(VICTIM, &[0x06])),
    fixture("text-covered", "code behind a function", |s| { let (start, size) = s.debug.range(VICTIM); s.put(start + size, &[0xc3]) }),
    fixture("syscall-sites", "syscall in a compiled function", |s| s.code(VICTIM, &[0x0f, 0x05, 0xc3])),
    fixture("syscall-numbers", "vfork that makes call 57", |s| load(s, "__vdso_vfork.body", 58, 57)),
    fixture("syscall-numbers", "mkdir that makes call 83", |s| load(s, "__vdso_mkdir.body", 258, 83)),
    fixture("syscall-numbers", "dup2 that does not ask whether the descriptor is open", |s| load(s, "__vdso_dup2.body", 72, 292)),
    fixture("syscall-numbers", "pipe that does something between number and call", |s| s.code("__vdso_pipe.body", &[0xb8, 0x25, 1, 0, 0, 0x90, 0x0f, 0x05, 0xc3])),
    fixture("syscall-numbers", "pipe that may jump over the number", |s| s.code("__vdso_pipe.body", &[0xe3, 5, 0xb8, 0x25, 1, 0, 0, 0x0f, 0x05, 0xc3])),
    fixture("syscall-numbers", "a stub that loads no number", |s| s.put(slot(0) + 4, &[0x90; 5])),
    fixture("syscall-sites", "syscall in an entry of fixups", |s| s.put(fixup_slot(0) + 9, &[0x0f, 0x05])),
    fixture("no-kernel-gates", "int 0x80", |s| s.code(VICTIM, &[0xcd, 0x80])),
    fixture("no-kernel-gates", "sysenter", |s| s.code(VICTIM, &[0x0f, 0x34])),
    fixture("no-kernel-gates", "hlt", |s| s.code(VICTIM, &[0xf4])),
    fixture("no-segments", "mov rax, fs:[rdi]", |s| s.code(VICTIM, &[0x64, 0x48, 0x8b, 0x07])),
    fixture("no-segments", "mov fs, eax", |s| s.code(VICTIM, &[0x8e, 0xe0, 0xc3])),
    fixture("no-segments", "mov ds, eax", |s| s.code(VICTIM, &[0x8e, 0xd8, 0xc3])),
    fixture("no-hidden-calls", "mov eax, 0xc3050f", |s| s.code(VICTIM, &[0xb8, 0x0f, 0x05, 0xc3, 0x00, 0xc3])),
    fixture("no-hidden-calls", "mov eax, 0x80cd", |s| s.code(VICTIM, &[0xb8, 0xcd, 0x80, 0x00, 0x00, 0xc3])),
    fixture("no-hidden-calls", "syscall between two functions", |s| { let start = s.image.contents(".text"); let at = s.image.bytes[start..].windows(4).position(|four| four == [0xcc; 4]).expect("padding"); s.put(start + at + 1, &[0x0f, 0x05]) }),
    fixture("no-hidden-calls", "syscall of two instructions", |s| s.code(VICTIM, &[0x89, 0x0f, 0x05, 1, 0, 0, 0, 0xc3])),
    fixture("no-flag-changes", "std", |s| s.code(VICTIM, &[0xfd, 0xc3])),
    fixture("no-flag-changes", "popfq", |s| s.code(VICTIM, &[0x57, 0x9d, 0xc3])),
    fixture("stack-balance", "ret 8", |s| s.code(VICTIM, &[0x31, 0xc0, 0xc2, 8, 0])),
    fixture("stack-balance", "a push that is left", |s| s.code(VICTIM, &[0x57, 0x31, 0xc0, 0xc3])),
    fixture("stack-balance", "a loop of push", |s| s.code(VICTIM, &[0x57, 0xeb, 0xfd])),
    fixture("stack-balance", "another return address", |s| s.code(VICTIM, &[0x48, 0x89, 0x3c, 0x24, 0xc3])),
    fixture("stack-balance", "mov rsp, rdi", |s| s.code(VICTIM, &[0x48, 0x89, 0xfc, 0xc3])),
    fixture("saved-registers", "xor ebx, ebx", |s| s.code(VICTIM, &[0x31, 0xdb, 0xc3])),
    fixture("saved-registers", "rbx and rbp exchanged", |s| s.code(VICTIM, &[0x53, 0x55, 0x5b, 0x5d, 0xc3])),
    fixture("saved-registers", "a legacy call that loses its argument", |s| s.code("__vdso_getpgrp.body", &[0x31, 0xff, 0xb8, 121, 0, 0, 0, 0x0f, 0x05, 0xc3])),
    fixture("saved-registers", "a replacement that changes rbx", |s| { let at = s.image.contents(".altinstr_replacement") + 10; s.put(at, &[0xf3, 0x0f, 0xc7, 0xfb]) }),
    fixture("direction-flag", "std", |s| s.code(VICTIM, &[0xfd, 0x31, 0xc0, 0xc3])),
    fixture("direction-flag", "std on one path", |s| s.code(VICTIM, &[0x85, 0xff, 0x74, 1, 0xfd, 0x31, 0xc0, 0xc3])),
    fixture("constant-time", "a branch on a bit of the key", |s| s.code(VICTIM, &[0x66, 0x0f, 0x6e, 0xc7, 0xf6, 0x06, 1, 0x74, 0, 0xc3])),
    fixture("constant-time", "a look-up by a byte of the key", |s| s.code(VICTIM, &[0x66, 0x0f, 0x6e, 0xc7, 0x0f, 0xb6, 0x06, 0x0f, 0xb6, 0x04, 0x07, 0xc3])),
    fixture("constant-time", "a jump on a word of a vector", |s| s.code(VICTIM, &[0x66, 0x0f, 0x7e, 0xc0, 0x85, 0xc0, 0x74, 0, 0xc3])),
    fixture("function-ends", "no ret", |s| s.code(VICTIM, &[0x31, 0xc0])),
    fixture("function-ends", "code that nothing leads to", |s| s.code(VICTIM, &[0x31, 0xc0, 0xc3, 0x31, 0xc0, 0xc3])),
    fixture("function-ends", "a jump into another function", |s| {
        let (start, _) = s.debug.range(VICTIM);
        let distance = s.debug.range("__vdso_pause.body").0 + 1 - (start + 5);
        s.code(VICTIM, &[&[0xe9][..], &(distance as u32).to_le_bytes()].concat());
    }),
    fixture("function-ends", "a call of another function's second instruction", |s| {
        let (start, _) = s.debug.range(VICTIM);
        let distance = s.debug.range("__vdso_pause.body").0 + 1 - (start + 5);
        s.code(VICTIM, &[&[0xe8][..], &(distance as u32).to_le_bytes(), &[0xc3]].concat());
    }),
    fixture("set-registers", "mov rdi, r11", |s| s.code(VICTIM, &[0x4c, 0x89, 0xdf, 0xc3])),
    fixture("set-registers", "a jump that asks flags of the caller's", |s| s.code(VICTIM, &[0x74, 0, 0xc3])),
    fixture("set-registers", "add rax, rbx", |s| s.code(VICTIM, &[0x31, 0xc0, 0x48, 0x01, 0xd8, 0xc3])),
    fixture("no-segments", "rdgsbase rax", |s| s.code(VICTIM, &[0xf3, 0x48, 0x0f, 0xae, 0xc8])),
    fixture("no-vectors", "xorps xmm0, xmm0", |s| s.code(VICTIM, &[0x0f, 0x57, 0xc0])),
    fixture("no-vectors", "fld st(0)", |s| s.code(VICTIM, &[0xd9, 0xc0])),
    fixture("no-vectors", "vzeroupper", |s| s.code(VICTIM, &[0xc5, 0xf8, 0x77])),
    fixture("no-vectors", "emms", |s| s.code(VICTIM, &[0x0f, 0x77])),
    fixture("baseline-instructions", "rdpid rax", |s| s.code(VICTIM, &[0xf3, 0x0f, 0xc7, 0xf8])),
    fixture("baseline-instructions", "lzcnt eax, edi", |s| s.code(VICTIM, &[0xf3, 0x0f, 0xbd, 0xc7])),
    fixture("baseline-instructions", "cmpxchg16b that is not in the exception table", |s| s.code(VICTIM, &[0xf0, 0x48, 0x0f, 0xc7, 0x0f])),
    fixture("frame-bound", "sub rsp, 0x1000", |s| s.code(VICTIM, &[0x48, 0x81, 0xec, 0, 0x10, 0, 0])),
    fixture("frame-bound", "sub rsp, rax", |s| s.code(VICTIM, &[0x48, 0x29, 0xc4])),
    fixture("frame-bound", "add rsp, -0x1000", |s| s.code(VICTIM, &[0x48, 0x81, 0xc4, 0, 0xf0, 0xff, 0xff])),

    fixture("no-jump-tables", "jmp rax", |s| s.code(VICTIM, &[0xff, 0xe0])),
    fixture("no-jump-tables", "call rax", |s| s.code(VICTIM, &[0xff, 0xd0])),
    fixture("no-jump-tables", "jmp [rdi] in a body", |s| s.code("__vdso_vfork.body", &[0xff, 0x27])),
    fixture("no-absolute-addresses", "mov rax, [0x1000]", |s| s.code(VICTIM, &[0x48, 0x8b, 0x04, 0x25, 0, 0x10, 0, 0])),
    fixture("no-absolute-addresses", "mov rax, [rdi*8 + 0x1000]", |s| s.code(VICTIM, &[0x48, 0x8b, 0x04, 0xfd, 0, 0x10, 0, 0])),
    fixture("branch-targets", "a jump into an instruction", |s| s.code(VICTIM, &[0xeb, 1, 0xb8, 0x90, 0x90, 0x90, 0x90])),
    fixture("no-image-writes", "mov [rip], eax", |s| s.code(VICTIM, &[0x31, 0xc0, 0x89, 0x05, 0, 0, 0, 0, 0xc3])),
    fixture("no-image-writes", "inc dword ptr [rip]", |s| s.code(VICTIM, &[0xff, 0x05, 0, 0, 0, 0, 0xc3])),
    fixture("data-references", "mov rax, [rip + 0x100000]", |s| s.code(VICTIM, &[0x48, 0x8b, 0x05, 0, 0, 0x10, 0])),

    fixture("page-multiple", "one byte more", |s| s.image.bytes.push(0)),
    fixture("tail-padding", "something in the last byte", |s| *s.image.bytes.last_mut().expect("a byte") = 1),
    fixture("tail-padding", "a page too many", |s| { let len = s.image.bytes.len(); s.image.bytes.resize(len + 4096, 0) }),
    fixture("between-sections", "code between two sections", |s| { let at = s.image.contents(".private") - 1; s.put(at, &[0xc3]) }),
    fixture("between-sections", "code in place of the compiler's name", |s| { let at = s.image.contents(".comment"); s.image.put(at, &[0x0f, 0x05, 0xc3]) }),
    fixture("between-sections", "two sections with the same bytes", |s| section64(s, ".rodata", section::SIZE, 0x400)),
    fixture("tick", "a tick of 7 ns", |s| { let at = s.image.contents(".tick"); s.put(at, &[7]) }),
    fixture("covers-load", "an unstripped image that is longer", |s| { let at = s.debug.segment(PT_LOAD); s.debug.put64(at + segment::FILESZ, 0x100_0000) }),
    fixture("same-code", "one bit in the unstripped text", |s| { let at = s.debug.contents(".text"); s.debug.bytes[at] ^= 1 }),
    fixture("data-pages", "timens_page a page up", |s| { let at = s.debug.local("timens_page"); s.debug.put64(at + symbol::VALUE, 0) }),
    fixture("data-pages", "no pvclock_page", |s| s.debug.rename_local("pvclock_page", "pvclock")),
    fixture("unique-data-pages", "vdso_u_time_data twice", |s| {
        let name = s.debug.word(s.debug.local("vdso_u_time_data"));
        let at = s.debug.local("hvclock_page");
        s.debug.put32(at + symbol::NAME, name);
    }),

    fixture("extable-absent", "a table in the stripped image", |s| s.image.rename_section(".altinstr_replacement", "__ex_table")),
    fixture("extable-unique", "an instruction twice", |s| { let at = s.debug.contents("__ex_table"); let first = s.debug.word(at); s.debug.put32(at + 8, first) }),
    fixture("extable-targets", "an entry for the middle of an instruction", |s| into_instruction(s, 0)),
    fixture("extable-targets", "a fixup in the middle of an instruction", |s| into_instruction(s, 4)),

    fixture("fixup-slots", "an entry in its neighbour's slot", |s| { let at = s.image.export("__vdso_fixup_init"); s.image.put64(at + symbol::VALUE, fixup_slot(0) as u64) }),
    fixture("fixup-slots", "code behind the jump", |s| s.put(fixup_slot(1) + 12, &[0xc3])),
    fixture("fixup-slots", "attach that queries", |s| {
        let attach = fixup_slot(FIXUPS.iter().position(|name| *name == PRIVATE[0]).expect("a slot"));
        let distance = s.debug.range("__vdso_fixup_query.body").0 as u32 - (attach as u32 + 9);
        s.put(attach + 4, &[&[0xe9][..], &distance.to_le_bytes(), &[0xcc; 7]].concat());
    }),
    fixture("private-calls", "mark that attaches", |s| { let (start, _) = s.debug.range("__vdso_fixup_mark.body"); s.put(start + 12, &[0]) }),
    fixture("private-calls", "a number that no kernel gave", |s| s.put(PRIVATE_NUMBER, &[1])),
    fixture("frame-ends", "a register that is not loaded", |s| { let (start, _) = s.debug.range("__vdso_fixup_resume.body"); s.put(start + 12, &[0x90; 3]) }),
    fixture("frame-ends", "a frame that is completed elsewhere", |s| { let (start, size) = s.debug.range("__vdso_fixup_resume.body"); s.put(start + size - 1, &[112]) }),
    fixture("frame-ends", "a landing that declines by another signal", |s| { let (start, _) = s.debug.range("__vdso_fixup_decline.body"); s.put(start + 22, &[5]) }),
    fixture("fixup-table", "an instruction twice", |s| { let at = s.image.contents(".fixups"); let first = s.image.word(at); s.put(at + 16, &first.wrapping_sub(16).to_le_bytes()) }),
    fixture("fixup-table", "an entry for an instruction that does not access memory", |s| { let at = s.image.contents(".fixups"); let first = s.image.fixup(0); let old = s.image.word(at); let next = s.debug.after(first); s.put(at, &old.wrapping_add((next - first) as u32).to_le_bytes()) }),
    fixture("fixup-table", "a landing in another function", |s| { let at = s.image.contents(".fixups") + 8; s.put(at, &(slot(0).wrapping_sub(at) as u32).to_le_bytes()) }),
    fixture("own-fixups", "another landing than the kernel's", |s| { let at = s.image.contents(".fixups") + 8; let old = s.image.word(at); s.put(at, &(old + 1).to_le_bytes()) }),
    fixture("own-fixups", "two entries exchanged", |s| { let at = s.image.contents(".fixups"); s.image.bytes[at..at + 32].rotate_left(16) }),
    fixture("fixup-table", "an entry of two bytes", |s| { let at = s.image.contents(".fixups") + 4; s.put(at, &[2]) }),
    fixture("own-fixups", "one entry less", |s| section64(s, ".fixups", 32, 16)),

    fixture("cancellable-call", "a look at another word", |s| { let at = s.debug.range(SYSCALL_CANCELLABLE).0; let look = s.debug.range(cancel::SYMBOLS[0]).0; assert!(look > at); s.put(look + 1, &[0x39]) }),
    fixture("cancellable-call", "an exit that says EINTR", |s| { let exit = s.debug.range(cancel::SYMBOLS[3]).0; s.put(exit + 3, &4_i32.wrapping_neg().to_le_bytes()) }),
    fixture("cancellable-call", "close like any other call", |s| { let end = s.debug.range(cancel::SYMBOLS[2]).0; s.put(end + 12, &[0xff]) }),
    fixture("cancel-window", "an exit one instruction later", |s| { let at = s.debug.local(cancel::SYMBOLS[3]); let old = s.debug.word(at + symbol::VALUE); s.debug.put32(at + symbol::VALUE, old + 7) }),
    fixture("cancel-window", "no start", |s| s.debug.rename_local(cancel::SYMBOLS[0], "vdso_cancel")),
    fixture("cancel-slots", "an entry in its neighbour's slot", |s| { let at = s.image.export(CANCEL[1]); s.image.put64(at + symbol::VALUE, cancel_slot(0) as u64) }),
    fixture("cancel-slots", "code behind the jump", |s| s.put(cancel_slot(0) + 12, &[0xc3])),

    fixture("alternative-format", "a feature that does not exist", |s| { let at = s.image.contents(".altinstructions"); s.image.put32(at + 8, 0x7fff) }),
    fixture("alternative-format", "feature 0", |s| { let at = s.image.contents(".altinstructions"); s.image.put32(at + 8, 0) }),
    fixture("alternative-format", "rdpid where there is rdtscp", |s| { let at = alternative(s, FEATURE_RDPID); s.image.put32(at + 8, FEATURE_RDTSCP) }),
    fixture("alternative-format", "half an entry", |s| section64(s, ".altinstructions", 32, 21)),
    fixture("alternative-originals", "the middle of an instruction", |s| { let at = s.image.contents(".altinstructions"); let old = s.image.word(at); s.image.put32(at, old + 1) }),
    fixture("alternative-replacements", "longer than what it replaces", |s| { let at = s.image.contents(".altinstructions"); s.image.bytes[at + 13] = s.image.bytes[at + 12] + 1 }),

    fixture("no-undefined-locals", "a local symbol that is not defined", |s| { let at = s.debug.local("vdso_u_time_data"); s.debug.put16(at + symbol::SECTION, 0) }),
    fixture("plain-locals", "a local indirect function", |s| { let at = s.debug.local("__vdso_vfork.body"); s.debug.bytes[at + symbol::INFO] = 0x0a }),
    fixture("no-panics", "core's panic", |s| { let name = s.debug.compiled(); s.debug.rename_local(&name, "_ZN4core9panicking5panic17h0123456789abcdefE") }),
    fixture("no-allocation", "the global allocator", |s| { let name = s.debug.compiled(); s.debug.rename_local(&name, "__rust_alloc") }),
    fixture("no-stack-guards", "a stack probe", |s| { let name = s.debug.compiled(); s.debug.rename_local(&name, "__rust_probestack") }),
    fixture("no-stack-guards", "the stack protector", |s| { let name = s.debug.compiled(); s.debug.rename_local(&name, "__stack_chk_fail") }),

    fixture("readers-agree", "a section whose name is nowhere", |s| section32(s, ".comment", section::NAME, 0xff_ffff)),
    fixture("reader-glibc", "a writable PT_DYNAMIC", |s| segment32(s, PT_DYNAMIC, segment::FLAGS, 6)),
    fixture("reader-losses", "no DT_HASH, which musl wants", |s| { let at = s.image.tag(DT_HASH); s.image.put64(at, 0x6fff_ff00) }),
    fixture("tool-losses", "no section headers, by which debuggers find symbols", |s| { s.image.put64(40, 0); s.image.put16(60, 0); s.image.put16(62, 0) }),
    fixture("reader-musl", "symbols behind the image", |s| { let at = s.image.tag(DT_SYMTAB); s.image.put64(at + 8, 0x1000_0000) }),
    fixture("reader-go", "no DT_VERDEF", |s| { let at = s.image.tag(0x6fff_fffc); s.image.put64(at, 0x6fff_ff00) }),
    fixture("reader-bionic", "a billion bytes of symbols", |s| section64(s, ".dynsym", section::SIZE, 1 << 30)),
    fixture("reader-rustix", "a function outside the image", |s| { let at = s.image.export("__vdso_getcpu"); s.image.put64(at + symbol::VALUE, 0x1000_0000) }),
    fixture("reader-abseil", "strings of 4 bytes", |s| { let at = s.image.tag(DT_STRSZ); s.image.put64(at + 8, 4) }),
    fixture("reader-parse-vdso", "no buckets", |s| { let at = s.image.contents(".hash"); s.image.put32(at, 0) }),
    fixture("reader-criu", "no buckets", |s| { let at = s.image.contents(".hash"); s.image.put32(at, 0) }),
    fixture("reader-gdb", "a second symbol table, for readers of the sections", |s| {
        let copy = s.image.second_table(".dynsym");
        s.image.exchange_values("__vdso_time", "__vdso_getcpu");
        section64(s, ".dynsym", section::OFFSET, copy as u64);
    }),
    fixture("reader-libgcc", "a search table that leads outside", |s| {
        let at = s.image.contents(".eh_frame_hdr") + 12;
        (0..s.image.word(at - 4) as usize).for_each(|row| s.image.put32(at + 8 * row + 4, 0x1000_0000));
    }),
    fixture("reader-libunwind", "a search table of an unknown encoding", |s| { let at = s.image.contents(".eh_frame_hdr"); s.image.bytes[at + 3] = 0x3d }),
    fixture("abi-lock", "an entry that was elsewhere", |s| {
        let offset = format!("{:#06x}", slot(0));
        s.lock = Lock::parse(&s.lock.to_string().replacen(&offset, "0x9000", 1)).expect("still a lock");
    }),
    fixture("abi-lock", "a body that was elsewhere", |s| {
        let offset = format!("{:#06x}", s.debug.range("__vdso_pause.body").0);
        s.lock = Lock::parse(&s.lock.to_string().replacen(&offset, "0x9000", 1)).expect("still a lock");
    }),
    fixture("abi-lock", "an entry that was not there", |s| {
        let text: Vec<String> = s.lock.to_string().lines().filter(|line| !line.contains("__vdso_read ")).map(str::to_owned).collect();
        s.lock = Lock::parse(&text.join("\n")).expect("still a lock");
    }),
    fixture("abi-lock", "an empty lock", |s| s.lock = Lock::default()),
];

fn segment32(specimen: &mut Specimen, kind: u32, field: usize, value: u32) {
    let at = specimen.image.segment(kind);
    specimen.image.put32(at + field, value);
}

fn segment64(specimen: &mut Specimen, kind: u32, field: usize, value: u64) {
    let at = specimen.image.segment(kind);
    specimen.image.put64(at + field, value);
}

fn section32(specimen: &mut Specimen, name: &str, field: usize, value: u32) {
    let at = specimen.image.section(name);
    specimen.image.put32(at + field, value);
}

fn section64(specimen: &mut Specimen, name: &str, field: usize, value: u64) {
    let at = specimen.image.section(name);
    specimen.image.put64(at + field, value);
}

fn info(specimen: &mut Specimen, name: &str, value: u8) {
    let at = specimen.image.export(name);
    specimen.image.bytes[at + symbol::INFO] = value;
}

/// Where the first alternative for a feature is.
fn alternative(specimen: &Specimen, feature: u32) -> usize {
    let table = specimen.image.contents(".altinstructions");
    let mut entries = (table..).step_by(ENTRY_SIZE);
    entries.find(|at| specimen.image.word(at + 8) == feature).expect("an alternative for it")
}

/// Makes a body load another number, where it loads `old`.
fn load(specimen: &mut Specimen, body: &str, old: u16, new: u16) {
    let (start, size) = specimen.debug.range(body);
    let [low, high] = old.to_le_bytes();
    let code = &specimen.debug.bytes[start..start + size];
    let load =
        code.windows(3).position(|bytes| bytes == [0xb8, low, high]).expect("mov eax, NUMBER");
    specimen.put(start + load + 1, &new.to_le_bytes());
}

/// Points a field of the first exception-table entry into the 5-byte instruction that vfork's body
/// begins with.
fn into_instruction(specimen: &mut Specimen, field: usize) {
    let table = specimen.debug.contents("__ex_table");
    let inside = specimen.debug.range("__vdso_vfork.body").0 + 1;
    specimen.debug.put32(table + field, (inside as u32).wrapping_sub(table as u32));
}

#[test]
fn the_good_image_passes_every_rule() {
    let report = Specimen::good().check();
    assert_eq!(report.held(), rules().count(), "{report}");
}

#[test]
fn every_rule_has_a_fixture() {
    let broken: BTreeSet<&str> = FIXTURES.iter().map(|fixture| fixture.rule).collect();
    let rules: BTreeSet<&str> = rules().map(|(rule, _)| rule.name).collect();
    assert_eq!(broken, rules);
    println!("{} rules, {} fixtures", rules.len(), FIXTURES.len());
}

#[test]
fn every_fixture_is_refused_by_its_rule() {
    let good = Specimen::good();
    let mut missed = Vec::new();
    for fixture in FIXTURES {
        let mut broken = good.clone();
        (fixture.break_it)(&mut broken);
        let report = broken.check();
        if !report.refused().any(|(rule, _)| rule.name == fixture.rule) {
            missed.push(format!("{}: {} was not refused\n{report}", fixture.rule, fixture.what));
        }
    }
    assert!(missed.is_empty(), "{}", missed.join("\n\n"));
}

/// A fault that a stripped image shows by itself is refused without its unstripped twin, too.
#[test]
fn every_broken_image_is_refused_alone() {
    let good = Specimen::good();
    let mut missed = Vec::new();
    let mut tried = 0;
    for fixture in FIXTURES {
        let mut broken = good.clone();
        (fixture.break_it)(&mut broken);
        if broken.image.bytes == good.image.bytes {
            continue;
        }
        tried += 1;
        let report = check(&broken.image.bytes, None, None).expect("fixtures are readable");
        if report.is_good() {
            missed.push(format!("{}: {}", fixture.rule, fixture.what));
        }
    }
    assert!(missed.is_empty(), "accepted without the unstripped image: {missed:#?}");
    assert!(tried > FIXTURES.len() / 2, "{tried} of {} fixtures were tried", FIXTURES.len());
}

/// Rules that need a second file; everything else is judged on the image alone.
const NEEDS_MORE: &[&str] = &[
    "no-unstripped-relocations",
    "covers-load",
    "same-code",
    "data-pages",
    "unique-data-pages",
    "extable-unique",
    "extable-targets",
    "own-fixups",
    "cancel-window",
    "no-undefined-locals",
    "plain-locals",
    "no-panics",
    "no-allocation",
    "no-stack-guards",
    "abi-lock",
];

#[test]
fn an_image_alone_is_judged_by_all_rules_but_those_that_compare() {
    let report = check(&Specimen::good().image.bytes, None, None).expect("readable");
    assert!(report.is_good(), "{report}");
    let not_judged: Vec<&str> = report.not_judged().map(|(rule, _)| rule.name).collect();
    assert_eq!(not_judged, NEEDS_MORE);
}
