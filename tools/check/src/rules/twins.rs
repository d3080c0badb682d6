//! What section headers and loaders' tables say of the same bytes.
//!
//! Loaders do not read the section headers; bionic, binutils, elfutils and debuggers read nothing
//! else. A section that is a good copy of a bad table would show a sound image to debuggers and a
//! broken one to loaders.
//!
//! # Invariants
//!
//! 1. The loaders' view is the one that all other rules judge; here the sections are held to it,
//!    field by field.

use crate::demand;
use crate::image::{Image, KERNEL_COPY, Section};
use crate::rule::{Rule, Scope, Severity};
use crate::subject::Subject;
use crate::verdict::{Verdict, demand, none_of};
use crate::view::frames::Frames;
use crate::view::hashes::{GnuTable, SysvTable};
use crate::view::versions::{AUXILIARY_SIZE, DEFINITION_SIZE, definitions};
use goblin::elf::dynamic::{DT_STRSZ, DT_STRTAB, DT_SYMTAB, DT_VERDEF, DT_VERSYM};
use goblin::elf::program_header::{PT_DYNAMIC, PT_GNU_EH_FRAME, PT_NOTE};
use goblin::elf::section_header::{
    SHF_ALLOC, SHF_EXECINSTR, SHF_MERGE, SHF_STRINGS, SHT_DYNAMIC, SHT_DYNSYM, SHT_GNU_HASH,
    SHT_GNU_VERDEF, SHT_GNU_VERSYM, SHT_HASH, SHT_NOTE, SHT_PROGBITS, SHT_STRTAB,
};
use goblin::elf::sym::STB_LOCAL;
use liblinux_abi::image::layout::{PRIVATE, TEXT, TICK};

/// `SHT_X86_64_UNWIND`: the psABI's type of `.eh_frame`, which LLVM's assembler writes. GNU's
/// writes `SHT_PROGBITS`, and a linker keeps the type of its first input.
const SHT_X86_64_UNWIND: u32 = 0x7000_0001;

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "sections-agree",
        severity: Severity::Warning,
        scope: Scope::Any,
        demands: &[demand::DYNAMIC_TABLES, demand::SECTION_HEADERS],
        because: "loaders go by the dynamic table and debuggers by the sections: where the two differ, so do their symbols",
        remedy: "{build}; the file was edited after the link",
        check: sections_agree,
    },
    Rule {
        name: "section-table",
        severity: Severity::Error,
        scope: Scope::Liblinux,
        demands: &[demand::NO_DATA, demand::SECTION_HEADERS],
        because: "readers that go by sections find them by name, type and flags, and take an unknown one for what it claims to be",
        remedy: "list the section in linker/x86_64/vdso.lds and in SECTIONS of tools/check/src/rules/twins.rs",
        check: section_table,
    },
];

/// A table that loaders find, and the section that has to say the same of it.
struct Twin {
    name: &'static str,
    kind: u32,
    address: u64,
    size: u64,
    entry_size: u64,
    /// The section that it has to link to, if any.
    link: &'static str,
    info: u32,
}

/// The type of a section, with the two of `.eh_frame` as one.
fn kind(section: &Section<'_>) -> u32 {
    match section.header.sh_type {
        SHT_X86_64_UNWIND if section.name == ".eh_frame" => SHT_PROGBITS,
        kind => kind,
    }
}

/// The tables by which readers of sections find symbols.
fn symbol_twins(image: &Image<'_>) -> Result<Vec<Twin>, String> {
    let symbols = image.dynsym()?;
    let locals = symbols.iter().take_while(|symbol| symbol.binding == STB_LOCAL).count();
    let (word, symbol) = (image.class().word(), image.class().symbol());
    let segment = image.segments_of(PT_DYNAMIC)?[0];
    let (dynamic, dynamic_size) = (segment.p_vaddr, segment.p_filesz);
    let table = image.tag(DT_SYMTAB, "DT_SYMTAB")?;
    let size = symbol * symbols.len() as u64;
    let (strings, strings_size) =
        (image.tag(DT_STRTAB, "DT_STRTAB")?, image.tag(DT_STRSZ, "DT_STRSZ")?);
    Ok(vec![
        twin(".dynamic", SHT_DYNAMIC, (dynamic, dynamic_size, 2 * word), ".dynstr", 0),
        twin(".dynsym", SHT_DYNSYM, (table, size, symbol), ".dynstr", locals as u32),
        twin(".dynstr", SHT_STRTAB, (strings, strings_size, 0), "", 0),
    ])
}

