//! The dynamic table: what a loader would do to the image if it loaded it.
//!
//! glibc treats the vDSO as an ordinary library that is mapped already: it runs initialisers,
//! follows dependencies and applies relocations. The kernel does none of this, so the image must
//! not need it.
//!
//! # Invariants
//!
//! 1. Each rule first gets the dynamic table, and so refuses an image without one.

use crate::demand;
use crate::image::Image;
use crate::rule::{Rule, Scope, Severity};
use crate::subject::Subject;
use crate::verdict::{Verdict, demand, none_of};
use crate::view::hashes::{GnuTable, SysvTable};
use crate::view::versions::{DEFINITION_SIZE, definitions};
use goblin::elf::dynamic::{
    DF_BIND_NOW, DF_SYMBOLIC, DF_TEXTREL, DT_FINI, DT_FINI_ARRAY, DT_FINI_ARRAYSZ, DT_FLAGS,
    DT_FLAGS_1, DT_GNU_HASH, DT_HASH, DT_INIT, DT_INIT_ARRAY, DT_INIT_ARRAYSZ, DT_JMPREL,
    DT_NEEDED, DT_PLTGOT, DT_PLTREL, DT_PLTRELSZ, DT_PREINIT_ARRAY, DT_PREINIT_ARRAYSZ, DT_REL,
    DT_RELA, DT_RELACOUNT, DT_RELAENT, DT_RELASZ, DT_RELCOUNT, DT_RELENT, DT_RELSZ, DT_RPATH,
    DT_RUNPATH, DT_SONAME, DT_STRSZ, DT_STRTAB, DT_SYMBOLIC, DT_SYMENT, DT_SYMTAB, DT_TEXTREL,
    DT_VERDEF, DT_VERDEFNUM, DT_VERNEED, DT_VERNEEDNUM, DT_VERSYM, tag_to_str,
};
use goblin::elf::program_header::PT_DYNAMIC;
use goblin::elf::section_header::{SHT_REL, SHT_RELA};
use std::collections::BTreeSet;

// What goblin does not name: `elf.h`.
const SHT_RELR: u32 = 19;
const DT_RELRSZ: u64 = 35;
const DT_RELR: u64 = 36;
const DT_RELRENT: u64 = 37;
const DT_AUXILIARY: u64 = 0x7fff_fffd;
const DT_FILTER: u64 = 0x7fff_ffff;

const RELOCATION_TAGS: &[u64] = &[
    DT_REL,
    DT_RELSZ,
    DT_RELENT,
    DT_RELCOUNT,
    DT_RELA,
    DT_RELASZ,
    DT_RELAENT,
    DT_RELACOUNT,
    DT_RELR,
    DT_RELRSZ,
    DT_RELRENT,
    DT_JMPREL,
    DT_PLTREL,
    DT_PLTRELSZ,
    DT_PLTGOT,
    DT_TEXTREL,
];

const DEPENDENCY_TAGS: &[u64] = &[DT_NEEDED, DT_VERNEED, DT_VERNEEDNUM, DT_AUXILIARY, DT_FILTER];

const INITIALISER_TAGS: &[u64] = &[
    DT_INIT,
    DT_FINI,
    DT_INIT_ARRAY,
    DT_INIT_ARRAYSZ,
    DT_FINI_ARRAY,
    DT_FINI_ARRAYSZ,
    DT_PREINIT_ARRAY,
    DT_PREINIT_ARRAYSZ,
];

