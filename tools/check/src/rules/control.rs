//! Where the image's code may go, and what it may point to.
//!
//! Every branch has its target in the instruction, every reference is relative to the instruction:
//! so the code is the same wherever it is mapped, and the set of places that it reaches can be read
//! off it.
//!
//! # Invariants
//!
//! 1. As in `code`: every function, slot and replacement is looked at.

use super::code::no_instruction;
use crate::demand;
use crate::rule::{Rule, Scope, Severity};
use crate::subject::Subject;
use crate::verdict::{Verdict, none_of};
use crate::view::notes::layout;
use iced_x86::{
    FlowControl, Instruction, InstructionInfoFactory, Mnemonic, OpAccess, OpKind, Register,
};
use std::collections::BTreeSet;

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "no-jump-tables",
        severity: Severity::Warning,
        scope: Scope::Any,
        demands: &[demand::NO_ABSOLUTE_ADDRESSES],
        because: "a jump through memory needs an address in memory, which needs a relocation, and is open to speculation",
        remedy: "compile without jump tables (-Z no-jump-tables, or -C llvm-args), or replace the match by comparisons",
        check: no_jump_tables,
    },
    Rule {
        name: "no-absolute-addresses",
        severity: Severity::Warning,
        scope: Scope::Any,
        demands: &[demand::NO_ABSOLUTE_ADDRESSES],
        because: "the image is mapped at another address in every process",
        remedy: "reach the data relative to rip",
        check: no_absolute_addresses,
    },
    Rule {
        name: "branch-targets",
        severity: Severity::Warning,
        scope: Scope::Any,
        demands: &[demand::DECLARED_CALLS, demand::NO_ABSOLUTE_ADDRESSES],
        because: "a branch into the middle of an instruction executes code that no other rule has seen",
        remedy: "look at the branch in {unstripped} with objdump -d",
        check: branch_targets,
    },
    Rule {
        name: "no-image-writes",
        severity: Severity::Error,
        scope: Scope::Any,
        demands: &[demand::NO_DATA, demand::DATA_PAGE_SYMBOLS],
        because: "the image and the kernel's data pages below it are mapped read-only: a store there is a crash",
        remedy: "keep variables in the caller's memory, or on the stack",
        check: no_image_writes,
    },
    Rule {
        name: "data-references",
        severity: Severity::Error,
        scope: Scope::Liblinux,
        demands: &[demand::DATA_PAGE_SYMBOLS, demand::NO_ABSOLUTE_ADDRESSES],
        because: "only the image and the kernel's data pages below it are sure to be mapped",
        remedy: "compare the symbols of the data pages in linker/x86_64/vdso.lds with `layout` in vdso/abi",
        check: data_references,
    },
];

fn no_jump_tables(subject: &Subject<'_>) -> Verdict {
    no_instruction(subject, "indirect jumps and calls", |function, instruction| {
        match instruction.flow_control() {
            // The handler is the one that the caller of the enclave gave.
            FlowControl::IndirectCall => {
                !function.enters_enclaves() || instruction.op0_kind() != OpKind::Register
            }
            // A hand-written body may jump to the return address that it keeps in a register.
            FlowControl::IndirectBranch => {
                (function.body_owner().is_none() || instruction.op0_kind() != OpKind::Register)
                    && !function.ends_landing()
            }
            _ => false,
        }
    })
}

fn memory_operands(instruction: &Instruction) -> bool {
    (0..instruction.op_count()).any(|operand| instruction.op_kind(operand) == OpKind::Memory)
}

fn no_absolute_addresses(subject: &Subject<'_>) -> Verdict {
    let len = subject.image.bytes.len() as u64;
    no_instruction(subject, "absolute addresses", |_, instruction| {
        let fixed = memory_operands(instruction)
            && instruction.memory_base() == Register::None
            && !matches!(instruction.mnemonic(), Mnemonic::Lea | Mnemonic::Nop);
        let displacement = instruction.memory_displacement64();
        // With an index, a displacement inside the image is the address of a table.
        fixed && (instruction.memory_index() == Register::None || (64..len).contains(&displacement))
    })
}

fn branch_targets(subject: &Subject<'_>) -> Verdict {
    let functions = subject.functions()?;
    let starts: BTreeSet<u64> =
        functions.iter().flat_map(|function| &function.instructions).map(Instruction::ip).collect();
    let direct = |instruction: &Instruction| {
        instruction.op_count() == 1
            && matches!(
                instruction.op0_kind(),
                OpKind::NearBranch16 | OpKind::NearBranch32 | OpKind::NearBranch64
            )
    };
    let copy = subject.image.kernel_copy();
    // A replacement's branch is relative to the place where the kernel puts it, so its target is
    // not judged here.
    no_instruction(
        subject,
        "branches to places where no instruction of a function begins",
        |function, instruction| {
            direct(instruction)
                && !function.is_replacement
                && !starts.contains(&instruction.near_branch_target())
                && !copy.contains(&instruction.near_branch_target())
        },
    )
}

fn no_image_writes(subject: &Subject<'_>) -> Verdict {
    let mut factory = InstructionInfoFactory::new();
    let mut wrong = Vec::new();
    for function in subject.functions()? {
        for instruction in
            function.instructions.iter().filter(|found| found.is_ip_rel_memory_operand())
        {
            let accesses = factory.info(instruction).used_memory().iter().map(|used| used.access());
            let writes = |access| {
                !matches!(
                    access,
                    OpAccess::None | OpAccess::Read | OpAccess::CondRead | OpAccess::NoMemAccess
                )
            };
            if accesses.into_iter().any(writes) {
                wrong.push(function.place(instruction));
            }
        }
    }
    none_of("stores to the image or its data pages", &wrong)
}

fn data_references(subject: &Subject<'_>) -> Verdict {
    let len = subject.image.load()?.p_filesz;
    let lowest = (layout(&subject.image)?.size() as u64).wrapping_neg();
    let mut wrong = Vec::new();
    for function in subject.functions()? {
        for instruction in
            function.instructions.iter().filter(|found| found.is_ip_rel_memory_operand())
        {
            let target = instruction.ip_rel_memory_address();
            if instruction.mnemonic() != Mnemonic::Nop && target >= len && target < lowest {
                wrong.push(function.place(instruction));
            }
        }
    }
    none_of("references to memory outside the image and the data pages", &wrong)
}