/// All tables that loaders, unwinders and debuggers find.
fn twins(image: &Image<'_>) -> Result<Vec<Twin>, String> {
    let mut twins = symbol_twins(image)?;
    let count = image.dynsym()?.len();
    let segment = |kind| image.segments_of(kind).map(|found| (found[0].p_vaddr, found[0].p_filesz));
    let (note, note_size) = segment(PT_NOTE)?;
    let (header, header_size) = segment(PT_GNU_EH_FRAME)?;
    let (sysv, gnu) = (SysvTable::of(image)?, GnuTable::of(image, count)?);
    let (frames, versions) = (Frames::of(image)?, definitions(image)?.len());
    let (versym, verdef) = (image.tag(DT_VERSYM, "DT_VERSYM")?, image.tag(DT_VERDEF, "DT_VERDEF")?);
    let versym = (versym, 2 * count as u64, 2);
    let verdef = (verdef, (DEFINITION_SIZE + AUXILIARY_SIZE) * versions as u64, 0);
    twins.extend([
        twin(".note", SHT_NOTE, (note, note_size, 0), "", 0),
        twin(".hash", SHT_HASH, (sysv.address, sysv.size(), 4), ".dynsym", 0),
        twin(".gnu.hash", SHT_GNU_HASH, (gnu.address, gnu.size(), 0), ".dynsym", 0),
        twin(".gnu.version", SHT_GNU_VERSYM, versym, ".dynsym", 0),
        twin(".gnu.version_d", SHT_GNU_VERDEF, verdef, ".dynstr", versions as u32),
        twin(".eh_frame_hdr", SHT_PROGBITS, (header, header_size, 0), "", 0),
        twin(".eh_frame", SHT_PROGBITS, (frames.start, frames.size, 0), "", 0),
    ]);
    Ok(twins)
}

/// A table at an address, of a size, with entries of a size.
fn twin(
    name: &'static str,
    kind: u32,
    (address, size, entry_size): (u64, u64, u64),
    link: &'static str,
    info: u32,
) -> Twin {
    Twin { name, kind, address, size, entry_size, link, info }
}

fn sections_agree(subject: &Subject<'_>) -> Verdict {
    let image = &subject.image;
    let sections = image.sections()?;
    let mut wrong = Vec::new();
    let is_liblinux = subject.profile.is_liblinux();
    for twin in if is_liblinux { twins(image)? } else { symbol_twins(image)? } {
        // By type, as readers do; `.eh_frame` and string tables share theirs with others.
        let shares = matches!(twin.kind, SHT_PROGBITS | SHT_STRTAB);
        let of_kind = |section: &&Section<'_>| {
            kind(section) == twin.kind && (!shares || section.name == twin.name)
        };
        let found: Vec<_> = sections.iter().filter(of_kind).collect();
        let [section] = found[..] else {
            wrong.push(format!("there are {} sections like {}, not one", found.len(), twin.name));
            continue;
        };
        let header = &section.header;
        let linked = sections.get(header.sh_link as usize).map_or("", |linked| linked.name);
        for (field, has, wanted) in [
            ("sh_addr", header.sh_addr, twin.address),
            ("sh_offset", header.sh_offset, twin.address),
            ("sh_size", header.sh_size, twin.size),
            ("sh_entsize", header.sh_entsize, twin.entry_size),
            ("sh_info", header.sh_info.into(), twin.info.into()),
        ] {
            if has != wanted {
                wrong
                    .push(format!("{field} of {} is {has:#x}, loaders see {wanted:#x}", twin.name));
            }
        }
        let is_linked = linked == twin.link && (twin.link.is_empty() == (header.sh_link == 0));
        if section.name != twin.name || !is_linked {
            let (name, link) = (section.name, twin.link);
            wrong.push(format!(
                "{} is named `{name}` and links to `{linked}`, not `{link}`",
                twin.name
            ));
        }
    }
    none_of("sections", &wrong)
}