const NO_RELOCATIONS: &str = "the kernel maps the image and never links it, so whatever a relocation should have set stays wrong";

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "no-relocation-tags",
        severity: Severity::Error,
        scope: Scope::Any,
        demands: &[demand::NO_RELOCATIONS],
        because: NO_RELOCATIONS,
        remedy: "find the static that holds an address, or the reference to a symbol from elsewhere, in {source}",
        check: no_relocation_tags,
    },
    Rule {
        name: "no-relocation-sections",
        severity: Severity::Error,
        scope: Scope::Any,
        demands: &[demand::NO_RELOCATIONS],
        because: NO_RELOCATIONS,
        remedy: "run `readelf -r` on the image and remove what the relocations are for from {source}",
        check: no_relocation_sections,
    },
    Rule {
        name: "no-unstripped-relocations",
        severity: Severity::Warning,
        scope: Scope::Any,
        demands: &[demand::NO_RELOCATIONS],
        because: "the kernel's build runs readelf over the unstripped image and stops at any relocation",
        remedy: "link without --emit-relocs, and look for what `readelf -r` shows in {source}",
        check: no_unstripped_relocations,
    },
    Rule {
        name: "no-dependencies",
        severity: Severity::Error,
        scope: Scope::Any,
        demands: &[demand::NOTHING_UNDEFINED],
        because: "nothing can be loaded for the vDSO, and glibc would look for it in every process",
        remedy: "take libraries and versions of other objects out of the linker call",
        check: no_dependencies,
    },
    Rule {
        name: "no-run-path",
        severity: Severity::Warning,
        scope: Scope::Any,
        demands: &[demand::NOTHING_UNDEFINED],
        because: "a run path names folders of the machine that built the image, in every process; nothing is loaded for the vDSO",
        remedy: "take -rpath out of the linker call (LD_RUN_PATH counts, and wrappers of the linker add it)",
        check: no_run_path,
    },
    Rule {
        name: "no-initialisers",
        severity: Severity::Error,
        scope: Scope::Any,
        demands: &[demand::NO_CONSTRUCTORS],
        because: "glibc runs the vDSO's initialisers and finalisers in every process; other loaders never do",
        remedy: "remove constructors and destructors from {source}",
        check: no_initialisers,
    },
    Rule {
        name: "dynamic-tables",
        severity: Severity::Error,
        scope: Scope::Any,
        demands: &[demand::DYNAMIC_TABLES],
        because: "CRIU and rustix follow these addresses as they are, and old glibc reads what they lead to without bounds",
        remedy: "keep .dynsym, .dynstr and .dynamic of {script} in the text segment",
        check: dynamic_tables,
    },
    Rule {
        name: "known-tags",
        severity: Severity::Warning,
        scope: Scope::Any,
        demands: &[demand::DYNAMIC_TABLES],
        because: "a loader may act on a tag that this checker does not know, and readers stop at the end mark",
        remedy: "look at the options of the linker call",
        check: known_tags,
    },
    Rule {
        name: "unique-tags",
        severity: Severity::Warning,
        scope: Scope::Any,
        demands: &[demand::DYNAMIC_TABLES],
        because: "of a tag given twice some readers take the first and some the last",
        remedy: "look at the options of the linker call",
        check: unique_tags,
    },
    Rule {
        name: "string-table",
        severity: Severity::Note,
        scope: Scope::Any,
        demands: &[demand::DYNAMIC_TABLES],
        because: "a name that no symbol has is the trace of an edit, and tools that print the strings show it as an entry",
        remedy: "{build}",
        check: string_table,
    },
    Rule {
        name: "soname",
        severity: Severity::Warning,
        scope: Scope::Any,
        demands: &[demand::SONAME],
        because: "programs linked with DT_NEEDED of this name bind to the vDSO by it, and debuggers recognise it",
        remedy: "link with -soname and the name that this machine's programs know",
        check: soname,
    },
];

fn refuse_tags(subject: &Subject<'_>, what: &str, tags: &[u64]) -> Verdict {
    let entries = subject.image.dynamic()?;
    let name = |tag: u64| match tag {
        DT_RELRSZ => "DT_RELRSZ",
        DT_RELR => "DT_RELR",
        DT_RELRENT => "DT_RELRENT",
        DT_AUXILIARY => "DT_AUXILIARY",
        DT_FILTER => "DT_FILTER",
        _ => tag_to_str(tag),
    };
    let found: Vec<&str> = entries
        .iter()
        .filter(|entry| tags.contains(&entry.d_tag))
        .map(|entry| name(entry.d_tag))
        .collect();
    none_of(what, &found)
}

