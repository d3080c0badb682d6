//! The file as the kernel takes it: whole pages, nothing lost in stripping, the data pages where
//! the code expects them.
//!
//! # Invariants
//!
//! 1. Rules that compare with the unstripped image are not judged without one, and the report says
//!    so.

use crate::demand;
use crate::image::Image;
use crate::rule::{Rule, Scope, Severity};
use crate::subject::Subject;
use crate::symbol::{SHN_UNDEF, Symbol};
use crate::verdict::{Verdict, demand, none_of};
use crate::view::notes::layout;
use goblin::elf::section_header::{SHF_ALLOC, SHT_NOBITS};
use liblinux_abi::image::layout::{PAGE_SIZE, TICK};

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "page-multiple",
        severity: Severity::Warning,
        scope: Scope::Any,
        demands: &[demand::WHOLE_PAGES],
        because: "the kernel maps whole pages, and what follows the file in memory would be mapped with its last one",
        remedy: "pad the stripped image to a whole page",
        check: page_multiple,
    },
    Rule {
        name: "tail-padding",
        severity: Severity::Note,
        scope: Scope::Any,
        demands: &[demand::WHOLE_PAGES],
        because: "the padding is mapped executable into every process",
        remedy: "pad with zeros or int3 (0xcc)",
        check: tail_padding,
    },
    Rule {
        name: "between-sections",
        severity: Severity::Note,
        scope: Scope::Any,
        demands: &[demand::WHOLE_PAGES],
        because: "all of the file is mapped executable, and code between the sections is code that no other rule sees",
        remedy: "{build}; the linker fills these places with zeros",
        check: between_sections,
    },
    Rule {
        name: "tick",
        severity: Severity::Error,
        scope: Scope::Liblinux,
        demands: &[],
        because: "the coarse clocks' resolution is read there, a number that the kernel's build writes into the image",
        remedy: "hand the image to a kernel build with `embed` of tools/image, which takes TICK_NSEC from the kernel's configuration",
        check: tick,
    },
    Rule {
        name: "covers-load",
        severity: Severity::Error,
        scope: Scope::Any,
        demands: &[demand::STRIPPED_AGREES],
        because: "vdso2c refuses a stripped image that is shorter than what the program headers promise",
        remedy: "strip the unstripped image of this very link",
        check: covers_load,
    },
    Rule {
        name: "same-code",
        severity: Severity::Warning,
        scope: Scope::Any,
        demands: &[demand::STRIPPED_AGREES],
        because: "debuggers show the unstripped image's symbols and lines for the stripped image's code",
        remedy: "make both from one link",
        check: same_code,
    },
    Rule {
        name: "data-pages",
        severity: Severity::Error,
        scope: Scope::Liblinux,
        demands: &[demand::DATA_PAGE_SYMBOLS],
        because: "vdso2c takes the places of the kernel's data pages from these symbols, and the code reads the pages there",
        remedy: "compare the top of linker/x86_64/vdso.lds with `symbols` in vdso/abi/src/kernel/datapage",
        check: data_pages,
    },
    Rule {
        name: "unique-data-pages",
        severity: Severity::Error,
        scope: Scope::Liblinux,
        demands: &[demand::DATA_PAGE_SYMBOLS],
        because: "vdso2c refuses a symbol that it finds twice",
        remedy: "define each symbol of the data once, in `symbols` in vdso/abi/src/kernel/datapage",
        check: unique_data_pages,
    },
];

fn page_multiple(subject: &Subject<'_>) -> Verdict {
    let (len, unit) = (subject.image.bytes.len(), subject.profile.unit());
    demand!(len.is_multiple_of(unit), "the file has {len} bytes, not a multiple of {unit}");
    Ok(())
}

fn tail_padding(subject: &Subject<'_>) -> Verdict {
    let image = &subject.image;
    let sections = image.sections()?;
    let load = image.load()?;
    let in_file = sections.iter().filter(|section| section.header.sh_type != SHT_NOBITS);
    let section_end = in_file
        .map(|section| section.header.sh_offset.saturating_add(section.header.sh_size))
        .max();
    let table_end =
        image.header.e_shoff.saturating_add(image.class().section() * sections.len() as u64);
    let end =
        table_end.max(section_end.unwrap_or(0)).max(load.p_offset.saturating_add(load.p_filesz));
    let tail = usize::try_from(end).ok().and_then(|end| image.bytes.get(end..));
    let Some(tail) = tail else {
        return Err(format!("the file ends before {end:#x}, where its contents end").into());
    };
    demand!(tail.len() < PAGE_SIZE, "the file has {} bytes of padding, a page or more", tail.len());
    let stray = tail.iter().position(|byte| !matches!(byte, 0 | 0xcc));
    demand!(
        stray.is_none(),
        "the padding holds something at {:#x}",
        end.saturating_add(stray.unwrap_or(0) as u64)
    );
    Ok(())
}

