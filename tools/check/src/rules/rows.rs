//! The rows of call-frame information against the code that they describe, instruction by
//! instruction.
//!
//! # Invariants
//!
//! 1. Each row is compared with what all paths to an instruction know; only the signal frame's,
//!    which describes what the kernel puts on the stack, is compared with `struct sigcontext`.

use crate::arch::dwarf::{self, AT_RSP, CONTEXT, CONTEXT_START, RETURN, RSP, number};
use crate::arch::register::SAVED;
use crate::arch::state::{Region, State, Value};
use crate::demand;
use crate::rule::{Rule, Scope, Severity};
use crate::subject::Subject;
use crate::verdict::{Fault, Verdict, demand, none_of};
use crate::view::frames::{Entry, Frames, Row};
use core::mem::offset_of;
use gimli::{
    CallFrameInstruction, CfaRule, EndianSlice, LittleEndian, Reader as _, Register, RegisterRule,
};
use liblinux_abi::image::fixup::Frame;
use liblinux_abi::syscall::find;
use std::collections::BTreeSet;

const REMEDY: &str = "compare `readelf --debug-dump=frames-interp` with objdump -d; assembly needs a .cfi line for each push";

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "unwind-rows",
        severity: Severity::Warning,
        scope: Scope::Any,
        demands: &[demand::UNWIND_TABLES],
        because: "a profiler stops at any instruction, and takes the caller's frame and registers from where the row says",
        remedy: REMEDY,
        check: unwind_rows,
    },
    Rule {
        name: "frame-instructions",
        severity: Severity::Error,
        scope: Scope::Liblinux,
        demands: &[demand::UNWIND_TABLES],
        because: "unwinders differ in what they do with instructions that a compiler never makes, and find the caller by the column named",
        remedy: REMEDY,
        check: frame_instructions,
    },
    Rule {
        name: "signal-frame",
        severity: Severity::Error,
        scope: Scope::Liblinux,
        demands: &[demand::UNWIND_TABLES],
        because: "unwinders look a return address up minus one, and go through a signal frame only if its entry says so",
        remedy: "look at custom_rt_sigreturn in {source}: .cfi_signal_frame, beginning one byte before the entry",
        check: signal_frame,
    },
];

/// What a row says that is not so in front of an instruction.
fn untrue(row: &Row, state: &State) -> Option<String> {
    let frame = match row.cfa {
        CfaRule::RegisterAndOffset { register, offset } => {
            number(register).map(|register| state.register(register))
                == Some(Value::Place(Region::Frame, offset.wrapping_neg()))
        }
        CfaRule::Expression(_) => false,
    };
    if !frame {
        return Some(format!("the frame is not at {:?}", row.cfa));
    }
    let rule = |register: Register| {
        row.registers.iter().find(|(found, _)| *found == register).map(|(_, rule)| rule)
    };
    let holds = |rule: Option<&RegisterRule<usize>>, own: Value, wanted: Value| match rule {
        None | Some(RegisterRule::SameValue) | Some(RegisterRule::Undefined) => own == wanted,
        Some(RegisterRule::Offset(offset)) => state.slot(*offset) == wanted,
        Some(RegisterRule::Register(other)) => {
            number(*other).is_some_and(|other| state.register(other) == wanted)
        }
        Some(_) => false,
    };
    if !holds(rule(RETURN), Value::Unknown, Value::Return) {
        return Some(format!("the return address is not at {:?}", rule(RETURN)));
    }
    let others =
        row.registers.iter().map(|(register, _)| *register).filter(|register| *register != RETURN);
    let saved = SAVED.into_iter().chain(others.filter_map(number));
    let wrong = saved.into_iter().find(|register| {
        !holds(
            dwarf::of(*register).and_then(rule),
            state.register(*register),
            Value::Caller(*register),
        )
    });
    wrong.map(|register| format!("register {register} of the caller is not where the row says"))
}

