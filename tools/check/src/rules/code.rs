//! The code of the image: all of it decodes, and all of it belongs to a function.
//!
//! # Invariants
//!
//! 1. Every rule of code looks at every function of the unstripped image's symbol table, at every
//!    slot, and at every replacement of an alternative; the rule `text-covered` refuses code that
//!    belongs to none of them.

use crate::demand;
use crate::function::{CODE_LIMIT, Function, decode_as};
use crate::rule::{Rule, Scope, Severity};
use crate::subject::Subject;
use crate::verdict::{Verdict, none_of, none_of_these};
use iced_x86::{Instruction, Mnemonic, OpKind, Register};

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "decodes",
        severity: Severity::Warning,
        scope: Scope::Any,
        demands: &[demand::DECLARED_CALLS, demand::CODE_BOUNDS, demand::NO_ABSOLUTE_ADDRESSES],
        because: "bytes that do not decode are data among code, or a function that ends within an instruction",
        remedy: "disassemble the place in {unstripped} with objdump -d, and move data to .rodata",
        check: decodes,
    },
    Rule {
        name: "text-covered",
        severity: Severity::Note,
        scope: Scope::Any,
        demands: &[demand::DECLARED_CALLS],
        because: "code that belongs to no function is seen by no other rule, and has no call-frame information",
        remedy: "give the code a symbol with .type @function and .size, or fill the gap with int3",
        check: text_covered,
    },
];

/// Lists the instructions that `is_wrong`.
pub(super) fn no_instruction(
    subject: &Subject<'_>,
    what: &str,
    is_wrong: impl Fn(&Function<'_>, &Instruction) -> bool,
) -> Verdict {
    let mut wrong = Vec::new();
    for function in subject.functions()? {
        let found =
            function.instructions.iter().filter(|instruction| is_wrong(function, instruction));
        wrong.extend(found.map(|instruction| (function, instruction)));
    }
    // A place is written out only where it is shown.
    none_of_these(what, &wrong, |(function, instruction)| function.place(instruction))
}

fn decodes(subject: &Subject<'_>) -> Verdict {
    no_instruction(subject, "bytes that are not an instruction", |_, instruction| {
        instruction.is_invalid()
    })?;
    let text = subject.image.text()?;
    let outside = |function: &&Function<'_>| {
        !(function.is_replacement
            || text.start <= function.range.start && function.range.end <= text.end)
    };
    let outside: Vec<_> = subject.functions()?.iter().filter(outside).map(Function::name).collect();
    none_of("functions outside .text", &outside)
}

/// Whether an instruction does nothing, as assemblers pad with: on i386 moves of a register to
/// itself, too.
fn is_padding(instruction: &Instruction) -> bool {
    let registers = (instruction.op0_register(), instruction.memory_base());
    match instruction.mnemonic() {
        Mnemonic::Int3 | Mnemonic::Nop => true,
        Mnemonic::Lea => {
            let index = instruction.memory_index();
            registers.0 == registers.1
                && instruction.memory_displacement64() == 0
                && index == Register::None
        }
        Mnemonic::Xchg | Mnemonic::Mov => {
            instruction.op1_kind() == OpKind::Register
                && registers.0 == instruction.op1_register()
                && registers.0 != Register::None
        }
        _ => false,
    }
}

fn text_covered(subject: &Subject<'_>) -> Verdict {
    let image = &subject.image;
    let text = image.text()?;
    let bits = image.x86_bits().unwrap_or(64);
    let end = (text.end, text.end);
    let mut from = text.start;
    let ranges =
        subject.functions()?.iter().map(|function| (function.range.start, function.range.end));
    let mut gaps = Vec::new();
    for (start, end) in ranges.chain([end]) {
        let start = start.clamp(from, text.end.max(from));
        // A gap of more bytes than an image has of code is not padding.
        let is_large = start - from > CODE_LIMIT;
        let gap = if is_large { &[] } else { image.at(from, start - from)? };
        if is_large || decode_as(bits, gap, from).iter().any(|found| !is_padding(found)) {
            gaps.push(format!("{from:#x}..{start:#x}"));
        }
        from = from.max(end.min(text.end));
    }
    none_of("gaps between functions that hold more than padding", &gaps)
}
