//! Where the image calls the kernel: at the declared places, with the declared numbers, and in no
//! other way.
//!
//! # Invariants
//!
//! 1. As in `code`: every function, slot and replacement is looked at.

use super::code::no_instruction;
use crate::arch::instruction::{GATES, SYSCALL_GATE, is_gate, loads_number, writes_number};
use crate::demand;
use crate::function::{self, Function};
use crate::image::Section;
use crate::rule::{Rule, Scope, Severity};
use crate::subject::Subject;
use crate::verdict::{Verdict, demand, none_of, none_of_these};
use goblin::elf::section_header::SHF_EXECINSTR;
use iced_x86::{Instruction, InstructionInfoFactory, Mnemonic};
use liblinux_abi::image::export::{SYSCALL, SYSCALL_CANCELLABLE};
use liblinux_abi::syscall::{Syscall, find};
use std::collections::BTreeMap;
use std::ops::Range;

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "syscall-sites",
        severity: Severity::Error,
        scope: Scope::Liblinux,
        demands: &[demand::DECLARED_CALLS],
        because: "sandboxes and compatibility layers tell calls by the place that they come from",
        remedy: "jump to the slot of the call instead of executing syscall in the function",
        check: syscall_sites,
    },
    Rule {
        name: "syscall-numbers",
        severity: Severity::Error,
        scope: Scope::Liblinux,
        demands: &[demand::DECLARED_CALLS],
        because: "a program would make another call than the one whose name it used, with the same arguments",
        remedy: "load the number of the table's row, for a legacy call its successor's, with `mov eax, NUMBER` before the syscall",
        check: syscall_numbers,
    },
    Rule {
        name: "no-kernel-gates",
        severity: Severity::Error,
        scope: Scope::Liblinux,
        demands: &[demand::DECLARED_CALLS],
        because: "int 0x80, sysenter and privileged instructions do not lead into this kernel",
        remedy: "use syscall, in a slot",
        check: no_kernel_gates,
    },
    Rule {
        name: "no-hidden-calls",
        severity: Severity::Note,
        scope: Scope::Any,
        demands: &[demand::DECLARED_CALLS],
        because: "a jump into the midst of an instruction, or between functions, makes a call that no site declares",
        remedy: "see the place with objdump -d; put a nop between two instructions, or another register or constant in one",
        check: no_hidden_calls,
    },
];

/// Whether the function may execute `syscall`.
fn may_call(function: &Function<'_>) -> bool {
    function.slot_owner().is_some()
        || function.body_owner().is_some()
        || function.private_call().is_some()
        || function.names.contains(&SYSCALL)
        || function.names.contains(&SYSCALL_CANCELLABLE)
}

fn syscall_sites(subject: &Subject<'_>) -> Verdict {
    let sites = subject.functions()?.iter().flat_map(|function| &function.instructions);
    demand!(
        sites.filter(|found| found.mnemonic() == Mnemonic::Syscall).count() > 0,
        "the image has no syscall instruction"
    );
    no_instruction(
        subject,
        "syscall outside the slots, their bodies, private calls and the entries for any call",
        |function, instruction| instruction.mnemonic() == Mnemonic::Syscall && !may_call(function),
    )
}

fn syscall_numbers(subject: &Subject<'_>) -> Verdict {
    let mut factory = InstructionInfoFactory::new();
    let mut wrong = Vec::new();
    for function in subject.functions()? {
        let Some(call) = function.slot_owner().or_else(|| function.body_owner()) else { continue };
        if !call.successors().is_empty() {
            wrong.extend(wrong_successors(function, call));
            continue;
        }
        let mut loaded = false;
        for instruction in &function.instructions {
            if instruction.mnemonic() == Mnemonic::Syscall {
                if !loaded {
                    wrong.push(format!(
                        "{} before the number is loaded",
                        function.place(instruction)
                    ));
                }
            } else if writes_number(&mut factory, instruction) {
                loaded = loads_number(instruction, call.number);
                if !loaded {
                    wrong.push(format!(
                        "{}, not a load of {}",
                        function.place(instruction),
                        call.number
                    ));
                }
            }
        }
    }
    none_of("calls whose number is not that of their row", &wrong)
}

