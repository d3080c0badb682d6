//! What the rules of code say of arm64's: the same rules as for x86, with a judgement of their own.
//!
//! # Invariants
//!
//! 1. Each is a rule of [`crate::rules()`]; a test compares the names.

use crate::arch::aarch64::instruction::{Instruction, Leads, decode};
use crate::arch::aarch64::state::{LINK, SAVED, State, Value};
use crate::flow::Kind;
use crate::flow::aarch64::Followed;
use crate::subject::Subject;
use crate::verdict::{Verdict, none_of, none_of_these};
use crate::view::frames::{Entry, Frames, Row};
use gimli::{AArch64, CfaRule, Register, RegisterRule};
use std::collections::BTreeSet;

/// What a rule says of arm64's code.
type Check = fn(&Subject<'_>) -> Verdict;

/// The rules, by name.
pub(super) const CHECKS: &[(&str, Check)] = &[
    ("decodes", decodes),
    ("text-covered", text_covered),
    ("no-jump-tables", no_jump_tables),
    ("branch-targets", branch_targets),
    ("stack-balance", |subject| refuse(subject, "stacks", Kind::Stack)),
    ("saved-registers", |subject| refuse(subject, "the caller's registers", Kind::Saved)),
    ("function-ends", |subject| refuse(subject, "ends of functions", Kind::Ends)),
    ("unwind-rows", unwind_rows),
];

fn refuse(subject: &Subject<'_>, what: &str, kind: Kind) -> Verdict {
    let faults = subject.followed()?.iter().flat_map(|followed| &followed.faults);
    let wrong: Vec<&str> =
        faults.filter(|(found, _)| *found == kind).map(|(_, what)| what.as_str()).collect();
    none_of(what, &wrong)
}

/// Lists the instructions that `is_wrong`.
fn no_instruction(
    subject: &Subject<'_>,
    what: &str,
    is_wrong: impl Fn(&Instruction) -> bool,
) -> Verdict {
    let all = subject.followed()?.iter().flat_map(|followed| {
        followed.function.instructions.iter().map(|instruction| (&followed.function, instruction))
    });
    let wrong: Vec<_> = all.filter(|(_, instruction)| is_wrong(instruction)).collect();
    none_of_these(what, &wrong, |(function, instruction)| function.place(instruction))
}

fn decodes(subject: &Subject<'_>) -> Verdict {
    no_instruction(subject, "words that are not an instruction", Instruction::is_invalid)
}

fn text_covered(subject: &Subject<'_>) -> Verdict {
    let (image, text) = (&subject.image, subject.image.text()?);
    let ranges = subject.followed()?.iter().map(|followed| followed.function.range.clone());
    let mut from = text.start;
    let mut gaps = Vec::new();
    for range in ranges.chain(std::iter::once(text.end..text.end)) {
        let gap = image.at(from, range.start.saturating_sub(from))?;
        if !decode(gap, from).iter().all(Instruction::is_padding) {
            gaps.push(format!("{from:#x}..{:#x}", range.start));
        }
        from = range.end;
    }
    none_of("gaps between functions that hold more than padding", &gaps)
}

fn no_jump_tables(subject: &Subject<'_>) -> Verdict {
    no_instruction(subject, "indirect jumps and calls", |instruction| {
        matches!(instruction.leads(), Leads::Register | Leads::CallsRegister)
    })
}

fn branch_targets(subject: &Subject<'_>) -> Verdict {
    let all = subject.followed()?.iter().flat_map(|followed| &followed.function.instructions);
    let places: BTreeSet<u64> = all.map(|instruction| instruction.address).collect();
    let what = "branches to places where no instruction of a function begins";
    no_instruction(subject, what, |instruction| match instruction.leads() {
        Leads::To(target) | Leads::Either(target) | Leads::Calls(target) => {
            !places.contains(&target)
        }
        _ => false,
    })
}

fn unwind_rows(subject: &Subject<'_>) -> Verdict {
    let frames = Frames::of(&subject.image)?;
    let entries = frames.entries()?;
    let mut wrong = Vec::new();
    for followed in subject.followed()? {
        let start = followed.function.range.start;
        let before = entries.partition_point(|entry| entry.initial_address() <= start);
        let entry = entries[..before].last().filter(|entry| entry.contains(start));
        // The rows of a signal frame describe what the kernel has put on the stack.
        if let Some(entry) = entry.filter(|entry| !entry.is_signal_trampoline()) {
            wrong.extend(untrue_rows(&frames, entry, followed));
        }
    }
    none_of("call-frame information", &wrong)
}

/// What the rows of an entry say of a function that is not so.
fn untrue_rows(frames: &Frames<'_>, entry: &Entry<'_>, followed: &Followed<'_>) -> Vec<String> {
    let rows = match frames.rows(entry) {
        Ok(rows) => rows,
        Err(error) => return vec![error],
    };
    let pairs = followed.function.instructions.iter().zip(&followed.states);
    let told = pairs.filter_map(|(instruction, state)| {
        let address = instruction.address;
        let after = rows.partition_point(|row| row.addresses.start <= address);
        let row = rows[..after].last().filter(|row| row.addresses.contains(&address))?;
        let what = untrue(row, state.as_ref()?)?;
        Some(format!("{}: {what}", followed.function.place(instruction)))
    });
    told.collect()
}

/// What a row says that is not so in front of an instruction.
fn untrue(row: &Row, state: &State) -> Option<String> {
    let frame = match row.cfa {
        CfaRule::RegisterAndOffset { register, offset } => {
            state.register(register.0.into()) == Value::Place(offset.wrapping_neg())
        }
        CfaRule::Expression(_) => false,
    };
    if !frame {
        return Some(format!("the frame is not at {:?}", row.cfa));
    }
    let rule = |register: usize| {
        let is_it = |found: &&(Register, RegisterRule<usize>)| usize::from(found.0.0) == register;
        row.registers.iter().find(is_it).map(|(_, rule)| rule)
    };
    let there = |register: usize| match rule(register) {
        None | Some(RegisterRule::SameValue | RegisterRule::Undefined) => state.register(register),
        Some(RegisterRule::Offset(offset)) => state.slot(*offset),
        Some(RegisterRule::Register(other)) => state.register(other.0.into()),
        Some(_) => Value::Unknown,
    };
    let is_signed = rule(AArch64::RA_SIGN_STATE.0.into()) == Some(&RegisterRule::Constant(1));
    let wanted = if is_signed { Value::Signed } else { Value::Return };
    if there(LINK) != wanted {
        return Some(format!("the return address is not at {:?}", rule(LINK)));
    }
    let wrong = SAVED.into_iter().find(|saved| there(*saved) != Value::Caller(*saved));
    wrong.map(|register| format!("x{register} of the caller is not where the row says"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arch::aarch64::state::STACK;

    #[test]
    fn a_frame_at_any_distance_is_compared() {
        let register = Register(STACK as u16);
        let cfa = CfaRule::RegisterAndOffset { register, offset: i64::MIN };
        let row = Row { addresses: 0..1, cfa, registers: Vec::new() };
        assert!(untrue(&row, &State::at_entry()).is_some());
    }
}
