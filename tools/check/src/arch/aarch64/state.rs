//! What is known of the processor in front of an arm64 instruction, and what the instruction does
//! to that.
//!
//! # Invariants
//!
//! 1. A register or slot of which nothing is known here holds something unknown.
//! 2. What is not understood leaves its first operand unknown, where that is a register.

use super::instruction::{Instruction, Leads};
use yaxpeax_arm::armv8::a64::{Instruction as Decoded, Opcode, Operand, ShiftStyle, SizeCode};

/// The link register, which has the return address.
pub(crate) const LINK: usize = 30;

/// The stack pointer's number.
pub(crate) const STACK: usize = 31;

/// The registers that a function leaves as they were; `x29` is the frame pointer.
pub(crate) const SAVED: std::ops::RangeInclusive<usize> = 19..=29;

/// The registers that a called function may change.
const CALLEES: std::ops::RangeInclusive<usize> = 0..=18;

/// The most slots of which something is known: a frame keeps twelve registers.
const SLOT_LIMIT: usize = 24;

/// What a register or slot holds, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Value {
    /// Something else.
    Unknown,
    /// What the caller had in that register.
    Caller(usize),
    /// The return address.
    Return,
    /// The return address, signed.
    Signed,
    /// An address on the stack, from where the stack pointer was when the function was entered.
    Place(i64),
}

/// What is known in front of an instruction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct State {
    registers: [Value; 32],
    slots: Vec<(i64, Value)>,
}

/// A memory operand: its base, the distance from there, and what is added to the base.
#[derive(Clone, Copy)]
struct Place {
    base: usize,
    at: Option<i64>,
    moves: Option<i64>,
}

impl State {
    /// Where a function is entered.
    pub(crate) fn at_entry() -> Self {
        let mut registers = [Value::Unknown; 32];
        SAVED.for_each(|register| registers[register] = Value::Caller(register));
        registers[LINK] = Value::Return;
        registers[STACK] = Value::Place(0);
        Self { registers, slots: Vec::new() }
    }

    pub(crate) fn register(&self, register: usize) -> Value {
        self.registers.get(register).copied().unwrap_or(Value::Unknown)
    }

    /// What the eight bytes there hold.
    pub(crate) fn slot(&self, at: i64) -> Value {
        let found = self.slots.iter().find(|(place, _)| *place == at);
        found.map_or(Value::Unknown, |(_, value)| *value)
    }

    /// Keeps what `other` knows too; whether that changed something. None if the stack pointers
    /// differ.
    pub(crate) fn meet(&mut self, other: &Self) -> Option<bool> {
        if self.registers[STACK] != other.registers[STACK] {
            return None;
        }
        let mut is_changed = false;
        for (own, other) in self.registers.iter_mut().zip(other.registers) {
            if *own != other && *own != Value::Unknown {
                *own = Value::Unknown;
                is_changed = true;
            }
        }
        let before = self.slots.len();
        self.slots.retain(|(place, value)| other.slot(*place) == *value);
        Some(is_changed || self.slots.len() != before)
    }

    fn overwrite(&mut self, at: i64, len: i64) {
        self.slots
            .retain(|(place, _)| place.saturating_add(8) <= at || at.saturating_add(len) <= *place);
    }

    /// What an instruction does.
    pub(crate) fn apply(&mut self, instruction: &Instruction) {
        match instruction.leads() {
            Leads::Calls(_) | Leads::CallsRegister => return self.called(),
            Leads::On => {}
            _ => return,
        }
        let Some(decoded) = instruction.decoded() else { return };
        if let Some(place) = memory(decoded) {
            return self.access(decoded, place);
        }
        match decoded.opcode {
            Opcode::SVC => self.registers[0] = Value::Unknown,
            Opcode::PACIASP | Opcode::PACIBSP if self.registers[LINK] == Value::Return => {
                self.registers[LINK] = Value::Signed;
            }
            Opcode::AUTIASP | Opcode::AUTIBSP if self.registers[LINK] == Value::Signed => {
                self.registers[LINK] = Value::Return;
            }
            // They read their registers.
            Opcode::MSR | Opcode::CCMP | Opcode::CCMN | Opcode::SYS(_) => {}
            _ => {
                if let Some(target) = target(&decoded.operands[0]) {
                    self.registers[target] = self.computed(decoded);
                }
            }
        }
    }

    /// What a called function leaves: the caller's registers, and the stack above.
    fn called(&mut self) {
        CALLEES.chain([LINK]).for_each(|register| self.registers[register] = Value::Unknown);
        if let Value::Place(top) = self.registers[STACK] {
            self.slots.retain(|(place, _)| *place >= top);
        }
    }