/// What is wrong with the calls that the body of a legacy call makes: each is one of its
/// successors, whose number is loaded by the instruction right before, which nothing jumps over,
/// and all of them are made.
fn wrong_successors(function: &Function<'_>, call: &Syscall) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut missing: Vec<&Syscall> =
        call.successors().iter().filter_map(|name| find(name)).collect();
    if function.slot_owner().is_some() {
        missing.clear(); // The slot only leads to the body.
    }
    let numbers: Vec<u32> = missing.iter().map(|newer| newer.number).collect();
    // The first branch to each place.
    let branches: BTreeMap<u64, &Instruction> =
        function.instructions.iter().rev().map(|one| (one.near_branch_target(), one)).collect();
    let before = std::iter::once(None).chain(function.instructions.iter().map(Some));
    for (before, instruction) in before.zip(&function.instructions) {
        if instruction.mnemonic() != Mnemonic::Syscall {
            continue;
        }
        let loaded = |number: &u32| before.is_some_and(|before| loads_number(before, *number));
        match numbers.iter().find(|number| loaded(number)) {
            Some(made) => missing.retain(|newer| newer.number != *made),
            None => wrong.push(format!(
                "{}, not right behind a load of the number of {}",
                function.place(instruction),
                call.successors().join(" or ")
            )),
        }
        if let Some(branch) = branches.get(&instruction.ip()) {
            wrong.push(format!("{} leads to the syscall itself", function.place(branch)));
        }
    }
    wrong.extend(
        missing.iter().map(|newer| format!("{} does not call {}", function.name(), newer.name)),
    );
    wrong
}

fn no_kernel_gates(subject: &Subject<'_>) -> Verdict {
    no_instruction(
        subject,
        "instructions that enter the kernel in other ways, or only it may use",
        |function, instruction| {
            // It leads from one place of the process to another.
            let is_return = function.ends_landing() && instruction.mnemonic() == Mnemonic::Iretq;
            !is_return && (is_gate(instruction) || instruction.is_privileged())
        },
    )
}

/// Looks at every byte of executable sections, once. The tables are mapped executable, too, but
/// their bytes follow from addresses and hashes, which no source chooses.
fn no_hidden_calls(subject: &Subject<'_>) -> Verdict {
    let (image, functions) = (&subject.image, subject.functions()?);
    let is_code = |section: &&Section<'_>| {
        section.header.sh_flags & u64::from(SHF_EXECINSTR) != 0
            && !image.kernel_copy().contains(&section.header.sh_addr)
    };
    let mut ranges: Vec<Range<u64>> = image
        .sections()?
        .iter()
        .filter(is_code)
        .map(|section| &section.header)
        .map(|header| header.sh_addr..header.sh_addr.saturating_add(header.sh_size))
        .collect();
    ranges.sort_unstable_by_key(|range| (range.start, range.end));
    let (mut wrong, mut from) = (Vec::new(), 0);
    for Range { start, end } in ranges {
        let start = start.max(from);
        let bytes = image.at(start, end.saturating_sub(start))?;
        from = from.max(end);
        for (pair, place) in bytes.windows(2).zip(start..) {
            let Some(gate) = GATES.iter().find(|gate| *gate == pair) else { continue };
            let home = function::home(functions, place);
            if home.is_none_or(|function| hides(function, place, *gate == SYSCALL_GATE)) {
                wrong.push((place, home));
            }
        }
    }
    none_of_these("bytes of a system call", &wrong, |(place, home)| match home {
        Some(function) => {
            let after = function.instructions.partition_point(|found| found.ip() <= *place);
            function.instructions[..after]
                .last()
                .map_or_else(String::new, |one| function.place(one))
        }
        None => format!("at {place:#x}, in no function"),
    })
}

/// Whether the function has another instruction where the two bytes of a gate stand.
fn hides(function: &Function<'_>, place: u64, is_syscall: bool) -> bool {
    let after = function.instructions.partition_point(|instruction| instruction.ip() <= place);
    // Two instructions that give the bytes of `int 0x80` or `sysenter` together are common, and
    // lead to no call of this architecture's.
    function.instructions[..after].last().is_some_and(|home| {
        (place + 2 <= home.next_ip() || is_syscall) && home.mnemonic() != Mnemonic::Syscall
    })
}
