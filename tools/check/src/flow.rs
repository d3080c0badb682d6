//! What a function does to its stack and its caller's registers, instruction by instruction.
//!
//! Every path through a function is followed at once, with what is known on each: which registers and stack slots still
//! hold the caller's values, where the stack pointer is, which registers and flags have a value at all. Where two paths
//! meet, only what both know is kept, and a register counts as set if one of them set it. The code is the image's own, from one compiler and a few macros, so few shapes of
//! instructions need to be understood exactly; all others are taken to write what iced-x86 says that they write.
//!
//! Call-frame information is a claim about these same facts; `unwind-rows` compares the two.
//!
//! # Invariants
//!
//! 1. A fact is forgotten and never invented: an instruction that is not understood leaves its outputs unknown.
//! 2. The walk ends: what is known at an instruction only shrinks and what is set only grows, and a stack that differs on
//!    two paths stops it.
//! 3. Stores through pointers that do not come from the stack pointer do not change stack slots: no function hands out
//!    the slots in which it keeps its caller's registers.

use crate::function::Function;
use crate::view::exceptions::Fixup;
use iced_x86::{
    FlowControl, Instruction, InstructionInfoFactory, MemorySize, Mnemonic, OpAccess, OpKind, Register,
    RflagsBits,
};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;

/// General registers by number: `rax` is 0, `rsp` 4, `r15` 15.
pub(crate) const RSP: usize = 4;
const RBP: usize = 5;

/// Registers that a function leaves as its caller had them: `rbx`, `rbp`, `r12` to `r15`.
pub(crate) const SAVED: [usize; 6] = [3, 5, 12, 13, 14, 15];

/// Registers with a value when a function is entered: `rcx`, `rdx`, `rbx`, `rsp`, `rbp`, `rsi`, `rdi`, `r8`, `r9`, `r12` to `r15`.
const AT_ENTRY: u16 = 0b1111_0011_1111_1110;

/// Registers that a called function may change: `rax`, `rcx`, `rdx`, `rsi`, `rdi`, `r8` to `r11`.
const CALLEES: [usize; 9] = [0, 1, 2, 6, 7, 8, 9, 10, 11];

/// Registers that an entry of a system call may change, like the instruction itself: `rax`, `rcx`, `r10`, `r11`.
const ENTRIES: [usize; 4] = [0, 1, 10, 11];

/// Registers that the body of a legacy call leaves as they were: `rdx`, `rsi`, `rdi`, `r8`, `r9`.
const ARGUMENTS: [usize; 5] = [2, 6, 7, 8, 9];

/// Registers that a fixup finds with the exception's number, error code and address: `rdx`, `rsi`, `rdi`.
const REPORT: [usize; 3] = [2, 6, 7];

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
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct State {
    registers: [Value; 16],
    slots: BTreeMap<(Region, i64), Value>,
    set: u16,
    flags: u32,
}

/// What a fault is about; each kind has a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The stack is not where it should be.
    Stack,
    /// A register of the caller's is lost.
    Saved,
    /// Execution leaves the function where it should not, or never comes to some code.
    Ends,
    /// Something is read that has no value.
    Unset,
}

/// What was found in one function.
#[derive(Clone, Debug)]
pub(crate) struct Flow {
    /// What is known in front of each instruction; none where execution never comes.
    pub(crate) states: Vec<Option<State>>,
    /// What is wrong.
    pub(crate) faults: Vec<(Kind, String)>,
}

impl State {
    fn at_entry() -> Self {
        let mut registers = [Value::Unknown; 16];
        let callers = SAVED.into_iter().chain(ARGUMENTS);
        callers.for_each(|register| registers[register] = Value::Caller(register));
        registers[RSP] = Value::Place(Region::Frame, -8);
        let slots = BTreeMap::from([((Region::Frame, -8), Value::Return)]);
        // The direction flag is clear wherever the ABI is kept.
        Self { registers, slots, set: AT_ENTRY, flags: RflagsBits::DF }
    }

    pub(crate) fn register(&self, register: usize) -> Value {
        self.registers[register]
    }

    pub(crate) fn slot(&self, offset: i64) -> Value {
        self.slot_at(Region::Frame, offset)
    }

    fn slot_at(&self, region: Region, offset: i64) -> Value {
        self.slots.get(&(region, offset)).copied().unwrap_or(Value::Unknown)
    }

    fn write(&mut self, register: usize, value: Value) {
        self.registers[register] = value;
        self.set |= 1 << register;
    }

    fn forget(&mut self, register: usize) {
        self.registers[register] = Value::Unknown;
        self.set &= !(1 << register);
    }

