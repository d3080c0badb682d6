//! The ELF header: what every reader looks at before it trusts anything else.
//!
//! # Invariants
//!
//! 1. These rules hold for ELF files of every class, so that a 32-bit or foreign file is refused
//!    and not misread.

use crate::demand;
use crate::rule::{Rule, Scope, Severity};
use crate::subject::Subject;
use crate::verdict::{Verdict, demand};
use goblin::elf::header::{EM_X86_64, ET_DYN};

const REMEDY: &str = "{build}; its linker call decides the ELF header";

/// Byte positions in `e_ident`.
mod ident {
    pub(super) const CLASS: usize = 4;
    pub(super) const DATA: usize = 5;
    pub(super) const VERSION: usize = 6;
    pub(super) const OSABI: usize = 7;
    pub(super) const ABIVERSION: usize = 8;
}

/// `PN_XNUM`: the number of program headers is elsewhere.
const PN_XNUM: u16 = 0xffff;

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "elf-ident",
        severity: Severity::Error,
        scope: Scope::Any,
        demands: &[demand::ELF_HEADER],
        because: "rustix, CRIU and the kernel's vdso2c compare the identification bytes and do without the vDSO",
        remedy: REMEDY,
        check: elf_ident,
    },
    Rule {
        name: "elf-type",
        severity: Severity::Error,
        scope: Scope::Any,
        demands: &[demand::ELF_HEADER],
        because: "loaders take nothing but a shared object for their own machine",
        remedy: REMEDY,
        check: elf_type,
    },
    Rule {
        name: "elf-sizes",
        severity: Severity::Error,
        scope: Scope::Any,
        demands: &[demand::ELF_HEADER],
        because: "readers step through the program headers by the sizes given here, and some with no check of their own",
        remedy: REMEDY,
        check: elf_sizes,
    },
];

fn elf_ident(subject: &Subject<'_>) -> Verdict {
    let found = &subject.image.header.e_ident;
    demand!(found[ident::CLASS] == 2, "the class is {}, not ELFCLASS64", found[ident::CLASS]);
    demand!(found[ident::DATA] == 1, "the byte order is {}, not ELFDATA2LSB", found[ident::DATA]);
    demand!(
        found[ident::VERSION] == 1,
        "the identification's version is {}, not EV_CURRENT",
        found[ident::VERSION]
    );
    demand!(
        matches!(found[ident::OSABI], 0 | 3),
        "the OS ABI is {}, neither NONE nor LINUX",
        found[ident::OSABI]
    );
    demand!(
        found[ident::ABIVERSION] == 0,
        "the ABI version is {}, not 0",
        found[ident::ABIVERSION]
    );
    let padding = &found[ident::ABIVERSION + 1..];
    demand!(padding.iter().all(|byte| *byte == 0), "the identification's padding is not all zeros");
    Ok(())
}

fn elf_type(subject: &Subject<'_>) -> Verdict {
    let header = &subject.image.header;
    demand!(header.e_type == ET_DYN, "e_type is {}, not ET_DYN", header.e_type);
    demand!(header.e_machine == EM_X86_64, "e_machine is {}, not EM_X86_64", header.e_machine);
    demand!(header.e_version == 1, "e_version is {}, not EV_CURRENT", header.e_version);
    demand!(header.e_entry == 0, "e_entry is {:#x}, but a vDSO is never started", header.e_entry);
    demand!(header.e_flags == 0, "e_flags is {:#x}, but x86-64 has no flags", header.e_flags);
    Ok(())
}

fn elf_sizes(subject: &Subject<'_>) -> Verdict {
    let header = &subject.image.header;
    demand!(header.e_ehsize == 64, "e_ehsize is {}, not 64", header.e_ehsize);
    demand!(header.e_phentsize == 56, "e_phentsize is {}, not 56", header.e_phentsize);
    demand!(header.e_phnum != 0, "the file has no program headers");
    demand!(header.e_phnum != PN_XNUM, "e_phnum is PN_XNUM");
    demand!(header.e_phoff >= 64, "e_phoff is {}, inside the ELF header", header.e_phoff);
    demand!(header.e_phoff == 64, "e_phoff is {}, not right behind the ELF header", header.e_phoff);
    let len = 56 * u64::from(header.e_phnum);
    demand!(
        subject.image.slice(header.e_phoff, len).is_some(),
        "the program headers reach beyond the file"
    );
    Ok(())
}
