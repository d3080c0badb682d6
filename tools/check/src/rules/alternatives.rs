//! The kernel's alternatives: instructions that it replaces in the image, before any process sees it.
//!
//! The kernel applies them with no check but its own assertions, which panic at boot. The format is `struct alt_instr` of
//! Linux 6.12: two offsets relative to themselves, a feature number with flags, two lengths.
//!
//! # Invariants
//!
//! 1. An image without alternatives is reported as not judged, since it may need none.

use crate::image::Image;
use crate::rule::{Fault, Rule, Verdict, demand};
use crate::subject::Subject;
use iced_x86::Instruction;
use liblinux_abi::arch::x86_64::alternative::ENTRY_SIZE;
use std::collections::BTreeSet;
use std::ops::Range;

const SECTION: &str = ".altinstructions";
const REPLACEMENTS: &str = ".altinstr_replacement";

/// Feature numbers end here: `NCAPINTS` (22) and `NBUGINTS` (2) words of 32 in Linux 6.12.
const FEATURES: u32 = (22 + 2) * 32;

const REMEDY: &str = "look at the entries pushed to .altinstructions in vdso/image/src/arch/x86_64";

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "alternative-format",
        rows: &[],
        because: "the kernel steps through the table by its own struct's size, and panics on a feature that does not exist",
        remedy: REMEDY,
        check: alternative_format,
    },
    Rule {
        name: "alternative-originals",
        rows: &[],
        because: "the kernel overwrites the instructions that an entry names, wherever they are",
        remedy: REMEDY,
        check: alternative_originals,
    },
    Rule {
        name: "alternative-replacements",
        rows: &[],
        because: "the kernel copies the replacement over the original, and what is longer than that destroys what follows",
        remedy: REMEDY,
        check: alternative_replacements,
    },
];

/// One entry.
struct Alternative {
    original: Range<u64>,
    replacement: Range<u64>,
    feature: u32,
    flags: u32,
}

/// All entries, none if there is no table.
fn read(image: &Image<'_>) -> Result<Vec<Alternative>, String> {
    let Some(section) = image.find_section(SECTION)? else { return Ok(Vec::new()) };
    let bytes = image.contents(section)?;
    let entries = bytes.chunks_exact(ENTRY_SIZE).zip((section.header.sh_addr..).step_by(ENTRY_SIZE));
    let word = |entry: &[u8], at: usize| {
        entry[at..at + 4].iter().rev().fold(0, |word: u32, byte| word << 8 | u32::from(*byte))
    };
    let found = entries.map(|(entry, address)| {
        let place = |at: usize| {
            address.wrapping_add(at as u64).wrapping_add_signed(word(entry, at).cast_signed().into())
        };
        let (original, replacement) = (place(0), place(4));
        Alternative {
            original: original..original.wrapping_add(entry[12].into()),
            replacement: replacement..replacement.wrapping_add(entry[13].into()),
            feature: word(entry, 8) & 0xffff,
            flags: word(entry, 8) >> 16,
        }
    });
    Ok(found.collect())
}

/// All entries, at least one.
fn alternatives(image: &Image<'_>) -> Result<Vec<Alternative>, Fault> {
    let found = read(image)?;
    if found.is_empty() {
        return Err(Fault::NotJudged(format!("the image has no {SECTION}")));
    }
    Ok(found)
}

/// The code of the replacements, without the empty ones and those that are not in the image.
pub(crate) fn replacements(image: &Image<'_>) -> Result<Vec<Range<u64>>, String> {
    let ranges = read(image)?.into_iter().map(|entry| entry.replacement);
    Ok(ranges
        .filter(|range| range.start < range.end && image.at(range.start, range.end - range.start).is_ok())
        .collect())
}

fn alternative_format(subject: &Subject<'_>) -> Verdict {
    let image = &subject.image;
    let entries = alternatives(image)?;
    let size = image.section(SECTION)?.header.sh_size;
    demand!(
        size.is_multiple_of(ENTRY_SIZE as u64),
        "{SECTION} has {size} bytes, no multiple of {ENTRY_SIZE}"
    );
    for entry in entries {
        let (place, feature, flags) = (entry.original.start, entry.feature, entry.flags);
        demand!(
            feature < FEATURES,
            "the alternative for {place:#x} asks for feature {feature}, which does not exist"
        );
        // Bit 0 is ALT_FLAG_NOT; the other one rewrites calls inside the kernel.
        demand!(flags & !1 == 0, "the alternative for {place:#x} has flags {flags:#x}");
    }
    Ok(())
}

fn alternative_originals(subject: &Subject<'_>) -> Verdict {
    let entries = alternatives(&subject.image)?;
    let text = subject.image.text()?;
    let functions = subject.functions()?;
    let edges: BTreeSet<u64> = functions
        .iter()
        .flat_map(|function| function.instructions.iter().map(Instruction::ip).chain([function.range.end]))
        .collect();
    for entry in &entries {
        let Range { start, end } = entry.original;
        demand!(start < end, "the alternative for {start:#x} replaces nothing");
        demand!(
            text.start <= start && end <= text.end,
            "the alternative for {start:#x} replaces code outside .text"
        );
        demand!(
            edges.contains(&start) && edges.contains(&end),
            "the alternative for {start:#x}..{end:#x} replaces parts of instructions"
        );
        let overlapping = entries.iter().find(|other| {
            other.original.start != start && other.original.start < end && start < other.original.end
        });
        demand!(overlapping.is_none(), "the alternative for {start:#x} overlaps another one");
    }
    Ok(())
}

fn alternative_replacements(subject: &Subject<'_>) -> Verdict {
    let image = &subject.image;
    let entries = alternatives(image)?;
    let home = &image.section(REPLACEMENTS)?.header;
    let home = home.sh_addr..home.sh_addr.saturating_add(home.sh_size);
    for entry in entries {
        let (place, Range { start, end }) = (entry.original.start, entry.replacement);
        let inside = start == end || (home.start <= start && start < end && end <= home.end);
        demand!(inside, "the alternative for {place:#x} takes {start:#x}..{end:#x}, outside {REPLACEMENTS}");
        let (old, new) = (entry.original.end.wrapping_sub(place), end.wrapping_sub(start));
        demand!(new <= old, "the alternative for {place:#x} puts {new} bytes over {old}");
    }
    Ok(())
}
