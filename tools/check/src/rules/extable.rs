//! The exception table: which instructions of the image may fault, and where the kernel resumes.
//!
//! An entry is two 32-bit offsets from the table's start, the instruction and the fixup. The kernel build takes the table
//! out of the unstripped image; in a process it would be of no use.
//!
//! # Invariants
//!
//! 1. An image without a table is reported as not judged, since it may have nothing that faults.

use crate::image::Image;
use crate::rule::{Fault, Rule, Verdict, demand};
use crate::subject::Subject;
use iced_x86::Instruction;
use std::collections::BTreeSet;

const SECTION: &str = "__ex_table";

/// Bytes of an entry.
const ENTRY_SIZE: u64 = 8;

const REMEDY: &str = "look at the entries pushed to __ex_table in vdso/image/src/arch/x86_64";

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "extable-absent",
        rows: &[26],
        because: "the kernel reads the table from the unstripped image; mapped into processes it only says where they fault",
        remedy: "strip with `objcopy --remove-section __ex_table`: `cargo xtask image` does",
        check: extable_absent,
    },
    Rule {
        name: "extable-order",
        rows: &[26],
        because: "an instruction with two fixups resumes at whichever the kernel finds first",
        remedy: REMEDY,
        check: extable_order,
    },
    Rule {
        name: "extable-targets",
        rows: &[26],
        because: "the kernel compares with the faulting instruction's address and resumes at the fixup, with no check of its own",
        remedy: REMEDY,
        check: extable_targets,
    },
];

/// The instructions that have an entry; none if there is no table.
pub(super) fn instructions(subject: &Subject<'_>) -> Result<BTreeSet<u64>, Fault> {
    match subject.debug().and_then(entries) {
        Ok(entries) => Ok(entries.into_iter().map(|(instruction, _)| instruction).collect()),
        Err(Fault::NotJudged(_)) => Ok(BTreeSet::new()),
        Err(fault) => Err(fault),
    }
}

/// Instruction and fixup of every entry, at least one.
pub(super) fn entries(image: &Image<'_>) -> Result<Vec<(u64, u64)>, Fault> {
    let Some(section) = image.find_section(SECTION)? else {
        return Err(Fault::NotJudged(format!("the image has no {SECTION}")));
    };
    let (start, size) = (section.header.sh_addr, section.header.sh_size);
    demand!(size > 0, "{SECTION} is empty");
    demand!(size.is_multiple_of(ENTRY_SIZE), "{SECTION} has {size} bytes, no multiple of {ENTRY_SIZE}");
    let place = |bytes: &[u8]| {
        let offset = bytes.iter().rev().fold(0, |word: u32, byte| word << 8 | u32::from(*byte)).cast_signed();
        start.wrapping_add_signed(offset.into())
    };
    Ok(image
        .contents(section)?
        .chunks_exact(8)
        .map(|entry| (place(&entry[..4]), place(&entry[4..])))
        .collect())
}

fn extable_absent(subject: &Subject<'_>) -> Verdict {
    demand!(
        subject.image.find_section(SECTION)?.is_none(),
        "the image that processes see has a section {SECTION}"
    );
    Ok(())
}

fn extable_order(subject: &Subject<'_>) -> Verdict {
    let entries = entries(subject.debug()?)?;
    let disorder = entries.windows(2).find(|pair| pair[0].0 >= pair[1].0);
    match disorder {
        None => Ok(()),
        Some(pair) => Err(format!("{SECTION} has {:#x} before {:#x}", pair[0].0, pair[1].0).into()),
    }
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
            demand!(text.contains(&place), "the {what} {place:#x} of {SECTION} is outside .text");
            demand!(
                starts.contains(&place),
                "the {what} {place:#x} of {SECTION} is where no instruction begins"
            );
        }
    }
    Ok(())
}