fn unwind_rows(subject: &Subject<'_>) -> Verdict {
    let frames = Frames::of(&subject.image)?;
    let entries = frames.entries()?;
    let mut wrong: Vec<String> = Vec::new();
    let mut known = None;
    let functions = subject.functions()?;
    for (index, flow) in subject.flows()? {
        let function = &functions[*index];
        if function.enters_enclaves() && !subject.profile.is_liblinux() {
            continue;
        }
        // Rows of these are about the place that they lead to.
        if function.ends_landing() {
            continue;
        }
        let before =
            entries.partition_point(|entry| entry.initial_address() <= function.range.start);
        // The signal frame's rows are expressions over what the kernel put on the stack:
        // `signal-frame` has them.
        let entry = entries[..before].last().filter(|entry| !entry.is_signal_trampoline());
        // Code without an entry is for `unwind-functions` to refuse.
        let Some(entry) = entry.filter(|entry| entry.contains(function.range.start)) else {
            continue;
        };
        // An entry may cover several functions: each looks at its own part.
        if known.as_ref().is_none_or(|(offset, _)| *offset != entry.offset()) {
            known = Some((entry.offset(), frames.rows(entry)));
        }
        let Some((_, rows)) = &known else { continue };
        let rows = match rows {
            Ok(rows) => rows,
            Err(error) => {
                wrong.push(error.clone());
                continue;
            }
        };
        let before = rows.partition_point(|row| row.addresses.start < function.range.start);
        let starts = rows[before..].iter().map(|row| row.addresses.start);
        let starts = starts.take_while(|start| *start < function.range.end);
        let is_between =
            |start: &u64| !function.leads_elsewhere && function.index_of(*start).is_none();
        let between = starts.filter(is_between).map(|start| {
            format!(
                "{}: a row begins at {start:#x}, in the midst of an instruction",
                function.name()
            )
        });
        wrong.extend(between);
        for (instruction, state) in function.instructions.iter().zip(&flow.states) {
            let after = rows.partition_point(|row| row.addresses.start <= instruction.ip());
            let row = rows[..after].last().filter(|row| row.addresses.contains(&instruction.ip()));
            if let Some(what) = state.as_ref().zip(row).and_then(|(state, row)| untrue(row, state))
            {
                wrong.push(format!("{}: {what}", function.place(instruction)));
            }
        }
    }
    none_of("call-frame information", &wrong)
}

fn signal_frame(subject: &Subject<'_>) -> Verdict {
    let image = &subject.image;
    let name = find("rt_sigreturn").map_or("", |call| call.symbol);
    let exports = image.exports()?;
    let restorer = exports.iter().find(|symbol| symbol.name == name);
    let Some(restorer) = restorer else {
        return Err(Fault::Wrong(format!("{name} is not exported")));
    };
    let entries = Frames::of(image)?.entries()?;
    let signal: Vec<u64> = entries
        .iter()
        .filter(|entry| entry.is_signal_trampoline())
        .map(Entry::initial_address)
        .collect();
    let wanted = restorer.value.wrapping_sub(1);
    let found: Vec<String> = signal.iter().map(|start| format!("{start:#x}")).collect();
    demand!(
        signal == [wanted],
        "signal frames begin at [{}], but {name} wants one, at {wanted:#x}, one byte before it",
        found.join(", ")
    );
    let frames = Frames::of(image)?;
    let entry = entries.iter().find(|entry| entry.is_signal_trampoline());
    let rows = entry.map(|entry| frames.rows(entry)).transpose()?.unwrap_or_default();
    let [row] = &rows[..] else {
        return Err(Fault::Wrong(format!("the signal frame has {} rows, not one", rows.len())));
    };
    require_context(&frames, row)
}

/// `DW_EH_PE_pcrel | DW_EH_PE_sdata4`: addresses of four bytes, from their own place.
const ADDRESS_ENCODING: u8 = 0x1b;

