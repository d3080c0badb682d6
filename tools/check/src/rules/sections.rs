//! The section headers.
//!
//! Loaders of ordinary libraries do not need them, but bionic, binutils, elfutils and old Go read
//! the vDSO's symbols through them, from memory: so they are kept, and inside the pages that the
//! kernel maps.
//!
//! # Invariants
//!
//! 1. Each rule first gets the section headers, and so refuses an image that was stripped of them.

use crate::demand;
use crate::image::Section;
use crate::rule::{Rule, Scope, Severity};
use crate::subject::Subject;
use crate::verdict::{Verdict, demand, none_of};
use goblin::elf::section_header::{
    SHF_ALLOC, SHF_EXECINSTR, SHF_TLS, SHF_WRITE, SHT_DYNSYM, SHT_NOBITS, SHT_PROGBITS, SHT_STRTAB,
};

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "section-headers",
        severity: Severity::Error,
        scope: Scope::Any,
        demands: &[demand::SECTION_HEADERS],
        because: "bionic finds the symbols through the section headers and does without the vDSO if it cannot",
        remedy: "strip with `objcopy --strip-all`, which keeps them, and pad the file afterwards",
        check: section_headers,
    },
    Rule {
        name: "dynsym-section",
        severity: Severity::Error,
        scope: Scope::Any,
        demands: &[demand::SECTION_HEADERS],
        because: "bionic and elfutils look for SHT_DYNSYM and the string table that it links to",
        remedy: "keep .dynsym and .dynstr in {script}",
        check: dynsym_section,
    },
    Rule {
        name: "sections-in-load",
        severity: Severity::Warning,
        scope: Scope::Any,
        demands: &[demand::TEXT, demand::SECTION_HEADERS],
        because: "a section outside the PT_LOAD is not at its address in memory",
        remedy: "assign every allocated section to the text segment in {script}",
        check: sections_in_load,
    },
    Rule {
        name: "no-writable-data",
        severity: Severity::Warning,
        scope: Scope::Any,
        demands: &[demand::NO_DATA],
        because: "the image is mapped read-only and shared by all processes: a write is a crash",
        remedy: "remove `static mut`, atomics in statics and references to other objects from {source}",
        check: no_writable_data,
    },
    Rule {
        name: "no-tls-sections",
        severity: Severity::Warning,
        scope: Scope::Any,
        demands: &[demand::NO_EXTRA_SEGMENTS, demand::NO_DATA],
        because: "glibc aborts on a vDSO with thread-local storage, and no loader would allocate it",
        remedy: "remove thread-local variables from {source}",
        check: no_tls_sections,
    },
    Rule {
        name: "text",
        severity: Severity::Warning,
        scope: Scope::Any,
        demands: &[demand::TEXT],
        because: "an image without code was linked wrongly",
        remedy: "look at .text in {script}, and whether the object was built for the image's target",
        check: text,
    },
];

fn section_headers(subject: &Subject<'_>) -> Verdict {
    let image = &subject.image;
    let header = &image.header;
    let sections = image.sections()?;
    let (size, word) = (image.class().section(), image.class().word());
    demand!(header.e_shnum != 0, "e_shnum is 0");
    demand!(
        u64::from(header.e_shentsize) == size,
        "e_shentsize is {}, not {size}",
        header.e_shentsize
    );
    demand!(
        header.e_shoff.is_multiple_of(word),
        "e_shoff is {:#x}, not a multiple of {word}",
        header.e_shoff
    );
    demand!(header.e_shstrndx != 0, "e_shstrndx is 0: the sections have no names");
    let names = sections
        .get(usize::from(header.e_shstrndx))
        .filter(|names| names.header.sh_type == SHT_STRTAB);
    demand!(names.is_some(), "e_shstrndx {} is not a string table", header.e_shstrndx);
    let nameless = sections.iter().skip(1).filter(|section| section.name.is_empty()).count();
    demand!(nameless == 0, "{nameless} sections have no name");
    // The kernel maps whole pages of the file and nothing else.
    let unit = subject.profile.unit();
    let mapped = (image.bytes.len() / unit * unit) as u64;
    let end = header.e_shoff.saturating_add(size * u64::from(header.e_shnum));
    demand!(
        end <= mapped,
        "the section headers end at {end:#x}, behind the {mapped:#x} bytes of whole pages"
    );
    let outside = |section: &&Section<'_>| {
        section.header.sh_type != SHT_NOBITS
            && section
                .header
                .sh_offset
                .checked_add(section.header.sh_size)
                .is_none_or(|end| end > mapped)
    };
    let outside: Vec<&str> = sections.iter().filter(outside).map(|section| section.name).collect();
    none_of("sections behind the mapped pages", &outside)
}