    /// What the first operand of an instruction holds behind it.
    fn computed(&self, decoded: &Decoded) -> Value {
        let [first, second, third, _] = &decoded.operands;
        if width(first) != 8 {
            return Value::Unknown;
        }
        let moved = |by: i64| match source(second).map(|source| self.registers[source]) {
            Some(Value::Place(at)) => Value::Place(at.wrapping_add(by)),
            // `mov x29, sp` and its like, of another register.
            Some(value) if by == 0 => value,
            _ => Value::Unknown,
        };
        let by = match third {
            Operand::Immediate(by) => Some(i64::from(*by)),
            Operand::ImmShift(by, shift) => Some(i64::from(*by) << (*shift).min(16)),
            _ => None,
        };
        match (decoded.opcode, by) {
            (Opcode::ADD, Some(by)) => moved(by),
            (Opcode::SUB, Some(by)) => moved(-by),
            // `mov` of registers: the first source is zero.
            (Opcode::ORR, None) => match (second, third) {
                (
                    Operand::Register(SizeCode::X, 31),
                    Operand::RegShift(ShiftStyle::LSL, 0, SizeCode::X, source)
                    | Operand::Register(SizeCode::X, source),
                ) if *source < 31 => self.registers[usize::from(*source)],
                _ => Value::Unknown,
            },
            _ => Value::Unknown,
        }
    }

    /// A load, a store, or both in one.
    fn access(&mut self, decoded: &Decoded, place: Place) {
        let mut at = match (self.registers[place.base], place.at) {
            (Value::Place(base), Some(by)) => Some(base.wrapping_add(by)),
            _ => None,
        };
        let kind = Access::of(decoded.opcode);
        let moved = decoded.operands.iter().take_while(|operand| place_of(operand).is_none());
        for (index, operand) in moved.enumerate() {
            let len = width(operand);
            if kind == Access::Exclusive && index == 0 {
                // Whether it stored.
                target(operand).into_iter().for_each(|it| self.registers[it] = Value::Unknown);
                continue;
            }
            let kept = self.slot_or_unknown(at.filter(|_| len == 8 && kind == Access::Load));
            if kind.writes()
                && let Some(at) = at
            {
                self.overwrite(at, len);
                let stored = source(operand).filter(|_| len == 8 && kind == Access::Store);
                self.keep(at, stored.map_or(Value::Unknown, |source| self.registers[source]));
            }
            if kind.reads()
                && let Some(target) = target(operand)
            {
                self.registers[target] = kept;
            }
            at = at.map(|at| at.wrapping_add(len));
        }
        self.registers[place.base] = match (place.moves, self.registers[place.base]) {
            (Some(0), value) => value,
            (Some(by), Value::Place(at)) => Value::Place(at.wrapping_add(by)),
            _ => Value::Unknown,
        };
    }

    fn slot_or_unknown(&self, at: Option<i64>) -> Value {
        at.map_or(Value::Unknown, |at| self.slot(at))
    }

    /// Keeps what a slot holds, unless that is unknown, or as many are known as a frame needs.
    fn keep(&mut self, at: i64, value: Value) {
        if value != Value::Unknown && self.slots.len() < SLOT_LIMIT {
            self.slots.push((at, value));
        }
    }
}

/// What an instruction with a memory operand does.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Access {
    Load,
    Store,
    /// A store that says in its first operand whether it stored.
    Exclusive,
    /// A hint to the caches.
    Neither,
    /// An atomic one, or one that is not known.
    Both,
}

impl Access {
    fn of(opcode: Opcode) -> Self {
        use Opcode::{
            LDNP, LDP, LDPSW, LDR, LDRB, LDRH, LDRSB, LDRSH, LDRSW, LDUR, LDURB, LDURH, LDURSB,
            LDURSH, LDURSW, PRFM, PRFUM, ST1, ST2, ST3, ST4, STLR, STLRB, STLRH, STLXP, STLXR,
            STLXRB, STLXRH, STNP, STP, STR, STRB, STRH, STUR, STURB, STURH, STXP, STXR, STXRB,
            STXRH,
        };
        match opcode {
            LDP | LDNP | LDR | LDUR | LDPSW | LDRB | LDRH | LDRSB | LDRSH | LDRSW | LDURB
            | LDURH | LDURSB | LDURSH | LDURSW => Self::Load,
            STP | STNP | STR | STUR | STRB | STRH | STURB | STURH | STLR | STLRB | STLRH | ST1
            | ST2 | ST3 | ST4 => Self::Store,
            STXP | STXR | STXRB | STXRH | STLXP | STLXR | STLXRB | STLXRH => Self::Exclusive,
            PRFM | PRFUM => Self::Neither,
            _ => Self::Both,
        }
    }

