//! The exception table: which instructions of the image may fault, and where the kernel resumes.
//!
//! An entry is two 32-bit offsets from the table's start, the instruction and the fixup. The kernel
//! build takes the table out of the unstripped image; a process has no use for it.
//!
//! # Invariants
//!
//! 1. An image without a table is reported as not judged, since it may have nothing that faults.

use crate::demand;
use crate::image::Image;
use crate::rule::{Rule, Scope, Severity};
use crate::subject::Subject;
use crate::verdict::{Fault, Verdict, demand};
use crate::view::exceptions::{KERNEL, kernel};
use iced_x86::Instruction;
use std::collections::BTreeSet;

const REMEDY: &str = "look at the entries pushed to __ex_table in {source}";

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "extable-absent",
        severity: Severity::Note,
        scope: Scope::Any,
        demands: &[demand::EXCEPTION_TABLE],
        because: "the kernel reads the table from the unstripped image; mapped into processes it only says where they fault",
        remedy: "strip with `objcopy --remove-section __ex_table`",
        check: extable_absent,
    },
    Rule {
        name: "extable-unique",
        severity: Severity::Error,
        scope: Scope::Any,
        demands: &[demand::EXCEPTION_TABLE],
        because: "an instruction with two fixups resumes at the one that the kernel finds first",
        remedy: REMEDY,
        check: extable_unique,
    },
    Rule {
        name: "extable-targets",
        severity: Severity::Error,
        scope: Scope::Any,
        demands: &[demand::EXCEPTION_TABLE],
        because: "the kernel compares with the faulting instruction's address and resumes at the fixup, with no check of its own",
        remedy: REMEDY,
        check: extable_targets,
    },
];

/// Instruction and fixup of every entry, at least one.
pub(super) fn entries(image: &Image<'_>) -> Result<Vec<(u64, u64)>, Fault> {
    kernel(image)?.ok_or_else(|| Fault::NotJudged(format!("the image has no {KERNEL}")))
}

fn extable_absent(subject: &Subject<'_>) -> Verdict {
    demand!(
        subject.image.find_section(KERNEL)?.is_none(),
        "the image that processes see has a section {KERNEL}"
    );
    Ok(())
}

fn extable_unique(subject: &Subject<'_>) -> Verdict {
    let mut seen = BTreeSet::new();
    let entries = entries(subject.debug()?)?;
    let twice = entries.iter().find(|(instruction, _)| !seen.insert(*instruction));
    demand!(twice.is_none(), "{KERNEL} has two entries for an instruction: {twice:x?}");
    Ok(())
}

fn extable_targets(subject: &Subject<'_>) -> Verdict {
    let entries = entries(subject.debug()?)?;
    let starts: BTreeSet<u64> = subject
        .functions()?
        .iter()
        .flat_map(|function| &function.instructions)
        .map(Instruction::ip)
        .collect();
    let text = subject.image.text()?;
    for (instruction, fixup) in entries {
        for (what, place) in [("instruction", instruction), ("fixup", fixup)] {
            demand!(text.contains(&place), "the {what} {place:#x} of {KERNEL} is outside .text");
            demand!(
                starts.contains(&place),
                "the {what} {place:#x} of {KERNEL} is where no instruction begins"
            );
        }
    }
    Ok(())
}