fn dynsym_section(subject: &Subject<'_>) -> Verdict {
    let sections = subject.image.sections()?;
    let tables: Vec<_> =
        sections.iter().filter(|section| section.header.sh_type == SHT_DYNSYM).collect();
    demand!(tables.len() == 1, "there are {} sections of type SHT_DYNSYM, not one", tables.len());
    let (table, size) = (&tables[0].header, subject.image.class().symbol());
    demand!(
        table.sh_entsize == size,
        "the entry size of {} is {}, not {size}",
        tables[0].name,
        table.sh_entsize
    );
    demand!(
        table.sh_size.is_multiple_of(size),
        "the size of {} is not a whole number of symbols",
        tables[0].name
    );
    let strings =
        sections.get(table.sh_link as usize).filter(|strings| strings.header.sh_type == SHT_STRTAB);
    demand!(
        strings.is_some(),
        "{} links to section {}, which is not a string table",
        tables[0].name,
        table.sh_link
    );
    Ok(())
}

fn allocated<'s, 'a>(subject: &'s Subject<'a>) -> Result<Vec<&'s Section<'a>>, String> {
    let has = |section: &&Section<'_>| section.header.sh_flags & u64::from(SHF_ALLOC) != 0;
    let found: Vec<_> = subject.image.sections()?.iter().filter(has).collect();
    if found.is_empty() { Err("no section is allocated".into()) } else { Ok(found) }
}

fn sections_in_load(subject: &Subject<'_>) -> Verdict {
    let load = subject.image.load()?;
    let outside = |section: &&&Section<'_>| {
        let header = &section.header;
        header.sh_addr != header.sh_offset
            || header.sh_addr.checked_add(header.sh_size).is_none_or(|end| end > load.p_filesz)
    };
    let names: Vec<&str> =
        allocated(subject)?.iter().filter(outside).map(|section| section.name).collect();
    none_of(
        "allocated sections outside the PT_LOAD, or at an address that is not their offset",
        &names,
    )
}

/// The words that GNU ld reserves in a `.got.plt` that nothing uses.
fn is_reserved(section: &Section<'_>) -> bool {
    section.name == ".got.plt" && section.header.sh_size <= 24
}

fn no_writable_data(subject: &Subject<'_>) -> Verdict {
    let is_liblinux = subject.profile.is_liblinux();
    let writable = |section: &&&Section<'_>| {
        let header = &section.header;
        // The kernel's own linker scripts leave the flag on sections that nothing writes.
        is_liblinux && header.sh_flags & u64::from(SHF_WRITE) != 0
            || (header.sh_type == SHT_NOBITS && header.sh_size > 0)
            || ([".data", ".bss", ".got", ".got.plt", ".plt"].contains(&section.name)
                && (is_liblinux || !is_reserved(section))
                && header.sh_size > 0)
    };
    let names: Vec<&str> =
        allocated(subject)?.iter().filter(writable).map(|section| section.name).collect();
    none_of("sections that are writable or need to be", &names)
}

fn no_tls_sections(subject: &Subject<'_>) -> Verdict {
    let thread_local = |section: &&Section<'_>| section.header.sh_flags & u64::from(SHF_TLS) != 0;
    let names: Vec<&str> =
        subject.image.sections()?.iter().filter(thread_local).map(|section| section.name).collect();
    none_of("sections with thread-local storage", &names)
}

fn text(subject: &Subject<'_>) -> Verdict {
    let image = &subject.image;
    let header = &image.section(".text")?.header;
    demand!(header.sh_type == SHT_PROGBITS, ".text has type {}, not SHT_PROGBITS", header.sh_type);
    demand!(header.sh_size > 0, ".text is empty");
    let flags = u64::from(SHF_ALLOC | SHF_EXECINSTR);
    demand!(
        header.sh_flags == flags,
        ".text has flags {:#x}, not {flags:#x} (A+X)",
        header.sh_flags
    );
    let end = header.sh_addr.saturating_add(header.sh_size);
    demand!(end <= image.load()?.p_filesz, ".text ends at {end:#x}, behind the PT_LOAD");
    Ok(())
}