fn between_sections(subject: &Subject<'_>) -> Verdict {
    let image = &subject.image;
    let header = &image.header;
    let sections = image.sections()?;
    let class = image.class();
    let headers = header.e_phoff.saturating_add(class.segment() * u64::from(header.e_phnum));
    let mut ranges: Vec<(u64, u64, &str)> = sections[1..]
        .iter()
        .filter(|section| section.header.sh_type != SHT_NOBITS)
        .map(|section| (section.header.sh_offset, section.header.sh_size, section.name))
        .chain([(header.e_shoff, class.section() * sections.len() as u64, "the section headers")])
        .collect();
    ranges.sort_unstable();
    let mut end = headers;
    let mut wrong = Vec::new();
    for (start, size, name) in ranges {
        demand!(start >= end, "{name} begins at {start:#x}, inside what is in front of it");
        let gap = image.at(end, start - end)?;
        if gap.iter().any(|byte| *byte != 0) {
            wrong.push(format!("{end:#x}..{start:#x}, in front of {name}"));
        }
        end = start.saturating_add(size);
    }
    none_of("bytes of no section that are not zero", &wrong)?;
    if !subject.profile.is_liblinux() {
        return Ok(());
    }
    let load = image.load()?.p_filesz;
    let allocated =
        sections.iter().filter(|section| section.header.sh_flags & u64::from(SHF_ALLOC) != 0);
    let last = allocated
        .map(|section| section.header.sh_offset.saturating_add(section.header.sh_size))
        .max();
    demand!(
        last == Some(load),
        "the PT_LOAD ends at {load:#x}, the last section in it at {last:x?}"
    );
    // Of the sections behind the PT_LOAD, which are mapped all the same, each is text.
    let texts = sections.iter().filter(|section| section.header.sh_offset >= load);
    for section in texts {
        let is_text = |byte: &u8| matches!(byte, 0 | b' '..=b'~');
        demand!(
            image.contents(section)?.iter().all(is_text),
            "{} holds something other than text",
            section.name
        );
    }
    Ok(())
}

/// `TICK_NSEC` of the kernel's choices for `CONFIG_HZ`: 1000, 300, 250, 100.
const TICKS: [u64; 4] = [1_000_000, 3_333_333, 4_000_000, 10_000_000];

fn tick(subject: &Subject<'_>) -> Verdict {
    // The word, and the four bytes up to the text.
    let tick = subject.image.u64(TICK as u64)?;
    demand!(
        tick == 0 || TICKS.contains(&tick),
        "the tick at {TICK:#x} is {tick} ns, which no kernel has"
    );
    Ok(())
}

fn covers_load(subject: &Subject<'_>) -> Verdict {
    let len = subject.image.bytes.len() as u64;
    let of_image = subject.image.load()?.p_filesz;
    demand!(len >= of_image, "the file has {len:#x} bytes, its PT_LOAD {of_image:#x}");
    let of_debug = subject.debug()?.load()?.p_filesz;
    demand!(
        len >= of_debug,
        "the file has {len:#x} bytes, the unstripped image's PT_LOAD {of_debug:#x}"
    );
    Ok(())
}

fn same_code(subject: &Subject<'_>) -> Verdict {
    let debug = subject.debug()?;
    let allocated = |flags: u64| flags & u64::from(SHF_ALLOC) != 0;
    let mut compared = 0_u64;
    let mut differing = Vec::new();
    for section in debug.sections()?.iter().filter(|section| allocated(section.header.sh_flags)) {
        // The kernel reads the exception table from the unstripped image; `extable-absent` demands
        // that only this image has it.
        if section.name == "__ex_table" {
            continue;
        }
        compared = compared.saturating_add(section.header.sh_size);
        demand!(
            compared <= 2 * debug.bytes.len() as u64,
            "the sections of the unstripped image overlap: together they have over twice its bytes"
        );
        let twin = subject.image.find_section(section.name)?;
        let same_place = twin.is_some_and(|twin| {
            (twin.header.sh_addr, twin.header.sh_size)
                == (section.header.sh_addr, section.header.sh_size)
        });
        if !same_place
            || subject.image.at(section.header.sh_addr, section.header.sh_size)?
                != debug.contents(section)?
        {
            differing.push(section.name);
        }
    }
    demand!(compared > 0, "the unstripped image has no allocated bytes to compare");
    none_of("sections that differ between the stripped and the unstripped image", &differing)?;
    // The one section that is not allocated and that stripping keeps as it is.
    let comment = |image: &Image<'_>| {
        image.section(".comment").and_then(|section| Ok(image.contents(section)?.to_vec()))
    };
    demand!(
        comment(&subject.image)? == comment(debug)?,
        "the two images name different compilers in .comment"
    );
    let known = |name: &str| debug.find_section(name).map(|found| found.is_some());
    for section in
        subject.image.sections()?.iter().filter(|section| allocated(section.header.sh_flags))
    {
        demand!(known(section.name)?, "the unstripped image has no section {}", section.name);
    }
    Ok(())
}

/// The symbols of that name that are defined.
fn defined<'s>(symbols: &'s [Symbol<'_>], name: &str) -> Vec<&'s Symbol<'s>> {
    symbols.iter().filter(|symbol| symbol.name == name && symbol.section != SHN_UNDEF).collect()
}

fn data_pages(subject: &Subject<'_>) -> Verdict {
    let symbols = subject.symbols()?;
    let layout = layout(&subject.image)?;
    let first = (layout.size() as u64).wrapping_neg();
    for (name, offset) in layout.all_symbols() {
        let found = defined(symbols, name);
        let Some(symbol) = found.first() else {
            return Err(format!("the unstripped image has no symbol {name}").into());
        };
        let wanted = first.wrapping_add(offset as u64);
        demand!(
            symbol.value == wanted,
            "{name} is {:#x} bytes below the image, not {:#x}",
            symbol.value.wrapping_neg(),
            wanted.wrapping_neg()
        );
    }
    Ok(())
}

fn unique_data_pages(subject: &Subject<'_>) -> Verdict {
    let symbols = subject.symbols()?;
    for (name, _) in layout(&subject.image)?.all_symbols() {
        let count = defined(symbols, name).len();
        demand!(count == 1, "{name} is defined {count} times");
    }
    Ok(())
}
