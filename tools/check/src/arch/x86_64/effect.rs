//! What an instruction does to what is known.
//!
//! # Invariants
//!
//! 1. What is not understood leaves its outputs unknown, and set.

use super::instruction::is_write;
use super::register::{CALLEES, ENTRIES, R11, RBP, RCX, RSP, general};
use super::state::{Region, State, Value};
use iced_x86::{Instruction, InstructionInfoFactory, MemorySize, Mnemonic, OpKind};
use std::collections::BTreeSet;

/// What an instruction does to what is known. A call of one of `entries` keeps all registers but a
/// few.
pub(crate) fn apply(
    factory: &mut InstructionInfoFactory,
    entries: &BTreeSet<u64>,
    instruction: &Instruction,
    state: &mut State,
) {
    let value = |state: &State, operand: u32| match instruction.op_kind(operand) {
        OpKind::Register => match general(instruction.op_register(operand)) {
            Some(register) if instruction.op_register(operand).is_gpr64() => {
                state.registers[register]
            }
            _ => Value::Unknown,
        },
        OpKind::Memory if instruction.memory_size().size() == 8 => state
            .place(instruction)
            .map_or(Value::Unknown, |(region, at)| state.slot_at(region, at)),
        _ => Value::Unknown,
    };
    let target =
        general(instruction.op0_register()).filter(|_| instruction.op0_kind() == OpKind::Register);
    let is_whole = instruction.op0_register().is_gpr64();
    let old_flags = state.flags;
    match (instruction.mnemonic(), target) {
        (Mnemonic::Push, _) => {
            let pushed = value(state, 0);
            state.push(pushed);
        }
        (Mnemonic::Pushfq, _) => state.push(Value::Unknown),
        (Mnemonic::Pop, Some(target)) => {
            let popped = state.pop();
            state.write(target, popped);
        }
        (Mnemonic::Leave, _) => {
            state.registers[RSP] = state.registers[RBP];
            let popped = state.pop();
            state.write(RBP, popped);
        }
        (Mnemonic::Mov, Some(target)) if is_whole => {
            let moved = value(state, 1);
            state.write(target, moved);
        }
        (Mnemonic::Lea, Some(target)) if is_whole => {
            let place = state.place(instruction);
            state.write(
                target,
                place.map_or(Value::Unknown, |(region, at)| Value::Place(region, at)),
            );
        }
        (Mnemonic::Add | Mnemonic::Sub, Some(target)) if is_whole => {
            let by = instruction.try_immediate(1).map(u64::cast_signed);
            let by = if instruction.mnemonic() == Mnemonic::Sub {
                by.map(i64::wrapping_neg)
            } else {
                by
            };
            let moved = match (state.registers[target], by) {
                (Value::Place(region, at), Ok(by)) => Value::Place(region, at.wrapping_add(by)),
                _ => Value::Unknown,
            };
            state.write(target, moved);
        }
        (Mnemonic::And, Some(RSP)) => state.write(RSP, Value::Place(Region::Aligned, 0)),
        (Mnemonic::Xchg, Some(target))
            if is_whole && instruction.op1_kind() == OpKind::Register =>
        {
            let other = instruction.op1_register().number();
            state.registers.swap(target, other);
            let both = 1 << target | 1 << other;
            if state.set & both != both {
                state.set &= !both;
            }
        }
        (Mnemonic::Call, _) => {
            let is_entry = entries.contains(&instruction.near_branch_target());
            state.called(if is_entry { &ENTRIES } else { &CALLEES });
        }
        _ => outputs(factory, instruction, state),
    }
    let stores =
        instruction.op0_kind() == OpKind::Memory && instruction.mnemonic() == Mnemonic::Mov;
    if let Some(place) = state.place(instruction).filter(|_| stores) {
        let stored = value(state, 1);
        state.overwrite(place, instruction.memory_size().size() as i64);
        if instruction.memory_size() == MemorySize::UInt64 {
            state.keep(place, stored);
        }
    }
    // `popf` gives back what `pushf` put away.
    match instruction.mnemonic() {
        Mnemonic::Std => state.is_forward = false,
        Mnemonic::Cld => state.is_forward = true,
        _ => {}
    }
    if instruction.mnemonic() == Mnemonic::Syscall {
        state.forget(RCX);
        state.forget(R11);
    }
    let written =
        instruction.rflags_written() | instruction.rflags_cleared() | instruction.rflags_set();
    if instruction.mnemonic() != Mnemonic::Call {
        state.flags = (old_flags | written) & !instruction.rflags_undefined();
    }
}

/// Marks all that an instruction writes as set, and as something other than before.
fn outputs(factory: &mut InstructionInfoFactory, instruction: &Instruction, state: &mut State) {
    let info = factory.info(instruction);
    for used in info.used_registers().iter().filter(|used| is_write(used.access())) {
        if let Some(register) = general(used.register()) {
            state.write(register, Value::Unknown);
        }
    }
    for used in info.used_memory().iter().filter(|used| is_write(used.access())) {
        if let (Some(place), OpKind::Memory) = (state.place(instruction), instruction.op0_kind()) {
            state.overwrite(place, used.memory_size().size() as i64);
        }
    }
}