fn no_relocation_tags(subject: &Subject<'_>) -> Verdict {
    let entries = subject.image.dynamic()?;
    let flags = entries.iter().find(|entry| entry.d_tag == DT_FLAGS);
    demand!(flags.is_none_or(|entry| entry.d_val & DF_TEXTREL == 0), "DT_FLAGS has DF_TEXTREL");
    let size = |tag: u64| entries.iter().find(|entry| entry.d_tag == tag).map(|entry| entry.d_val);
    // Some linkers announce a table of relocations that is empty: loaders have nothing to do.
    let is_empty = !subject.profile.is_liblinux()
        && [DT_RELSZ, DT_RELASZ, DT_RELRSZ, DT_PLTRELSZ]
            .iter()
            .all(|tag| size(*tag).unwrap_or(0) == 0)
        && [DT_REL, DT_RELA, DT_RELR, DT_JMPREL]
            .iter()
            .zip([DT_RELSZ, DT_RELASZ, DT_RELRSZ, DT_PLTRELSZ])
            .all(|(table, size_tag)| size(*table).is_none() || size(size_tag).is_some())
        && size(DT_TEXTREL).is_none();
    if is_empty {
        return Ok(());
    }
    refuse_tags(subject, "dynamic tags that announce relocations", RELOCATION_TAGS)
}

fn relocation_sections<'a>(image: &Image<'a>) -> Result<Vec<&'a str>, String> {
    let is_relocation = |kind| matches!(kind, SHT_REL | SHT_RELA | SHT_RELR);
    let sections = image.sections()?.iter();
    let found = sections
        .filter(|section| is_relocation(section.header.sh_type) && section.header.sh_size > 0);
    Ok(found.map(|section| section.name).collect())
}

fn no_relocation_sections(subject: &Subject<'_>) -> Verdict {
    none_of("sections with relocations", &relocation_sections(&subject.image)?)
}

fn no_unstripped_relocations(subject: &Subject<'_>) -> Verdict {
    none_of(
        "sections with relocations in the unstripped image",
        &relocation_sections(subject.debug()?)?,
    )
}

fn no_dependencies(subject: &Subject<'_>) -> Verdict {
    refuse_tags(subject, "dynamic tags that ask for other objects", DEPENDENCY_TAGS)
}

fn no_run_path(subject: &Subject<'_>) -> Verdict {
    refuse_tags(subject, "dynamic tags that name folders", &[DT_RPATH, DT_RUNPATH])
}

fn no_initialisers(subject: &Subject<'_>) -> Verdict {
    refuse_tags(subject, "dynamic tags that ask to be run", INITIALISER_TAGS)
}

fn dynamic_tables(subject: &Subject<'_>) -> Verdict {
    let image = &subject.image;
    let load = image.load()?;
    let size = image.tag(DT_STRSZ, "DT_STRSZ")?;
    let entry_size = image.tag(DT_SYMENT, "DT_SYMENT")?;
    let (symbol, word) = (image.class().symbol(), image.class().word());
    demand!(entry_size == symbol, "DT_SYMENT is {entry_size}, not {symbol}");
    let count = image.dynsym()?.len();
    for (tag, name, align) in [
        (DT_STRTAB, "DT_STRTAB", 1),
        (DT_SYMTAB, "DT_SYMTAB", word),
        (DT_HASH, "DT_HASH", 4),
        (DT_GNU_HASH, "DT_GNU_HASH", word),
        (DT_VERSYM, "DT_VERSYM", 2),
        (DT_VERDEF, "DT_VERDEF", 4),
    ] {
        // Whether another image needs a table of hashes or versions is for the rules about these.
        let is_needed = subject.profile.is_liblinux() || matches!(tag, DT_STRTAB | DT_SYMTAB);
        if !is_needed && image.tag(tag, name).is_err() {
            continue;
        }
        let address = image.tag(tag, name)?;
        let len = match tag {
            DT_STRTAB => size,
            DT_SYMTAB => symbol * count as u64,
            DT_HASH => SysvTable::of(image)?.size(),
            DT_GNU_HASH => GnuTable::of(image, count)?.size(),
            DT_VERSYM => 2 * count as u64,
            _ => DEFINITION_SIZE,
        };
        let inside = address.checked_add(len).is_some_and(|end| end <= load.p_filesz);
        demand!(inside, "{name} is {address:#x}, where the PT_LOAD has no {len} bytes");
        demand!(address.is_multiple_of(align), "{name} is {address:#x}, not a multiple of {align}");
    }
    let strings = image.at(image.tag(DT_STRTAB, "DT_STRTAB")?, size)?;
    demand!(strings.first() == Some(&0), "the string table does not begin with an empty string");
    demand!(strings.last() == Some(&0), "the string table's last string does not end");
    Ok(())
}

