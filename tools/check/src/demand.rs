//! What an image has to satisfy: the demands that the rules judge, each with its sources.
//!
//! They were gathered from loaders and checkers: read in their sources, or seen by running the
//! loader with test images swapped in through `AT_SYSINFO_EHDR` (glibc 2.36, musl 1.2.3, Go
//! 1.19.8). `linux:` is the kernel's tree. Four kinds of image pass every other checker (the
//! kernel's `vdso2c`, `checkundef.sh` and `cmd_vdso_check`, gVisor's `check_vdso.py`) and still
//! break processes: a writable `PT_DYNAMIC` (every glibc program crashes), a `PT_TLS` (glibc
//! aborts), no version definitions (Go crashes at its start), `DT_GNU_HASH` alone (musl silently
//! loses the vDSO).
//!
//! # Invariants
//!
//! 1. Names are unique. A rule cites a demand by name, and a test fails for a demand that no rule
//!    cites, unless it says that it is tested elsewhere.

/// A demand on an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Demand {
    /// Short name, in words joined by hyphens.
    pub name: &'static str,
    /// What must hold.
    pub text: &'static str,
    /// The readers and checkers that it comes from.
    pub source: &'static str,
}

macro_rules! demands {
    ($($constant:ident = $name:literal: $text:literal, $source:literal;)*) => {
        $(
            #[doc = $text]
            pub const $constant: Demand = Demand { name: $name, text: $text, source: $source };
        )*

        /// Every demand.
        pub const DEMANDS: &[Demand] = &[$($constant),*];
    };
}

demands! {
    ELF_HEADER = "elf-header": "ELF magic, class, data, EV_CURRENT, ET_DYN, e_machine, OSABI none or Linux, ABIVERSION 0, exact ehsize and phentsize, phoff behind the header, phnum not PN_XNUM", "rustix param/auxv.rs, CRIU, linux: vdso2c";
    ONE_LOAD = "one-load": "exactly one PT_LOAD, the first readable and executable, none writable", "linux: vdso2c, CRIU, rustix, glibc up to 2.42";
    LOAD_AT_ZERO = "load-at-zero": "PT_LOAD at offset 0 and address 0 (x86), with equal sizes in file and memory, covering the headers", "linux: vdso2c, gVisor, Starnix";
    LOAD_ORDER = "load-order": "several PT_LOADs: offset equals address minus base, ordered, sharing no page, inside the file", "gVisor";
    DYNAMIC_SEGMENT = "dynamic-segment": "exactly one PT_DYNAMIC, not writable, behind the ELF header, with DT_NULL inside its size", "CRIU, rustix, glibc (seen)";
    NO_EXTRA_SEGMENTS = "no-extra-segments": "no PT_TLS, PT_INTERP, PT_GNU_RELRO", "glibc (seen), rustix";
    NO_RELOCATIONS = "no-relocations": "no DT_REL, DT_RELA, DT_RELR, DT_JMPREL, DT_PLTREL, DT_TEXTREL or DF_TEXTREL, and no relocation", "linux: vdso2c and Makefile, gVisor";
    NOTHING_UNDEFINED = "nothing-undefined": "no undefined symbol, no DT_NEEDED, no needed version", "linux: checkundef.sh, --no-undefined";
    NO_CONSTRUCTORS = "no-constructors": "no DT_INIT, DT_FINI or their arrays, no STT_GNU_IFUNC, no STT_TLS", "glibc runs a vDSO's initialisers (seen)";
    NO_DATA = "no-data": "no .data, .bss, .tdata, .tbss or .got with contents, no writable section", "gVisor, Fuchsia";
    TEXT = "text": ".text is not empty and inside the PT_LOAD", "gVisor";
    BOTH_HASH_TABLES = "both-hash-tables": "DT_HASH and DT_GNU_HASH, both find every export and end for every other name; buckets not zero, the Bloom filter a power of two, 32-bit entries", "glibc, musl, Go, CRIU";
    DYNAMIC_TABLES = "dynamic-tables": "DT_STRTAB, DT_SYMTAB, DT_STRSZ and DT_SYMENT of 24, all in range", "CRIU, rustix";
    SONAME = "soname": "DT_SONAME linux-vdso.so.1", "glibc's DT_NEEDED";
    VERSIONS = "versions": "DT_VERSYM and DT_VERDEF, vd_version 1, right hashes, LINUX_2.6 and a base entry", "Go (seen), musl, rustix";
    EXPORTS = "exports": "exports are STT_FUNC, global or weak, of default visibility, defined, not empty, inside .text", "linux: parse_vdso.c, Go, Fuchsia";
    LOCKED = "locked": "names, offsets and versions of exports equal the lock, and none is missing", "Fuchsia verify-abi";
    ENTRY_ROOM = "entry-room": "an entry has 16 bytes, is aligned to 16, and overlaps with no other but its alias", "CRIU, shadow issue 2273";
    NAME_LENGTH = "name-length": "names have at most 31 characters", "CRIU vdso_symbol.name[32]";
    SECTION_HEADERS = "section-headers": "section headers are kept, with SHT_DYNSYM and its strings and a name table, inside the mapped pages", "bionic, linux-raw-vdso, linux: vdso2c.c";
    NOTES = "notes": "a build-id note under PT_NOTE, notes of 4-byte alignment, no .note.gnu.property", "Fuchsia, linux: vdso-layout.lds.S";
    UNWIND_TABLES = "unwind-tables": "a valid PT_GNU_EH_FRAME, and an FDE for each entry", "Fuchsia, linux: unwind_vdso selftest";
    WHOLE_PAGES = "whole-pages": "the image is whole pages; padding behind it is zeros or traps", "Fuchsia, linux: vma.c";
    STRIPPED_AGREES = "stripped-agrees": "the stripped file is as long as what is loaded, and its code equals the unstripped file's", "linux: vdso2c";
    DATA_PAGE_SYMBOLS = "data-page-symbols": "symbols of the data pages are aligned, ordered, below the image, and unique", "linux: vdso2c";
    DATA_LAYOUT = "data-layout": "a note has the layout of the data pages that the image was compiled for, and a kernel of this project has such pages", "linux: vdso/datapage.h differs from version to version, and vdso2c compares nothing";
    EXCEPTION_TABLE = "exception-table": "__ex_table has whole entries, sorted and unique, whose addresses are instructions of .text, and is absent from the mapped image", "linux: extable.c";
    DECLARED_CALLS = "declared-calls": "syscall stands at declared places alone, with the declared number", "Fuchsia";
    CODE_BOUNDS = "code-bounds": "no fs or gs, no x87 or SSE, no stack protector or probe, no panic or allocation, bounded frames", "Go issue 20427, linux: Makefile";
    NO_ABSOLUTE_ADDRESSES = "no-absolute-addresses": "no jump tables, no absolute addresses", "Fuchsia";
    REPRODUCIBLE = "reproducible": "equal sources give equal bytes", "tested by cargo xtask test";
}
