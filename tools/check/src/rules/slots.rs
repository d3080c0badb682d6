//! The slot table: one 16-byte entry for each system-call number, its address computed from the
//! number alone.
//!
//! A `syscall` instruction's return address tells which call it was, since the stub is the same
//! everywhere: the slot table is its own table of labels, and no symbols for return addresses are
//! needed.
//!
//! # Invariants
//!
//! 1. The numbers and kinds are those of `liblinux_abi::syscall::SYSCALLS`; the encodings come from
//!    [`stub`](crate::arch::stub), not from the image's assembler, which is what is checked.

use crate::arch::stub::{INT3, final_stub, jump_of, plain_stub, restorer};
use crate::demand;
use crate::function::slot_range;
use crate::image::Image;
use crate::rule::{Rule, Scope, Severity};
use crate::subject::Subject;
use crate::verdict::{Fault, Verdict, demand, none_of};
use liblinux_abi::image::export::BODY;
use liblinux_abi::image::layout::{SLOT_SIZE, SLOTS, slot};
use liblinux_abi::syscall::{Kind, SYSCALLS, Syscall};

const REMEDY: &str =
    "look at the slot macros in vdso/image/src/arch/x86_64, then run `cargo xtask image`";

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "stub-bytes",
        severity: Severity::Error,
        scope: Scope::Liblinux,
        demands: &[demand::ENTRY_ROOM, demand::DECLARED_CALLS],
        because: "checkpointers and tracers rely on all stubs being one body, whatever the number",
        remedy: REMEDY,
        check: stub_bytes,
    },
    Rule {
        name: "custom-slots",
        severity: Severity::Error,
        scope: Scope::Liblinux,
        demands: &[demand::ENTRY_ROOM, demand::DECLARED_CALLS],
        because: "gdb and libgcc know rt_sigreturn by its bytes, and the other hand-written entries fit or jump to their bodies",
        remedy: REMEDY,
        check: custom_slots,
    },
    Rule {
        name: "unused-slots",
        severity: Severity::Error,
        scope: Scope::Liblinux,
        demands: &[demand::DECLARED_CALLS],
        because: "a jump to a call that does not exist has to trap, not to run into the next one",
        remedy: REMEDY,
        check: unused_slots,
    },
    Rule {
        name: "slot-symbols",
        severity: Severity::Error,
        scope: Scope::Liblinux,
        demands: &[demand::LOCKED, demand::ENTRY_ROOM],
        because: "people, tools and old checkpoints compute an entry's address from the number of its call",
        remedy: "export the entry from its own slot: see `layout::slot` in vdso/abi",
        check: slot_symbols,
    },
];

fn slot_bytes<'a>(image: &Image<'a>, number: u32) -> Result<&'a [u8], String> {
    let text = image.text()?;
    let start = slot(number) as u64;
    if start < text.start || start + SLOT_SIZE as u64 > text.end {
        return Err(format!("the slot of call {number} at {start:#x} is outside .text"));
    }
    image.at(start, SLOT_SIZE as u64)
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ")
}

fn stub_bytes(subject: &Subject<'_>) -> Verdict {
    let mut wrong = Vec::new();
    for call in SYSCALLS.iter().filter(|call| call.has_plain_stub()) {
        let found = slot_bytes(&subject.image, call.number)?;
        if found != plain_stub(call.number) {
            wrong.push(format!(
                "{} at {:#x} is {}",
                call.symbol,
                slot(call.number),
                hexadecimal(found)
            ));
        }
    }
    none_of("slots that do not hold the plain stub", &wrong)
}

fn custom_slots(subject: &Subject<'_>) -> Verdict {
    let mut wrong = Vec::new();
    for call in SYSCALLS.iter().filter(|call| call.is_hand_written()) {
        let found = slot_bytes(&subject.image, call.number)?;
        let right = match call.name {
            "rt_sigreturn" => found == restorer(call.number),
            "exit" | "exit_group" => found == final_stub(call.number),
            _ => leads_to_body(subject, call, found)?,
        };
        if !right {
            wrong.push(format!(
                "{} at {:#x} is {}",
                call.symbol,
                slot(call.number),
                hexadecimal(found)
            ));
        }
    }
    none_of("hand-written slots that are neither whole nor a jump to their body", &wrong)
}

/// Whether the slot is `endbr64; jmp BODY` and then `int3`: the body is `SYMBOL.body` where symbols
/// are at hand, and in any case a function that has no entry of its own and that no other slot
/// jumps to.
fn leads_to_body(subject: &Subject<'_>, call: &Syscall, found: &[u8]) -> Result<bool, Fault> {
    let Some((target, used)) = jump_of(found, slot(call.number) as u64) else { return Ok(false) };
    let padded = found[used..].iter().all(|byte| *byte == INT3);
    let functions = subject.functions()?;
    let body = functions.iter().find(|function| function.range.start == target);
    let is_own = body.is_some_and(|body| body.body_of == Some(call.symbol));
    let name = format!("{}{BODY}", call.symbol);
    let has_name = match subject.symbols() {
        Ok(symbols) => symbols.iter().any(|symbol| symbol.name == name && symbol.value == target),
        Err(_) => subject.image.exports()?.iter().all(|export| export.value != target),
    };
    Ok(padded && is_own && has_name)
}

fn unused_slots(subject: &Subject<'_>) -> Verdict {
    let last = SYSCALLS.iter().map(|call| call.number).max().unwrap_or(0);
    let mut wrong = Vec::new();
    for number in 0..last {
        let used = SYSCALLS.iter().any(|call| call.number == number && call.is_exported());
        if !used && slot_bytes(&subject.image, number)?.iter().any(|byte| *byte != INT3) {
            wrong.push(format!("{number} at {:#x}", slot(number)));
        }
    }
    none_of("slots of numbers without an entry that are not all int3", &wrong)
}

fn slot_symbols(subject: &Subject<'_>) -> Verdict {
    let exports = subject.image.exports()?;
    let own_slot = |call: &&Syscall| call.is_exported() && !matches!(call.kind, Kind::Standard);
    let mut wrong = Vec::new();
    for call in SYSCALLS.iter().filter(own_slot) {
        let range = slot_range(call);
        let there = exports
            .iter()
            .any(|symbol| symbol.name == call.symbol && (symbol.value..symbol.end()) == range);
        if !there {
            wrong.push(call.symbol);
        }
    }
    none_of("entries that are not exported as the whole of their slot", &wrong)?;
    let table =
        SLOTS as u64..slot(SYSCALLS.iter().map(|call| call.number + 1).max().unwrap_or(0)) as u64;
    let owned = |name: &str| SYSCALLS.iter().filter(own_slot).any(|call| call.symbol == name);
    let foreign: Vec<&str> = exports
        .iter()
        .filter(|symbol| table.contains(&symbol.value) && !owned(symbol.name))
        .map(|symbol| symbol.name)
        .collect();
    demand!(!table.is_empty(), "the slot table is empty");
    none_of("exports inside the slot table that are not the entry of a call", &foreign)
}