    /// Keeps what `other` knows too; whether that changed something. None if the stack pointers differ.
    fn meet(&mut self, other: &Self) -> Option<bool> {
        if self.registers[RSP] != other.registers[RSP] {
            return None;
        }
        let before = self.clone();
        for (own, other) in self.registers.iter_mut().zip(other.registers) {
            if *own != other {
                *own = Value::Unknown;
            }
        }
        self.slots.retain(|place, value| other.slots.get(place) == Some(value));
        // A compiler leaves a register unset on a path on which it knows that nothing will ask for it.
        self.set |= other.set;
        self.flags |= other.flags;
        Some(*self != before)
    }

    /// Where a memory operand is on the stack.
    fn place(&self, instruction: &Instruction) -> Option<(Region, i64)> {
        let base = general(instruction.memory_base())?;
        match self.registers[base] {
            Value::Place(region, offset) if instruction.memory_index() == Register::None => {
                Some((region, offset.wrapping_add(instruction.memory_displacement64().cast_signed())))
            }
            _ => None,
        }
    }

    /// Forgets what overlaps `len` bytes of the stack.
    fn overwrite(&mut self, (region, offset): (Region, i64), len: i64) {
        self.slots
            .retain(|&(other, start), _| other != region || start + 8 <= offset || offset + len <= start);
    }

    fn push(&mut self, value: Value) {
        if let Value::Place(region, offset) = self.registers[RSP] {
            let place = (region, offset.wrapping_sub(8));
            self.registers[RSP] = Value::Place(place.0, place.1);
            self.overwrite(place, 8);
            self.slots.insert(place, value);
        }
    }

    fn pop(&mut self) -> Value {
        let Value::Place(region, offset) = self.registers[RSP] else { return Value::Unknown };
        self.registers[RSP] = Value::Place(region, offset.wrapping_add(8));
        self.slot_at(region, offset)
    }

    /// What a called function, or the kernel in a call, leaves: the caller's registers, and the stack above.
    fn called(&mut self, changed: &[usize]) {
        changed.iter().for_each(|register| self.forget(*register));
        self.set |= 0b101; // `rax` and `rdx` are results.
        self.flags = RflagsBits::DF;
        if let Value::Place(region, top) = self.registers[RSP] {
            self.slots.retain(|&(other, offset), _| other != region || offset >= top);
        }
    }
}

/// The number of a general register of 64 bits, or of the one that a smaller one is part of.
fn general(register: Register) -> Option<usize> {
    register.is_gpr().then(|| register.full_register().number())
}

/// What a function's code refers to.
pub(crate) struct Surroundings<'s> {
    /// The image's own fixups, by instruction.
    pub(crate) fixups: HashMap<u64, Fixup>,
    /// Where functions begin.
    pub(crate) starts: BTreeSet<u64>,
    /// Where the runner has put the running kernel's vDSO.
    pub(crate) kernel: Range<u64>,
    /// Those of them that keep all registers but a few, as a system call does.
    pub(crate) entries: BTreeSet<u64>,
    /// What the kernel may put in place of instructions, by the first one's address: where they end, and the new ones.
    pub(crate) replacements: HashMap<u64, (u64, &'s [Instruction])>,
}

/// Follows all paths through a function.
pub(crate) fn follow(function: &Function<'_>, around: &Surroundings<'_>) -> Flow {
    let mut walk = Walk {
        function,
        around,
        factory: InstructionInfoFactory::new(),
        states: vec![None; function.instructions.len()],
        faults: Vec::new(),
        waiting: Vec::new(),
    };
    walk.reach(function.range.start, State::at_entry(), None);
    while let Some(index) = walk.waiting.pop() {
        walk.step(index);
    }
    // What is wrong is looked for once all is known.
    for index in 0..walk.states.len() {
        walk.judge(index);
    }
    Flow { states: walk.states, faults: walk.faults }
}

struct Walk<'w, 'a> {
    function: &'w Function<'a>,
    around: &'w Surroundings<'w>,
    factory: InstructionInfoFactory,
    states: Vec<Option<State>>,
    faults: Vec<(Kind, String)>,
    waiting: Vec<usize>,
}

impl Walk<'_, '_> {
    fn fault(&mut self, kind: Kind, index: usize, what: &str) {
        let place = self.function.place(&self.function.instructions[index]);
        self.faults.push((kind, format!("{place} {what}")));
    }

    /// Execution comes to `address` with that state.
    fn reach(&mut self, address: u64, state: State, from: Option<usize>) {
        let Some(index) = self.function.index_of(address) else {
            if let Some(from) = from {
                self.fault(Kind::Ends, from, "leads out of its function, or between two instructions");
            }
            return;
        };
        match &mut self.states[index] {
            empty @ None => {
                *empty = Some(state);
                self.waiting.push(index);
            }
            Some(known) => match known.meet(&state) {
                Some(true) => self.waiting.push(index),
                Some(false) => {}
                None => {
                    let text = "is reached with the stack pointer in two different places";
                    if !self.faults.iter().any(|(_, known)| known.ends_with(text)) {
                        self.fault(Kind::Stack, index, text);
                    }
                }
            },
        }
    }