/// The other sections of an image: name, type, flags.
const SECTIONS: &[(&str, u32, u32)] = &[
    (".private", SHT_PROGBITS, SHF_ALLOC),
    (".tick", SHT_PROGBITS, SHF_ALLOC),
    (".text", SHT_PROGBITS, SHF_ALLOC | SHF_EXECINSTR),
    (".altinstr_replacement", SHT_PROGBITS, SHF_ALLOC | SHF_EXECINSTR),
    (".altinstructions", SHT_PROGBITS, SHF_ALLOC),
    (".rodata", SHT_PROGBITS, SHF_ALLOC),
    (".fixups", SHT_PROGBITS, SHF_ALLOC),
    (KERNEL_COPY, SHT_PROGBITS, SHF_ALLOC | SHF_EXECINSTR),
    (".comment", SHT_PROGBITS, SHF_MERGE | SHF_STRINGS),
    (".shstrtab", SHT_STRTAB, 0),
];

fn section_table(subject: &Subject<'_>) -> Verdict {
    let image = &subject.image;
    let sections = image.sections()?;
    let null = &sections[0].header;
    let fields = [
        null.sh_name as u64,
        null.sh_type.into(),
        null.sh_flags,
        null.sh_addr,
        null.sh_offset,
        null.sh_size,
        null.sh_link.into(),
        null.sh_info.into(),
        null.sh_addralign,
        null.sh_entsize,
    ];
    demand!(fields == [0; 10], "the section header 0, which is none, is not all zeros");
    let twins: Vec<_> =
        twins(image)?.iter().map(|twin| (twin.name, twin.kind, SHF_ALLOC)).collect();
    let known: Vec<_> = twins.iter().chain(SECTIONS).collect();
    let mut wrong = Vec::new();
    for section in &sections[1..] {
        let (name, header) = (section.name, &section.header);
        let Some((_, kind, flags)) = known.iter().find(|(known, ..)| *known == name) else {
            wrong.push(format!("{name} is not one of an image's sections"));
            continue;
        };
        if self::kind(section) != *kind || header.sh_flags != u64::from(*flags) {
            wrong.push(format!(
                "{name} has type {:#x} and flags {:#x}",
                header.sh_type, header.sh_flags
            ));
        }
        let align = header.sh_addralign.max(1);
        if !align.is_power_of_two() || !header.sh_addr.is_multiple_of(align) {
            wrong.push(format!("{name} is at {:#x}, aligned to {align:#x}", header.sh_addr));
        }
        let entry_size = u64::from(*flags & SHF_STRINGS != 0);
        let rest = (header.sh_link, header.sh_info, header.sh_entsize);
        if SECTIONS.iter().any(|known| known.0 == name) && rest != (0, 0, entry_size) {
            wrong.push(format!(
                "{name} has sh_link, sh_info and sh_entsize {rest:?}, not (0, 0, {entry_size})"
            ));
        }
        if flags & SHF_ALLOC == 0 && header.sh_addr != 0 {
            wrong.push(format!(
                "{name} is not allocated, but has the address {:#x}",
                header.sh_addr
            ));
        }
        if name == KERNEL_COPY && !image.contents(section)?.starts_with(b"\x7fELF") {
            wrong.push(format!(
                "{name} is not another kernel's vDSO: it does not begin with 7f 45 4c 46"
            ));
        }
        let words = [(".private", PRIVATE, TICK), (".tick", TICK, TEXT)];
        let word = words.iter().find(|word| word.0 == name);
        if word.is_some_and(|(_, start, end)| {
            (header.sh_addr, header.sh_size) != (*start as u64, (end - start) as u64)
        }) {
            wrong.push(format!(
                "{name} is {:#x} bytes at {:#x}, not its word",
                header.sh_size, header.sh_addr
            ));
        }
        if sections.iter().filter(|other| other.name == name).count() > 1 {
            wrong.push(format!("{name} is there more than once"));
        }
    }
    none_of("sections", &wrong)
}