    fn reads(self) -> bool {
        matches!(self, Self::Load | Self::Both)
    }

    fn writes(self) -> bool {
        matches!(self, Self::Store | Self::Exclusive | Self::Both)
    }
}

/// The memory operand of an instruction.
fn memory(decoded: &Decoded) -> Option<Place> {
    decoded.operands.iter().find_map(place_of)
}

fn place_of(operand: &Operand) -> Option<Place> {
    let (base, at, moves) = match *operand {
        Operand::RegPreIndex(base, by, writes_back) => {
            (base, Some(by.into()), Some(if writes_back { by.into() } else { 0 }))
        }
        Operand::RegPostIndex(base, by) => (base, Some(0), Some(by.into())),
        Operand::RegPostIndexReg(base, _) => (base, Some(0), None),
        Operand::RegRegOffset(base, ..) => (base, None, Some(0)),
        _ => return None,
    };
    Some(Place { base: usize::from(base).min(STACK), at, moves })
}

/// The register that an operand names for writing; register 31 is the stack pointer in some
/// places, and in others it keeps nothing.
fn target(operand: &Operand) -> Option<usize> {
    match *operand {
        Operand::Register(_, register) if register < 31 => Some(register.into()),
        Operand::RegisterOrSP(_, register) if register <= 31 => Some(register.into()),
        _ => None,
    }
}

/// The register of eight bytes that an operand names for reading.
fn source(operand: &Operand) -> Option<usize> {
    target(operand).filter(|_| width(operand) == 8)
}

/// Bytes of an operand; of vectors the most that they can have.
fn width(operand: &Operand) -> i64 {
    match operand {
        Operand::Register(SizeCode::X, _) | Operand::RegisterOrSP(SizeCode::X, _) => 8,
        Operand::Register(SizeCode::W, _) | Operand::RegisterOrSP(SizeCode::W, _) => 4,
        Operand::SIMDRegister(..) => 16,
        _ => 64,
    }
}

#[cfg(test)]
mod tests {
    use super::super::instruction::decode;
    use super::*;

    /// What is known behind some instructions.
    fn behind(words: &[u32]) -> State {
        let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        let mut state = State::at_entry();
        decode(&bytes, 0).iter().for_each(|instruction| state.apply(instruction));
        state
    }

    /// `paciasp; stp x29, x30, [sp, #-32]!; mov x29, sp; stp x19, x20, [sp, #16]`
    const PROLOGUE: [u32; 4] = [0xd503_233f, 0xa9be_7bfd, 0x9100_03fd, 0xa901_53f3];

    /// `ldp x19, x20, [sp, #16]; ldp x29, x30, [sp], #32; autiasp`
    const EPILOGUE: [u32; 3] = [0xa941_53f3, 0xa8c2_7bfd, 0xd503_23bf];

    #[test]
    fn a_frame_keeps_the_callers_registers() {
        let open = behind(&PROLOGUE);
        assert_eq!(open.register(STACK), Value::Place(-32));
        assert_eq!(open.register(29), Value::Place(-32));
        assert_eq!((open.slot(-32), open.slot(-24)), (Value::Caller(29), Value::Signed));
        assert_eq!((open.slot(-16), open.slot(-8)), (Value::Caller(19), Value::Caller(20)));
        let mut all = PROLOGUE.to_vec();
        all.push(0xd280_0013); // mov x19, #0
        all.push(0xd63f_0020); // blr x1
        assert_eq!(behind(&all).register(19), Value::Unknown);
        assert_eq!(behind(&all).register(LINK), Value::Unknown);
        all.extend(EPILOGUE);
        let closed = behind(&all);
        assert_eq!(closed.register(STACK), Value::Place(0));
        assert_eq!(closed.register(LINK), Value::Return);
        assert!(SAVED.into_iter().all(|saved| closed.register(saved) == Value::Caller(saved)));
    }

    #[test]
    fn stores_and_arithmetic_change_what_is_known() {
        // sub sp, sp, #16; str x19, [sp]; str w0, [sp]; mov x9, x20; add x9, x9, #1
        let state = behind(&[0xd100_43ff, 0xf900_03f3, 0xb900_03e0, 0xaa14_03e9]);
        assert_eq!(state.register(STACK), Value::Place(-16));
        assert_eq!(state.slot(-16), Value::Unknown);
        assert_eq!(state.register(9), Value::Caller(20));
        let state = behind(&[0xaa14_03e9, 0x9100_0529]);
        assert_eq!(state.register(9), Value::Unknown);
        // cmp x0, x1 writes no register; stxr w9, x0, [x1] writes the first.
        assert_eq!(behind(&[0xeb01_001f]), State::at_entry());
    }
}
