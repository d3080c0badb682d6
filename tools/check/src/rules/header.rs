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
use goblin::elf::header::ET_DYN;

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
    if let Some(machine) = subject.profile.machine {
        let (class, wanted) = (found[ident::CLASS], machine.class as u8);
        demand!(class == wanted, "the class is {class}, not {wanted} as {} has", machine.name);
    }
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
    if let Some(machine) = subject.profile.machine {
        let (found, wanted) = (header.e_machine, machine.number);
        demand!(found == wanted, "e_machine is {found}, not {wanted} ({})", machine.name);
        let flags = header.e_flags;
        demand!(flags & !machine.flags == 0, "e_flags is {flags:#x}, not of {}", machine.name);
    }
    demand!(header.e_version == 1, "e_version is {}, not EV_CURRENT", header.e_version);
    demand!(
        header.e_entry == 0 || !subject.profile.is_liblinux(),
        "e_entry is {:#x}, but a vDSO is never started",
        header.e_entry
    );
    Ok(())
}

fn elf_sizes(subject: &Subject<'_>) -> Verdict {
    let header = &subject.image.header;
    let (size, entry) = (subject.image.class().header(), subject.image.class().segment());
    demand!(u64::from(header.e_ehsize) == size, "e_ehsize is {}, not {size}", header.e_ehsize);
    demand!(
        u64::from(header.e_phentsize) == entry,
        "e_phentsize is {}, not {entry}",
        header.e_phentsize
    );
    demand!(header.e_phnum != 0, "the file has no program headers");
    demand!(header.e_phnum != PN_XNUM, "e_phnum is PN_XNUM");
    demand!(header.e_phoff >= size, "e_phoff is {}, inside the ELF header", header.e_phoff);
    demand!(
        header.e_phoff == size || !subject.profile.is_liblinux(),
        "e_phoff is {}, not right behind the ELF header",
        header.e_phoff
    );
    let len = entry * u64::from(header.e_phnum);
    demand!(
        subject.image.slice(header.e_phoff, len).is_some(),
        "the program headers reach beyond the file"
    );
    Ok(())
}
