//! Exception fixups: the entries of their functions, the private calls, and the image's own fixups.
//!
//! # Invariants
//!
//! 1. Encodings come from [`stub`](crate::arch::stub), not from the image's assembler, which is
//!    what is checked.

use super::extable;
use crate::arch::stub::{INT3, decline, jump_of, private_body, resume};
use crate::demand;
use crate::function;
use crate::rule::{Rule, Scope, Severity};
use crate::subject::Subject;
use crate::verdict::{Fault, Verdict, demand, none_of};
use crate::view::exceptions::{self, Fixup, OWN};
use iced_x86::{Instruction, Mnemonic, OpKind};
use liblinux_abi::image::export::{BODY, FIXUPS, FRAME_ENDS, PRIVATE};
use liblinux_abi::image::layout::{self, SLOT_SIZE, fixup_slot};
use std::collections::BTreeSet;
use std::ops::Range;

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "fixup-slots",
        severity: Severity::Error,
        scope: Scope::Liblinux,
        demands: &[demand::LOCKED, demand::ENTRY_ROOM],
        because: "old checkpoints hold the addresses of these entries, while the bodies behind them may move",
        remedy: "compare vdso/image/src/arch/x86_64/fixups.rs with `export::FIXUPS` and `layout::fixup_slot` in vdso/abi",
        check: fixup_slots,
    },
    Rule {
        name: "private-calls",
        severity: Severity::Error,
        scope: Scope::Liblinux,
        demands: &[demand::DECLARED_CALLS],
        because: "the kernel writes one number into the image, and the number that an entry adds to it selects the call",
        remedy: "compare vdso/image/src/arch/x86_64/private.rs with `export::PRIVATE` in vdso/abi",
        check: private_calls,
    },
    Rule {
        name: "frame-ends",
        severity: Severity::Error,
        scope: Scope::Liblinux,
        demands: &[demand::DECLARED_CALLS],
        because: "these load all registers of another place, so no rule that follows a function can judge them",
        remedy: "compare vdso/image/src/arch/x86_64/resume.rs with `resume` and `decline` in tools/check/src/arch/x86_64/stub.rs",
        check: frame_ends,
    },
    Rule {
        name: "fixup-table",
        severity: Severity::Error,
        scope: Scope::Liblinux,
        demands: &[demand::EXCEPTION_TABLE],
        because: "a handler resumes where the first entry for the instruction says, with no check of its own",
        remedy: "look at `on_fault!` of vdso/image/src/arch/x86_64/exception.rs",
        check: fixup_table,
    },
    Rule {
        name: "own-fixups",
        severity: Severity::Error,
        scope: Scope::Liblinux,
        demands: &[demand::EXCEPTION_TABLE],
        because: "a signal handler stands in for the kernel with this table: an entry that differs from the kernel's is a crash there",
        remedy: "use `on_fault!` of vdso/image/src/arch/x86_64/exception.rs for every access, then `cargo xtask image`",
        check: own_fixups,
    },
];

fn fixup_slots(subject: &Subject<'_>) -> Verdict {
    let image = &subject.image;
    let exports = image.exports()?;
    let text = image.text()?;
    let mut wrong = Vec::new();
    for (index, name) in FIXUPS.into_iter().enumerate() {
        let start = fixup_slot(index) as u64;
        let size = SLOT_SIZE as u64;
        let is_exported = exports
            .iter()
            .any(|symbol| (symbol.name, symbol.value, symbol.size) == (name, start, size));
        let Some((target, used)) = jump_of(image.at(start, size)?, start) else {
            wrong.push(format!("{name} at {start:#x} is not a jump"));
            continue;
        };
        let is_padded = image.at(start, size)?[used..].iter().all(|byte| *byte == INT3);
        if !is_exported || !is_padded || !text.contains(&target) {
            wrong.push(format!("{name}: {start:#x} is not its slot, which ends with a jump"));
        }
        if PRIVATE.contains(&name) && body(subject, name)?.start != target {
            wrong.push(format!("{name} jumps to {target:#x}, which is not its body"));
        }
    }
    none_of("entries of exception fixups that are not in their slots", &wrong)
}