/// Bytes of an entry in front of its augmentation's length: its own length, its common entry,
/// address and size of code.
const ENTRY_HEADER: u64 = 16;

/// What is odd about an entry's instructions.
fn odd_instruction(found: &[CallFrameInstruction<usize>], is_signal: bool) -> Option<String> {
    use CallFrameInstruction::{
        AdvanceLoc, DefCfa, DefCfaExpression, DefCfaOffset, DefCfaRegister, Expression, Nop,
        Offset, Register, RememberState, Restore, RestoreState, SameValue,
    };
    let is_kept = |register: gimli::Register| {
        register == RETURN || number(register).is_some_and(|register| SAVED.contains(&register))
    };
    let used = found.iter().rposition(|one| *one != Nop).map_or(0, |last| last + 1);
    found[..used].iter().find_map(|one| {
        let is_known = match one {
            AdvanceLoc { delta } => *delta > 0,
            DefCfa { .. }
            | DefCfaRegister { .. }
            | DefCfaOffset { .. }
            | RememberState
            | RestoreState => true,
            Offset { register, .. } | Register { dest_register: register, .. } => {
                is_kept(*register)
            }
            Restore { register } => is_kept(*register) || is_signal,
            SameValue { register } => is_kept(*register),
            DefCfaExpression { .. } | Expression { .. } => is_signal,
            _ => false,
        };
        (!is_known).then(|| format!("{one:?}"))
    })
}

fn frame_instructions(subject: &Subject<'_>) -> Verdict {
    let frames = Frames::of(&subject.image)?;
    let mut wrong = Vec::new();
    let copy = subject.image.kernel_copy();
    let functions = subject.functions()?.iter();
    let landings: BTreeSet<u64> = functions
        .filter(|function| function.ends_landing())
        .map(|function| function.range.start)
        .collect();
    for entry in
        frames.entries()?.into_iter().filter(|entry| !copy.contains(&entry.initial_address()))
    {
        let (start, cie) = (entry.initial_address(), entry.cie());
        let factors = (cie.code_alignment_factor(), cie.data_alignment_factor());
        let encoding = cie.fde_address_encoding().map(|encoding| encoding.0);
        let is_plain = cie.return_address_register() == RETURN && factors == (1, -8);
        if !is_plain || encoding != Some(ADDRESS_ENCODING) || cie.version() != 1 {
            wrong.push(format!("{start:#x} has a common entry of another kind"));
        }
        if subject.image.at(frames.start + entry.offset() as u64 + ENTRY_HEADER, 1)? != [0] {
            wrong.push(format!("{start:#x} has an augmentation, which nothing in the image needs"));
        }
        let ends_landing = landings.contains(&start);
        let may_compute = entry.is_signal_trampoline() || ends_landing;
        if let Some(what) = odd_instruction(&frames.instructions(&entry)?, may_compute) {
            wrong.push(format!("{start:#x} has {what}"));
        }
        let rows = frames.rows(&entry)?;
        if ends_landing {
            for row in &rows {
                wrong.extend(misplaced(&frames, row)?.map(|what| format!("{start:#x} has {what}")));
            }
        }
        let is_empty = |row: &Row| row.addresses.start >= row.addresses.end;
        if rows.iter().any(is_empty)
            || rows.last().is_some_and(|row| row.addresses.end != entry.end_address())
        {
            wrong.push(format!("{start:#x} has a row for no code"));
        }
    }
    none_of("call-frame entries", &wrong)
}

/// The registers in the frame of a landing, 8 bytes each, by their numbers in DWARF: as the
/// kernel's `struct pt_regs` has them. Behind them is a word of the landing, and then the return
/// address.
const FRAME: [u16; 15] = [15, 14, 13, 12, 6, 3, 11, 10, 9, 8, 0, 2, 1, 4, 5];

