//! What is known of the processor in front of an instruction: its registers, its flags, and the
//! function's stack.
//!
//! # Invariants
//!
//! 1. A register or slot without an entry here holds something unknown.
//! 2. A place is that of at most one slot.

use super::register::{ARGUMENTS, AT_ENTRY, RESULTS, RSP, SAVED, general};
use iced_x86::{Instruction, Register, RflagsBits};

/// The most slots of which something is known: a frame keeps some of 16 registers.
const SLOT_LIMIT: usize = 24;

/// A part of the stack in which distances are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Region {
    /// From the canonical frame address, which is right above the return address.
    Frame,
    /// From where the function aligned its stack.
    Aligned,
}

/// What a register or slot holds, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    /// Something else.
    Unknown,
    /// What the caller had in that register.
    Caller(usize),
    /// The return address.
    Return,
    /// An address on the stack.
    Place(Region, i64),
}

/// What is known in front of an instruction.
#[derive(Clone, Debug)]
pub(crate) struct State {
    pub(crate) registers: [Value; 16],
    slots: Vec<((Region, i64), Value)>,
    pub(crate) set: u16,
    pub(crate) flags: u32,
    /// Whether the direction flag is clear.
    pub(crate) is_forward: bool,
}

impl State {
    /// Where a function is entered.
    pub(crate) fn at_entry() -> Self {
        let mut registers = [Value::Unknown; 16];
        let callers = SAVED.into_iter().chain(ARGUMENTS);
        callers.for_each(|register| registers[register] = Value::Caller(register));
        registers[RSP] = Value::Place(Region::Frame, -8);
        let slots = vec![((Region::Frame, -8), Value::Return)];
        // The direction flag is clear wherever the ABI is kept.
        Self { registers, slots, set: AT_ENTRY, flags: RflagsBits::DF, is_forward: true }
    }

    pub(crate) fn register(&self, register: usize) -> Value {
        self.registers[register]
    }

    pub(crate) fn slot(&self, offset: i64) -> Value {
        self.slot_at(Region::Frame, offset)
    }

    pub(crate) fn slot_at(&self, region: Region, offset: i64) -> Value {
        let found = self.slots.iter().find(|(place, _)| *place == (region, offset));
        found.map_or(Value::Unknown, |(_, value)| *value)
    }

    pub(crate) fn write(&mut self, register: usize, value: Value) {
        self.registers[register] = value;
        self.set |= 1 << register;
    }

    pub(crate) fn forget(&mut self, register: usize) {
        self.registers[register] = Value::Unknown;
        self.set &= !(1 << register);
    }

    /// Keeps what `other` knows too; whether that changed something. None if the stack pointers
    /// differ.
    pub(crate) fn meet(&mut self, other: &Self) -> Option<bool> {
        if self.registers[RSP] != other.registers[RSP] {
            return None;
        }
        let before = (self.slots.len(), self.set, self.flags, self.is_forward);
        let mut is_changed = false;
        for (own, other) in self.registers.iter_mut().zip(other.registers) {
            if *own != other && *own != Value::Unknown {
                *own = Value::Unknown;
                is_changed = true;
            }
        }
        self.slots.retain(|((region, at), value)| other.slot_at(*region, *at) == *value);
        // A compiler leaves a register unset on a path on which it knows that no code will ask for
        // it.
        self.set |= other.set;
        self.flags |= other.flags;
        self.is_forward &= other.is_forward;
        Some(is_changed || before != (self.slots.len(), self.set, self.flags, self.is_forward))
    }

    /// Where a memory operand is on the stack.
    pub(crate) fn place(&self, instruction: &Instruction) -> Option<(Region, i64)> {
        let base = general(instruction.memory_base())?;
        match self.registers[base] {
            Value::Place(region, offset) if instruction.memory_index() == Register::None => Some((
                region,
                offset.wrapping_add(instruction.memory_displacement64().cast_signed()),
            )),
            _ => None,
        }
    }

    /// Forgets what overlaps `len` bytes of the stack.
    pub(crate) fn overwrite(&mut self, (region, offset): (Region, i64), len: i64) {
        self.slots.retain(|&((other, start), _)| {
            other != region
                || start.saturating_add(8) <= offset
                || offset.saturating_add(len) <= start
        });
    }

    /// Keeps what a slot holds, unless that is unknown, or as many are known as a frame needs.
    pub(crate) fn keep(&mut self, place: (Region, i64), value: Value) {
        if value != Value::Unknown && self.slots.len() < SLOT_LIMIT {
            self.slots.retain(|(known, _)| *known != place);
            self.slots.push((place, value));
        }
    }

    pub(crate) fn push(&mut self, value: Value) {
        if let Value::Place(region, offset) = self.registers[RSP] {
            let place = (region, offset.wrapping_sub(8));
            self.registers[RSP] = Value::Place(place.0, place.1);
            self.overwrite(place, 8);
            self.keep(place, value);
        }
    }

    pub(crate) fn pop(&mut self) -> Value {
        let Value::Place(region, offset) = self.registers[RSP] else { return Value::Unknown };
        self.registers[RSP] = Value::Place(region, offset.wrapping_add(8));
        self.slot_at(region, offset)
    }

    /// What a called function, or the kernel in a call, leaves: the caller's registers, and the
    /// stack above.
    pub(crate) fn called(&mut self, changed: &[usize]) {
        changed.iter().for_each(|register| self.forget(*register));
        self.set |= RESULTS;
        self.flags = RflagsBits::DF;
        if let Value::Place(region, top) = self.registers[RSP] {
            self.slots.retain(|&((other, offset), _)| other != region || offset >= top);
        }
    }
}
