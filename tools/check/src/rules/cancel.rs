//! Cancellable calls: the function that makes them, byte for byte, and its neighbours' slots.
//!
//! # Invariants
//!
//! 1. Encodings come from [`stub`](crate::arch::stub), not from the image's assembler, which is
//!    what is checked.

use crate::arch::stub::{INT3, cancellable, jump_of};
use crate::demand;
use crate::rule::{Rule, Scope, Severity};
use crate::subject::Subject;
use crate::verdict::{Verdict, demand, none_of};
use liblinux_abi::image::cancel::{SYMBOLS, Window};
use liblinux_abi::image::export::{CANCEL, SYSCALL_CANCELLABLE};
use liblinux_abi::image::layout::{CANCELLABLE, SLOT_SIZE, cancel_slot};

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "cancellable-call",
        severity: Severity::Error,
        scope: Scope::Liblinux,
        demands: &[demand::LOCKED, demand::DECLARED_CALLS],
        because: "handlers and kernels move threads out of the window by its offsets, and trust that no call was made there",
        remedy: "compare vdso/image/src/arch/x86_64/cancellable.rs with `cancellable` in tools/check/src/arch/x86_64/stub.rs",
        check: cancellable_call,
    },
    Rule {
        name: "cancel-window",
        severity: Severity::Error,
        scope: Scope::Liblinux,
        demands: &[demand::LOCKED],
        because: "the kernel finds the window by these symbols of the unstripped image",
        remedy: "compare the labels in vdso/image/src/arch/x86_64/cancellable.rs with `cancel::SYMBOLS` in vdso/abi",
        check: cancel_window,
    },
    Rule {
        name: "cancel-slots",
        severity: Severity::Error,
        scope: Scope::Liblinux,
        demands: &[demand::LOCKED, demand::ENTRY_ROOM],
        because: "old checkpoints hold the addresses of these entries, while the functions behind them may move",
        remedy: "compare vdso/image/src/arch/x86_64/cancellable.rs with `export::CANCEL` and `layout::cancel_slot` in vdso/abi",
        check: cancel_slots,
    },
];

fn cancellable_call(subject: &Subject<'_>) -> Verdict {
    let image = &subject.image;
    let start = CANCELLABLE as u64;
    let (code, _) = cancellable(start);
    let exports = image.exports()?;
    let size = code.len() as u64;
    let is_exported = exports.iter().any(|symbol| {
        (symbol.name, symbol.value, symbol.size) == (SYSCALL_CANCELLABLE, start, size)
    });
    demand!(is_exported, "{SYSCALL_CANCELLABLE} is not exported with {size} bytes at {start:#x}");
    demand!(
        image.at(start, size)? == code,
        "{SYSCALL_CANCELLABLE} at {start:#x} has other instructions than the checker expects"
    );
    Ok(())
}

fn cancel_window(subject: &Subject<'_>) -> Verdict {
    let (_, Window { start, call, end, exit }) = cancellable(CANCELLABLE as u64);
    let symbols = subject.debug()?.symtab()?;
    let wrong: Vec<String> = SYMBOLS
        .into_iter()
        .zip([start, call, end, exit])
        .filter(|(name, place)| {
            let mut found = symbols.iter().filter(|symbol| symbol.name == *name);
            !matches!((found.next(), found.next()), (Some(one), None) if one.value == *place)
        })
        .map(|(name, place)| format!("{name} is not one symbol at {place:#x}"))
        .collect();
    none_of("symbols of the window", &wrong)
}

fn cancel_slots(subject: &Subject<'_>) -> Verdict {
    let image = &subject.image;
    let (exports, text) = (image.exports()?, image.text()?);
    let mut wrong = Vec::new();
    for (index, name) in CANCEL.into_iter().enumerate() {
        let (start, size) = (cancel_slot(index) as u64, SLOT_SIZE as u64);
        let is_exported = exports
            .iter()
            .any(|symbol| (symbol.name, symbol.value, symbol.size) == (name, start, size));
        let slot = image.at(start, size)?;
        let is_jump = jump_of(slot, start).is_some_and(|(target, used)| {
            text.contains(&target) && slot[used..].iter().all(|byte| *byte == INT3)
        });
        if !is_exported || !is_jump {
            wrong.push(format!("{name}: {start:#x} is not its slot, which ends with a jump"));
        }
    }
    none_of("entries of cancellable calls that are not in their slots", &wrong)
}
