//! Instructions that the image must not have, and how much of the stack it may take.
//!
//! The image runs on its caller's stack, with the registers and segment bases that the caller has.
//! Each rule is one thing that no instruction may do.
//!
//! # Invariants
//!
//! 1. As in `code`: every function, slot and replacement is looked at.

use super::code::no_instruction;
use crate::arch::instruction::{changes_flags, growth, is_baseline, uses_segments, uses_vectors};
use crate::demand;
use crate::rule::{Rule, Scope, Severity};
use crate::spans::Spans;
use crate::subject::Subject;
use crate::verdict::{Verdict, none_of};
use crate::view::{alternatives, exceptions};
use iced_x86::Mnemonic;
use std::collections::BTreeSet;

/// The largest frame of one function, in bytes.
const FRAME_MAX: u64 = 512;

/// Functions whose name contains this may use vector registers; they save nothing across calls and
/// wipe what they used.
const VECTOR_CODE: &str = "chacha";

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "no-flag-changes",
        severity: Severity::Warning,
        scope: Scope::Any,
        demands: &[],
        because: "callers build on a clear direction flag, and single-stepping and alignment checks are theirs to set",
        remedy: "copy memory upwards, and keep flags in no register: remove std and popf from {source}",
        check: no_flag_changes,
    },
    Rule {
        name: "no-segments",
        severity: Severity::Warning,
        scope: Scope::Any,
        demands: &[demand::CODE_BOUNDS],
        because: "the caller's fs and gs may point to another libc's data, or to nothing",
        remedy: "look for thread-local variables and the stack protector in {source}'s build",
        check: no_segments,
    },
    Rule {
        name: "no-vectors",
        severity: Severity::Warning,
        scope: Scope::Any,
        demands: &[demand::CODE_BOUNDS],
        because: "entries keep every register but rax, rcx, r10 and r11, and language runtimes build on that",
        remedy: "build for x86_64-unknown-none, or with soft floats and without vector features",
        check: no_vectors,
    },
    Rule {
        name: "baseline-instructions",
        severity: Severity::Warning,
        scope: Scope::Any,
        demands: &[],
        because: "the image runs on every x86-64 processor; newer instructions come in through alternatives alone",
        remedy: "build the image for x86-64-v1, or push an entry to .altinstructions",
        check: baseline_instructions,
    },
    Rule {
        name: "frame-bound",
        severity: Severity::Warning,
        scope: Scope::Any,
        demands: &[demand::CODE_BOUNDS],
        because: "Go calls the vDSO on stacks of few kilobytes, with no guard page in reach",
        remedy: "move large locals of the function to memory of the caller, or split it",
        check: frame_bound,
    },
];

fn no_flag_changes(subject: &Subject<'_>) -> Verdict {
    no_instruction(
        subject,
        "instructions that set the direction flag, or all flags",
        |_, instruction| changes_flags(instruction),
    )
}

fn no_segments(subject: &Subject<'_>) -> Verdict {
    no_instruction(
        subject,
        "instructions that use fs or gs, or set a segment register",
        |_, instruction| uses_segments(instruction),
    )
}

fn no_vectors(subject: &Subject<'_>) -> Verdict {
    // Without names: a function that has no entry and calls nothing, as only such code is.
    no_instruction(subject, "floating-point and vector instructions", |function, instruction| {
        let has_name = function.names.is_empty()
            || function.names.iter().any(|name| name.contains(VECTOR_CODE));
        let is_vector_code = has_name && function.body_of.is_none() && !function.has_call;
        uses_vectors(instruction) && !is_vector_code
    })
}

fn baseline_instructions(subject: &Subject<'_>) -> Verdict {
    let own = exceptions::own(&subject.image)?.unwrap_or_default();
    let guarded: BTreeSet<u64> = own.into_iter().map(|entry| entry.instruction).collect();
    // A kernel that maps the image has put its alternatives in.
    let replaced = match subject.profile.is_liblinux() {
        true => Spans::default(),
        false => alternatives::read(&subject.image)?.into_iter().map(|one| one.original).collect(),
    };
    no_instruction(
        subject,
        "instructions that not every x86-64 processor has",
        |function, instruction| {
            // Vectors have a rule of their own, and so has what does not decode.
            let other = uses_vectors(instruction) || instruction.is_invalid();
            // Without SGX, `enclu` raises an exception that the function reports.
            let handled = function.enters_enclaves() && instruction.mnemonic() == Mnemonic::Enclu;
            // An access that is in the exception table reports that exception, too.
            let handled = handled
                || instruction.mnemonic() == Mnemonic::Cmpxchg16b
                    && guarded.contains(&instruction.ip());
            // Elsewhere it is one of the instructions that do nothing.
            let handled = handled || instruction.mnemonic() == Mnemonic::Rdsspq;
            let is_replaced = replaced.contains(instruction.ip());
            !function.is_replacement
                && !is_replaced
                && !other
                && !handled
                && !is_baseline(instruction)
        },
    )
}

fn frame_bound(subject: &Subject<'_>) -> Verdict {
    let mut wrong = Vec::new();
    for function in subject.functions()? {
        let mut frame: u64 = 0;
        for instruction in &function.instructions {
            match growth(instruction) {
                Some(bytes) => frame = frame.saturating_add(bytes),
                // Its frame holds what the caller's handler asks for.
                None if function.enters_enclaves() && !subject.profile.is_liblinux() => {}
                // The frame of the landing, which the kernel has written.
                None if function.ends_landing() => {}
                None => wrong.push(format!("{} has no fixed size", function.place(instruction))),
            }
        }
        if frame > FRAME_MAX {
            wrong.push(format!("{} takes {frame} bytes", function.name()));
        }
    }
    none_of("frames over 512 bytes or of no fixed size", &wrong)
}
