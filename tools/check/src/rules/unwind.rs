//! Call-frame information: what unwinders, debuggers and profilers know about the image's frames.
//!
//! A profiler may stop a thread at any instruction, and a debugger shows the frames of a thread
//! blocked in a stub. So every function has an entry, found by the binary search table that
//! unwinders use, and covering its code exactly.
//!
//! # Invariants
//!
//! 1. gimli reads both sections; each query that yields no entry is a refusal.

use crate::demand;
use crate::rule::{Rule, Scope, Severity};
use crate::subject::Subject;
use crate::verdict::{Fault, Verdict, demand, none_of};
use crate::view::frames::{Entry, Frames};
use goblin::elf::header::EM_ARM;
use goblin::elf::sym::STT_FUNC;

const REMEDY: &str = "put .cfi_startproc and .cfi_endproc round the function's code in {source}";

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "eh-frame-hdr",
        severity: Severity::Warning,
        scope: Scope::Any,
        demands: &[demand::UNWIND_TABLES],
        because: "unwinders search this table and nothing else: an entry missing from it, or out of order, is not found",
        remedy: "link with --eh-frame-hdr, and keep .eh_frame_hdr and .eh_frame in {script}",
        check: eh_frame_hdr,
    },
    Rule {
        name: "eh-frame-end",
        severity: Severity::Note,
        scope: Scope::Any,
        demands: &[demand::UNWIND_TABLES],
        because: "a reader that steps through the entries, and neither searches the table nor knows the section, runs into what follows",
        remedy: "link crtend's zero, `.long 0`, behind the last entry of .eh_frame in {script}",
        check: eh_frame_end,
    },
    Rule {
        name: "unwind-entries",
        severity: Severity::Warning,
        scope: Scope::Any,
        demands: &[demand::UNWIND_TABLES],
        because: "a debugger or profiler that stops in an entry without call-frame information loses the whole stack",
        remedy: REMEDY,
        check: unwind_entries,
    },
    Rule {
        name: "unwind-functions",
        severity: Severity::Warning,
        scope: Scope::Any,
        demands: &[demand::UNWIND_TABLES],
        because: "a thread can be stopped in local functions too, and the stack is lost there as well",
        remedy: REMEDY,
        check: unwind_functions,
    },
];

fn eh_frame_end(subject: &Subject<'_>) -> Verdict {
    demand!(Frames::of(&subject.image)?.ends, ".eh_frame does not end with a zero");
    Ok(())
}

fn eh_frame_hdr(subject: &Subject<'_>) -> Verdict {
    let frames = Frames::of(&subject.image)?;
    demand!(frames.ends || !subject.profile.is_liblinux(), ".eh_frame does not end with a zero");
    let entries = frames.entries()?;
    let table = frames.table()?;
    let disorder = table.windows(2).find(|pair| pair[0].0 >= pair[1].0);
    if let Some(pair) = disorder {
        return Err(Fault::Wrong(format!(
            "the search table has {:#x} before {:#x}",
            pair[0].0, pair[1].0
        )));
    }
    let mut listed: Vec<(u64, u64)> =
        entries.iter().map(|entry| (entry.initial_address(), entry.offset() as u64)).collect();
    listed.sort_unstable();
    demand!(
        listed.len() == table.len(),
        "the search table has {} entries, .eh_frame has {}",
        table.len(),
        listed.len()
    );
    let differing = listed.iter().zip(&table).find(|(entry, row)| entry != row);
    if let Some((entry, _)) = differing {
        return Err(Fault::Wrong(format!(
            "the search table does not lead to the entry for {:#x}",
            entry.0
        )));
    }
    let mut before: Option<&Entry<'_>> = None;
    for entry in &entries {
        let start = entry.initial_address();
        demand!(
            before.is_none_or(|before| before.end_address() <= start),
            "two entries cover the code at {start:#x}"
        );
        before = Some(entry);
    }
    Ok(())
}

/// What is wrong unless one of the `entries` (ascending) covers the code at `start..end` from its
/// first byte to its last instruction.
fn uncovered(
    subject: &Subject<'_>,
    entries: &[Entry<'_>],
    name: &str,
    start: u64,
    end: u64,
) -> Option<String> {
    let (image, is_liblinux) = (&subject.image, subject.profile.is_liblinux());
    // The lowest bit of the address of 32-bit Arm's code says that its instructions are Thumb's.
    let thumb = start & u64::from(image.header.e_machine == EM_ARM);
    let (start, end) = (start - thumb, end - thumb);
    let before = entries.partition_point(|entry| entry.initial_address() <= start);
    let Some(entry) = entries[..before].last().filter(|entry| entry.contains(start)) else {
        let late = entries.get(before).map(Entry::initial_address).filter(|late| *late < end);
        return Some(match late {
            Some(late) => format!("{name}: from {late:#x} on, {} bytes late", late - start),
            None => format!("{name} has none"),
        });
    };
    // One byte early is a signal frame; the rule `signal-frame` says which function may be one.
    let early = u64::from(entry.is_signal_trampoline());
    if is_liblinux && entry.initial_address() != start - early.min(start) {
        return Some(format!("{name}: from {:#x}, not {start:#x}", entry.initial_address()));
    }
    let code = image.at(start, end - start).unwrap_or_default();
    // Compilers of other images pad with nops, too, and count the padding or not.
    let is_padding = |byte: &&u8| **byte == 0xcc || !is_liblinux && **byte == 0x90;
    let padding = code.iter().rev().take_while(is_padding).count() as u64;
    if is_liblinux && entry.end_address() > end || entry.end_address() < end - padding {
        return Some(format!(
            "{name}: up to {:#x}, but the code ends at {:#x}",
            entry.end_address(),
            end - padding
        ));
    }
    None
}

fn unwind_entries(subject: &Subject<'_>) -> Verdict {
    let image = &subject.image;
    let entries = Frames::of(image)?.entries()?;
    let exports = image.exports()?;
    let functions = exports.iter().filter(|symbol| symbol.kind == STT_FUNC);
    let wrong: Vec<String> = functions
        .filter_map(|symbol| uncovered(subject, &entries, symbol.name, symbol.value, symbol.end()))
        .collect();
    none_of("entries without exact call-frame information", &wrong)
}

fn unwind_functions(subject: &Subject<'_>) -> Verdict {
    let image = &subject.image;
    let entries = Frames::of(image)?.entries()?;
    // Entries of other images than liblinux are for `unwind-entries`.
    let exports: Vec<u64> = match subject.profile.is_liblinux() {
        true => Vec::new(),
        false => image.exports()?.iter().map(|symbol| symbol.value).collect(),
    };
    let functions = subject
        .functions()?
        .iter()
        .filter(|function| !function.is_replacement && !exports.contains(&function.range.start));
    let wrong: Vec<String> = functions
        .filter_map(|function| {
            uncovered(subject, &entries, &function.name(), function.range.start, function.range.end)
        })
        .collect();
    none_of("functions without exact call-frame information", &wrong)
}