    /// Hands on what is known behind an instruction.
    fn step(&mut self, index: usize) {
        let instruction = self.function.instructions[index];
        let Some(before) = self.states[index].clone() else { return };
        if let Some(fixup) = self.around.fixups.get(&instruction.ip()) {
            let mut landed = before.clone();
            // What the instruction should have written keeps its old value, and the code asks for the report first.
            let info = self.factory.info(&instruction);
            let outputs = info.used_registers().iter().filter(|used| is_write(used.access()));
            outputs
                .filter_map(|used| general(used.register()))
                .for_each(|register| landed.set |= 1 << register);
            REPORT.into_iter().for_each(|register| landed.write(register, Value::Unknown));
            self.reach(fixup.landing, landed, Some(index));
        }
        let new = self.around.replacements.get(&instruction.ip());
        if let Some((end, new)) = new.filter(|_| !self.function.leads_elsewhere) {
            let mut replaced = before.clone();
            new.iter().for_each(|new| self.apply(new, &mut replaced));
            self.reach(*end, replaced, Some(index));
        }
        let mut after = before;
        self.apply(&instruction, &mut after);
        let target = instruction.near_branch_target();
        let is_inside = self.function.range.contains(&target) && target != self.function.range.start;
        match instruction.flow_control() {
            FlowControl::UnconditionalBranch if is_inside => self.reach(target, after, Some(index)),
            FlowControl::ConditionalBranch => {
                if is_inside {
                    self.reach(target, after.clone(), Some(index));
                }
                self.reach(instruction.next_ip(), after, Some(index));
            }
            FlowControl::Next | FlowControl::Call | FlowControl::IndirectCall => {
                self.reach(instruction.next_ip(), after, Some(index));
            }
            // `enclu` and other instructions that iced-x86 counts as exits of this kind continue behind themselves.
            FlowControl::Interrupt if instruction.mnemonic() != Mnemonic::Int3 => {
                self.reach(instruction.next_ip(), after, Some(index));
            }
            _ => {}
        }
    }