/// Where the return address and the stack pointer are in such a frame.
const FRAME_RETURN: i64 = offset_of!(Frame, ip) as i64;
const FRAME_STACK: i64 = offset_of!(Frame, sp) as i64;

/// The distance from a register that an expression begins with.
fn from_register(expression: &[u8]) -> Option<i64> {
    const AT_REGISTER: std::ops::RangeInclusive<u8> = 0x70..=0x7f; // `DW_OP_breg0` and on.
    let (first, rest) = expression.split_first()?;
    AT_REGISTER.contains(first).then_some(())?;
    EndianSlice::new(rest, LittleEndian).read_sleb128().ok()
}

/// A register that a row looks for in the frame of a landing where that has another one. The row
/// says where the frame is by its stack pointer.
fn misplaced(frames: &Frames<'_>, row: &Row) -> Result<Option<String>, Fault> {
    let CfaRule::Expression(cfa) = &row.cfa else { return Ok(None) };
    let stack = from_register(frames.expression(cfa)?);
    for (register, rule) in &row.registers {
        let RegisterRule::Expression(expression) = rule else { continue };
        let place = from_register(frames.expression(expression)?);
        let place = place
            .zip(stack)
            .and_then(|(place, stack)| place.checked_sub(stack)?.checked_add(FRAME_STACK));
        let found = place.and_then(|place| match place {
            FRAME_RETURN => Some(RETURN.0),
            _ if place % 8 == 0 => FRAME.get(usize::try_from(place / 8).ok()?).copied(),
            _ => None,
        });
        if found != Some(register.0) {
            return Ok(Some(format!("register {} where the frame has {found:?}", register.0)));
        }
    }
    Ok(None)
}

/// `DW_OP_deref`.
const DEREF: u8 = 0x06;

/// The distance from `rsp` that an expression begins with, and what is behind it. Assemblers pad
/// the distance.
fn from_rsp(expression: &[u8]) -> Option<(i64, &[u8])> {
    let (&AT_RSP, distance) = expression.split_first()? else { return None };
    let mut reader = EndianSlice::new(distance, LittleEndian);
    let found = reader.read_sleb128().ok()?;
    Some((found, reader.slice()))
}

/// Refuses unless the row finds every register where the kernel puts it in front of a signal
/// handler.
fn require_context(frames: &Frames<'_>, row: &Row) -> Verdict {
    let context = || CONTEXT.iter().zip((CONTEXT_START..).step_by(8));
    let stack = context().find(|(register, _)| **register == RSP.0).map_or(0, |(_, place)| place);
    let CfaRule::Expression(cfa) = &row.cfa else {
        return Err(Fault::Wrong(format!(
            "the signal frame is at {:?}, not where the context says",
            row.cfa
        )));
    };
    let found = from_rsp(frames.expression(cfa)?);
    demand!(
        found == Some((stack, &[DEREF])),
        "the signal frame is at {found:x?}, not at the rsp of the context"
    );
    for (register, wanted) in context() {
        let rule =
            row.registers.iter().find(|(found, _)| found.0 == *register).map(|(_, rule)| rule);
        let Some(RegisterRule::Expression(expression)) = rule else {
            return Err(Fault::Wrong(format!(
                "the signal frame has {rule:?} for register {register}"
            )));
        };
        let found = from_rsp(frames.expression(expression)?);
        let is_there = found == Some((wanted, &[]));
        demand!(
            is_there,
            "register {register} of the signal frame is at {found:x?}, not {wanted:#x}"
        );
    }
    demand!(
        row.registers.len() == CONTEXT.len(),
        "the signal frame has rules for {} registers",
        row.registers.len()
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_at_any_distance_is_compared() {
        let cfa = CfaRule::RegisterAndOffset { register: RSP, offset: i64::MIN };
        let row = Row { addresses: 0..1, cfa, registers: Vec::new() };
        assert!(untrue(&row, &State::at_entry()).is_some());
    }
}