/// Where the body of a private call is.
fn body(subject: &Subject<'_>, name: &str) -> Result<Range<u64>, Fault> {
    let found = subject.functions()?.iter().find(|function| function.body_of == Some(name));
    found
        .map(|function| function.range.clone())
        .ok_or_else(|| Fault::Wrong(format!("the image has no function {name}{BODY}")))
}

fn private_calls(subject: &Subject<'_>) -> Verdict {
    let image = &subject.image;
    let word = layout::PRIVATE as u64;
    demand!(
        image.at(word, 4)? == [0; 4],
        "the file has a number for the first private call at {word:#x}"
    );
    let mut wrong = Vec::new();
    for (index, name) in (0..).zip(PRIVATE) {
        let Range { start, end } = body(subject, name)?;
        if image.at(start, end - start)? != private_body(start, index) {
            wrong.push(format!("{name}.body at {start:#x}"));
        }
    }
    none_of("private calls that do not make the call of their name and nothing else", &wrong)
}

fn frame_ends(subject: &Subject<'_>) -> Verdict {
    let call = body(subject, "__vdso_fixup_return")?.start;
    let mut wrong = Vec::new();
    for (name, expected) in FRAME_ENDS.into_iter().zip([resume, decline]) {
        let Range { start, end } = body(subject, name)?;
        if subject.image.at(start, end - start)? != expected(start, call) {
            wrong.push(format!("{name}.body at {start:#x}"));
        }
    }
    none_of("ends of landings with other instructions than the checker expects", &wrong)
}

/// The entries of the image's own table, at least one.
fn own(subject: &Subject<'_>) -> Result<Vec<Fixup>, Fault> {
    exceptions::own(&subject.image)?
        .ok_or_else(|| Fault::Wrong(format!("the image has no section {OWN}")))
}

fn fixup_table(subject: &Subject<'_>) -> Verdict {
    let own = own(subject)?;
    let odd = own.iter().find(|entry| (entry.len, entry.flags) != (1, 0));
    demand!(
        odd.is_none(),
        "an entry of {OWN} covers more than one instruction, or has flags: {odd:x?}"
    );
    let mut seen = BTreeSet::new();
    let twice = own.iter().find(|entry| !seen.insert(entry.instruction));
    demand!(twice.is_none(), "{OWN} has two entries for an instruction: {twice:x?}");
    let mut wrong = Vec::new();
    for entry in own {
        let Fixup { instruction: place, landing, .. } = entry;
        let home = function::home(subject.functions()?, place);
        if home.is_some_and(|home| home.leads_elsewhere) {
            continue;
        }
        let found = home.and_then(|home| Some(&home.instructions[home.index_of(place)?]));
        let is_access = |found: &Instruction| {
            found.mnemonic() == Mnemonic::Enclu
                || (0..found.op_count()).any(|operand| found.op_kind(operand) == OpKind::Memory)
        };
        let lands = home.is_some_and(|home| home.index_of(landing).is_some());
        if !found.is_some_and(is_access) {
            wrong.push(format!("{place:#x} is not an access to memory"));
        } else if !lands {
            wrong.push(format!(
                "{place:#x} lands at {landing:#x}, not at an instruction of the same function"
            ));
        }
    }
    none_of(&format!("entries of {OWN}"), &wrong)
}

fn own_fixups(subject: &Subject<'_>) -> Verdict {
    let kernel = extable::entries(subject.debug()?)?;
    let own: Vec<(u64, u64)> =
        own(subject)?.into_iter().map(|entry| (entry.instruction, entry.landing)).collect();
    // One macro writes both, and the linker keeps its order.
    let differing = kernel.iter().zip(&own).find(|(kernel, own)| kernel != own);
    demand!(differing.is_none(), "{OWN} and the kernel's table differ: {differing:x?}");
    demand!(
        kernel.len() == own.len(),
        "{OWN} has {} entries, the kernel's table {}",
        own.len(),
        kernel.len()
    );
    Ok(())
}