    /// What an instruction does to what is known.
    fn apply(&mut self, instruction: &Instruction, state: &mut State) {
        let value = |state: &State, operand: u32| match instruction.op_kind(operand) {
            OpKind::Register => match general(instruction.op_register(operand)) {
                Some(register) if instruction.op_register(operand).is_gpr64() => state.registers[register],
                _ => Value::Unknown,
            },
            OpKind::Memory if instruction.memory_size().size() == 8 => {
                state.place(instruction).map_or(Value::Unknown, |(region, at)| state.slot_at(region, at))
            }
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
                state.write(target, place.map_or(Value::Unknown, |(region, at)| Value::Place(region, at)));
            }
            (Mnemonic::Add | Mnemonic::Sub, Some(target)) if is_whole => {
                let by = instruction.try_immediate(1).map(u64::cast_signed);
                let by = if instruction.mnemonic() == Mnemonic::Sub { by.map(i64::wrapping_neg) } else { by };
                let moved = match (state.registers[target], by) {
                    (Value::Place(region, at), Ok(by)) => Value::Place(region, at.wrapping_add(by)),
                    _ => Value::Unknown,
                };
                state.write(target, moved);
            }
            (Mnemonic::And, Some(RSP)) => state.write(RSP, Value::Place(Region::Aligned, 0)),
            (Mnemonic::Xchg, Some(target)) if is_whole && instruction.op1_kind() == OpKind::Register => {
                let other = instruction.op1_register().number();
                state.registers.swap(target, other);
                let both = 1 << target | 1 << other;
                if state.set & both != both {
                    state.set &= !both;
                }
            }
            (Mnemonic::Call, _) => {
                let is_entry = self.around.entries.contains(&instruction.near_branch_target());
                state.called(if is_entry { &ENTRIES } else { &CALLEES });
            }
            _ => self.outputs(instruction, state),
        }
        let stores = instruction.op0_kind() == OpKind::Memory && instruction.mnemonic() == Mnemonic::Mov;
        if let Some(place) = state.place(instruction).filter(|_| stores) {
            let stored = value(state, 1);
            state.overwrite(place, instruction.memory_size().size() as i64);
            if instruction.memory_size() == MemorySize::UInt64 {
                state.slots.insert(place, stored);
            }
        }
        if instruction.mnemonic() == Mnemonic::Syscall {
            state.forget(1);
            state.forget(11);
        }
        let written = instruction.rflags_written() | instruction.rflags_cleared() | instruction.rflags_set();
        if instruction.mnemonic() != Mnemonic::Call {
            state.flags = (old_flags | written) & !instruction.rflags_undefined();
        }
    }

    /// Marks all that an instruction writes as set, and as something else than before.
    fn outputs(&mut self, instruction: &Instruction, state: &mut State) {
        let info = self.factory.info(instruction);
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

    /// Looks for what is wrong at an instruction.
    fn judge(&mut self, index: usize) {
        let instruction = self.function.instructions[index];
        let is_padding = matches!(instruction.mnemonic(), Mnemonic::Int3 | Mnemonic::Nop | Mnemonic::Ud2);
        let Some(state) = self.states[index].clone() else {
            if !is_padding {
                self.fault(Kind::Ends, index, "is never executed");
            }
            return;
        };
        self.unset(index, &instruction, &state);
        if !matches!(state.registers[RSP], Value::Place(..)) {
            self.fault(Kind::Stack, index, "is reached with the stack pointer in an unknown place");
        }
        let target = instruction.near_branch_target();
        let is_start = self.around.starts.contains(&target);
        let leaves =
            target != 0 && !self.function.range.contains(&target) || target == self.function.range.start;
        match instruction.flow_control() {
            FlowControl::Return => {
                if instruction.op_count() != 0 || instruction.mnemonic() != Mnemonic::Ret {
                    self.fault(Kind::Stack, index, "takes more than the return address from the stack");
                }
                self.leaves(index, &state, -8);
            }
            FlowControl::UnconditionalBranch | FlowControl::ConditionalBranch if leaves => {
                if !is_start && !self.around.kernel.contains(&target) {
                    self.fault(Kind::Ends, index, "jumps to a place that is not the start of a function");
                }
                self.leaves(index, &state, -8);
            }
            FlowControl::IndirectBranch => {
                let holds = general(instruction.op0_register()).map(|register| state.registers[register]);
                if holds != Some(Value::Return) {
                    self.fault(Kind::Ends, index, "jumps to an address that is not the return address");
                }
                self.leaves(index, &state, 0);
            }
            FlowControl::Call if instruction.mnemonic() == Mnemonic::Call && !is_start => {
                self.fault(Kind::Ends, index, "calls a place that is not the start of a function");
            }
            _ => {}
        }
    }

    /// The function is left: its stack and its caller's registers are as they were.
    fn leaves(&mut self, index: usize, state: &State, top: i64) {
        if state.registers[RSP] != Value::Place(Region::Frame, top) {
            self.fault(Kind::Stack, index, "leaves the function with something on its stack");
        } else if top == -8 && state.slot(-8) != Value::Return {
            self.fault(
                Kind::Stack,
                index,
                "leaves the function with something else than the return address on its stack",
            );
        }
        let is_legacy = self.function.body_owner().is_some_and(|call| !call.successors().is_empty());
        let kept = SAVED.into_iter().chain(ARGUMENTS.into_iter().filter(|_| is_legacy));
        let lost = kept.into_iter().find(|register| state.registers[*register] != Value::Caller(*register));
        if let Some(register) = lost {
            let name = format!("{:?}", Register::RAX + register as u32).to_lowercase();
            self.fault(Kind::Saved, index, &format!("leaves the function with {name} changed"));
        }
    }

    /// Registers and flags that are read without a value.
    fn unset(&mut self, index: usize, instruction: &Instruction, state: &State) {
        // A value that only makes room on the stack, or only fills the place of an operand.
        if matches!(
            instruction.mnemonic(),
            Mnemonic::Push | Mnemonic::Nop | Mnemonic::Call | Mnemonic::Syscall
        ) {
            return;
        }
        let copies = matches!(instruction.mnemonic(), Mnemonic::Mov | Mnemonic::Xchg | Mnemonic::Pop);
        let info = self.factory.info(instruction);
        let mut unset = Vec::new();
        for used in info.used_registers().iter().filter(|used| is_read(used.access())) {
            let Some(register) = general(used.register()) else { continue };
            let is_callers = match state.registers[register] {
                Value::Caller(register) => SAVED.contains(&register),
                Value::Return => true,
                _ => false,
            };
            if state.set & 1 << register == 0
                || is_callers && !copies && instruction.flow_control() == FlowControl::Next
            {
                unset.push(format!("{:?}", used.register()).to_lowercase());
            }
        }
        if instruction.rflags_read() & !state.flags != 0 {
            unset.push("flags".into());
        }
        if let Some(what) = unset.first() {
            self.fault(Kind::Unset, index, &format!("reads {what}, which has no value of this function's"));
        }
    }
}

fn is_write(access: OpAccess) -> bool {
    matches!(access, OpAccess::Write | OpAccess::CondWrite | OpAccess::ReadWrite | OpAccess::ReadCondWrite)
}

fn is_read(access: OpAccess) -> bool {
    matches!(access, OpAccess::Read | OpAccess::CondRead | OpAccess::ReadWrite | OpAccess::ReadCondWrite)
}
