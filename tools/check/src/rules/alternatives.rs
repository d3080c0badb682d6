//! The kernel's alternatives: instructions that it replaces in the image, before any process sees
//! it.
//!
//! The kernel applies them with no check but its own assertions, which panic at boot.
//!
//! # Invariants
//!
//! 1. An image without alternatives is reported as not judged, since it may need none.

use crate::arch::alternative::{Alternative, FEATURE_LIMIT, FEATURES, FLAG_NOT, KNOWN_FLAGS};
use crate::function::decode;
use crate::image::Image;
use crate::rule::{Rule, Scope, Severity};
use crate::spans::Spans;
use crate::subject::Subject;
use crate::verdict::{Fault, Verdict, demand};
use crate::view::alternatives::{REPLACEMENTS, SECTION, read, size_of_entries};
use iced_x86::Instruction;
use std::collections::BTreeSet;
use std::ops::Range;

const REMEDY: &str = "look at the entries pushed to .altinstructions in {source}";

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "alternative-format",
        severity: Severity::Warning,
        scope: Scope::Linux,
        demands: &[],
        because: "the kernel steps through the table by its own struct's size, and puts in what the feature allows, feature 0 always",
        remedy: REMEDY,
        check: alternative_format,
    },
    Rule {
        name: "alternative-originals",
        severity: Severity::Warning,
        scope: Scope::Linux,
        demands: &[],
        because: "the kernel overwrites the instructions that an entry names, wherever they are",
        remedy: REMEDY,
        check: alternative_originals,
    },
    Rule {
        name: "alternative-replacements",
        severity: Severity::Warning,
        scope: Scope::Linux,
        demands: &[],
        because: "the kernel copies the replacement over the original, and a longer one destroys the code behind it",
        remedy: REMEDY,
        check: alternative_replacements,
    },
];

/// All entries, at least one.
fn alternatives(image: &Image<'_>) -> Result<Vec<Alternative>, Fault> {
    let found = read(image)?;
    if found.is_empty() {
        return Err(Fault::NotJudged(format!("the image has no {SECTION}")));
    }
    Ok(found)
}

fn alternative_format(subject: &Subject<'_>) -> Verdict {
    let image = &subject.image;
    let entries = alternatives(image)?;
    let size = image.section(SECTION)?.header.sh_size;
    let entry_size = size_of_entries(image)?;
    demand!(
        size.is_multiple_of(entry_size as u64),
        "{SECTION} has {size} bytes, not a multiple of {entry_size}"
    );
    if !subject.profile.is_liblinux() {
        return known_features(&entries);
    }
    for entry in entries {
        let (place, feature, flags) = (entry.original.start, entry.feature, entry.flags);
        demand!(
            FEATURES.iter().any(|(known, _)| *known == feature),
            "the alternative for {place:#x} asks for feature {feature}, which is not one that the image's code needs"
        );
        let Range { start, end } = entry.replacement;
        let new = decode(image.at(start, end.saturating_sub(start))?, start);
        let needs = |mnemonic| {
            FEATURES.iter().find(|(_, needs)| *needs == Some(mnemonic)).map(|found| found.0)
        };
        let other =
            new.iter().find(|new| needs(new.mnemonic()).is_some_and(|needed| needed != feature));
        if let Some(other) = other {
            return Err(Fault::Wrong(format!(
                "the alternative for {place:#x} puts in {other} for feature {feature}"
            )));
        }
        demand!(flags & !FLAG_NOT == 0, "the alternative for {place:#x} has flags {flags:#x}");
    }
    Ok(())
}

/// Whether the features are ones that a kernel can have: which, is its own affair.
fn known_features(entries: &[Alternative]) -> Verdict {
    for Alternative { original, feature, flags, .. } in entries {
        let place = original.start;
        demand!(*feature < FEATURE_LIMIT, "the alternative for {place:#x} asks for {feature:#x}");
        demand!(flags & !KNOWN_FLAGS == 0, "the alternative for {place:#x} has flags {flags:#x}");
    }
    Ok(())
}

fn alternative_originals(subject: &Subject<'_>) -> Verdict {
    let entries = alternatives(&subject.image)?;
    let text = subject.image.text()?;
    let functions = subject.functions()?;
    let edges: BTreeSet<u64> = functions
        .iter()
        .flat_map(|function| {
            function.instructions.iter().map(Instruction::ip).chain([function.range.end])
        })
        .collect();
    let dead: Spans = functions
        .iter()
        .filter(|function| function.leads_elsewhere)
        .map(|function| function.range.clone())
        .collect();
    for entry in &entries {
        let Range { start, end } = entry.original;
        demand!(start < end, "the alternative for {start:#x} replaces nothing");
        demand!(
            text.start <= start && end <= text.end,
            "the alternative for {start:#x} replaces code outside .text"
        );
        if dead.contains(start) {
            continue;
        }
        demand!(
            edges.contains(&start) && edges.contains(&end),
            "the alternative for {start:#x}..{end:#x} replaces parts of instructions"
        );
        let overlapping = entries.iter().find(|other| {
            other.original.start != start
                && other.original.start < end
                && start < other.original.end
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
        demand!(
            inside,
            "the alternative for {place:#x} takes {start:#x}..{end:#x}, outside {REPLACEMENTS}"
        );
        let (old, new) = (entry.original.end.wrapping_sub(place), end.wrapping_sub(start));
        demand!(new <= old, "the alternative for {place:#x} puts {new} bytes over {old}");
    }
    Ok(())
}