/// The tags that a vDSO has.
const KNOWN_TAGS: &[u64] = &[
    DT_SONAME,
    DT_SYMBOLIC,
    DT_HASH,
    DT_GNU_HASH,
    DT_STRTAB,
    DT_SYMTAB,
    DT_STRSZ,
    DT_SYMENT,
    DT_VERSYM,
    DT_VERDEF,
    DT_VERDEFNUM,
    DT_FLAGS,
];

fn known_tags(subject: &Subject<'_>) -> Verdict {
    let image = &subject.image;
    let entries = image.dynamic()?;
    let unknown: Vec<String> = entries
        .iter()
        .filter(|entry| !KNOWN_TAGS.contains(&entry.d_tag))
        // It says how to bind names, and a vDSO has none to bind.
        .filter(|entry| entry.d_tag != DT_FLAGS_1 || subject.profile.is_liblinux())
        // Those that announce relocations have a rule of their own.
        .filter(|entry| subject.profile.is_liblinux() || !RELOCATION_TAGS.contains(&entry.d_tag))
        .map(|entry| format!("{:#x}", entry.d_tag))
        .collect();
    none_of("dynamic tags that a vDSO does not have", &unknown)?;
    let value = |tag| entries.iter().find(|entry| entry.d_tag == tag).map(|entry| entry.d_val);
    demand!(value(DT_SYMBOLIC).unwrap_or(0) == 0, "DT_SYMBOLIC has a value, which it never has");
    let known = if subject.profile.is_liblinux() { DF_SYMBOLIC } else { DF_SYMBOLIC | DF_BIND_NOW };
    demand!(value(DT_FLAGS).unwrap_or(0) & !known == 0, "DT_FLAGS has more than DF_SYMBOLIC");
    let table = image.segments_of(PT_DYNAMIC)?[0];
    let used = 2 * image.class().word() * entries.len() as u64;
    let spare =
        image.at(table.p_offset.saturating_add(used), table.p_filesz.saturating_sub(used))?;
    demand!(
        spare.iter().all(|byte| *byte == 0),
        "the dynamic table has something behind its end mark"
    );
    Ok(())
}

/// Which bytes of the string table belong to a name in use.
fn string_table(subject: &Subject<'_>) -> Verdict {
    let image = &subject.image;
    let start = image.tag(DT_STRTAB, "DT_STRTAB")?;
    let strings = image.at(start, image.tag(DT_STRSZ, "DT_STRSZ")?)?;
    let names = image.dynsym()?.iter().map(|symbol| symbol.name);
    let versions = definitions(image)?.into_iter().map(|definition| definition.name);
    let soname = image.string(start.saturating_add(image.tag(DT_SONAME, "DT_SONAME")?))?;
    let used: BTreeSet<&[u8]> = names.chain(versions).chain([soname]).map(str::as_bytes).collect();
    let unused: Vec<String> = strings
        .split(|byte| *byte == 0)
        .filter(|string| !string.is_empty() && !used.contains(string))
        .map(|string| format!("`{}`", string.escape_ascii()))
        .collect();
    none_of("strings that nothing is named by", &unused)
}

fn unique_tags(subject: &Subject<'_>) -> Verdict {
    let mut tags: Vec<u64> = subject.image.dynamic()?.iter().map(|entry| entry.d_tag).collect();
    tags.sort_unstable();
    let twice: Vec<&str> =
        tags.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| tag_to_str(pair[0])).collect();
    none_of("dynamic tags given more than once", &twice)
}

fn soname(subject: &Subject<'_>) -> Verdict {
    let image = &subject.image;
    let offset = image.tag(DT_SONAME, "DT_SONAME")?;
    let name = image.string(image.tag(DT_STRTAB, "DT_STRTAB")?.saturating_add(offset))?;
    let wanted = subject.profile.soname.unwrap_or(name);
    demand!(name == wanted && !name.is_empty(), "DT_SONAME is `{name}`, not `{wanted}`");
    Ok(())
}
