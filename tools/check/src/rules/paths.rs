//! Every path through every function: the stack, the caller's registers, the direction flag, the
//! end, and that nothing is read unset.
//!
//! # Invariants
//!
//! 1. Every function and slot is followed from its first instruction; a replacement is code in the
//!    midst of one, so of it only what it writes is looked at.

use crate::arch::register::{RSP, SAVED, general};
use crate::demand;
use crate::flow::Kind;
use crate::rule::{Rule, Scope, Severity};
use crate::subject::Subject;
use crate::verdict::{Verdict, none_of};
use iced_x86::{InstructionInfoFactory, OpAccess, Register};

const REMEDY: &str = "disassemble the place in {unstripped} with objdump -d; compiled code obeys, so look at the assembly";

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "stack-balance",
        severity: Severity::Error,
        scope: Scope::Any,
        demands: &[demand::CODE_BOUNDS],
        because: "a function that takes more or less from the stack than it puts there returns to some other address",
        remedy: REMEDY,
        check: stack_balance,
    },
    Rule {
        name: "saved-registers",
        severity: Severity::Error,
        scope: Scope::Any,
        demands: &[demand::CODE_BOUNDS],
        because: "callers keep values of their own in rbx, rbp and r12 to r15 across every call",
        remedy: REMEDY,
        check: saved_registers,
    },
    Rule {
        name: "direction-flag",
        severity: Severity::Error,
        scope: Scope::Any,
        demands: &[],
        because: "callers copy with rep movs as soon as the function has returned, and would copy backwards",
        remedy: REMEDY,
        check: direction_flag,
    },
    Rule {
        name: "function-ends",
        severity: Severity::Warning,
        scope: Scope::Any,
        demands: &[demand::DECLARED_CALLS, demand::NO_ABSOLUTE_ADDRESSES],
        because: "code that runs off its function's end, or jumps into another's midst, executes instructions that no path should reach",
        remedy: REMEDY,
        check: function_ends,
    },
    Rule {
        name: "set-registers",
        severity: Severity::Note,
        scope: Scope::Liblinux,
        demands: &[],
        because: "a register that the function did not set has another value in every caller",
        remedy: REMEDY,
        check: set_registers,
    },
];

fn refuse(subject: &Subject<'_>, what: &str, kind: Kind) -> Verdict {
    let (flows, functions) = (subject.flows()?, subject.functions()?);
    // What enters an enclave returns from it, or from the caller's handler, to places that only its
    // own tables tell; liblinux's are known.
    let is_followed = |index: usize| {
        let function = &functions[index];
        !function.ends_landing() && (subject.profile.is_liblinux() || !function.enters_enclaves())
    };
    let followed = flows.iter().filter(|(index, _)| is_followed(*index));
    let faults = followed.flat_map(|(_, flow)| &flow.faults);
    let wrong: Vec<&str> =
        faults.filter(|(found, _)| *found == kind).map(|(_, what)| what.as_str()).collect();
    none_of(what, &wrong)
}

fn stack_balance(subject: &Subject<'_>) -> Verdict {
    refuse(subject, "stacks", Kind::Stack)
}

fn saved_registers(subject: &Subject<'_>) -> Verdict {
    refuse(subject, "the caller's registers", Kind::Saved)?;
    let mut factory = InstructionInfoFactory::new();
    let mut wrong = Vec::new();
    for function in subject.functions()?.iter().filter(|function| function.is_replacement) {
        for instruction in &function.instructions {
            let is_kept = |register: Register| {
                general(register).is_some_and(|number| SAVED.contains(&number) || number == RSP)
            };
            let info = factory.info(instruction);
            let mut used = info.used_registers().iter();
            if used.any(|used| {
                !matches!(
                    used.access(),
                    OpAccess::Read | OpAccess::CondRead | OpAccess::NoMemAccess
                ) && is_kept(used.register())
            }) {
                wrong.push(function.place(instruction));
            }
        }
    }
    none_of("replacements that change the stack pointer or the caller's registers", &wrong)
}

fn direction_flag(subject: &Subject<'_>) -> Verdict {
    refuse(subject, "the direction flag", Kind::Direction)
}

fn function_ends(subject: &Subject<'_>) -> Verdict {
    refuse(subject, "ends of functions", Kind::Ends)
}

fn set_registers(subject: &Subject<'_>) -> Verdict {
    refuse(subject, "registers and flags", Kind::Unset)
}
