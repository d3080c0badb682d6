//! The walk along every path through a function, with what is known on each.
//!
//! # Invariants
//!
//! 1. An instruction is stepped through again only if less is known in front of it than before.

use crate::arch::effect;
use crate::arch::instruction::is_write;
use crate::arch::register::{REPORT, general};
use crate::arch::state::{State, Value};
use crate::function::Function;
use crate::view::exceptions::Fixup;
use iced_x86::{FlowControl, Instruction, InstructionInfoFactory, Mnemonic};
use std::collections::{BTreeSet, HashMap};
use std::ops::Range;

/// The most faults of a kind that are told of one function.
const FAULT_LIMIT: usize = 64;

/// What a fault is about; each kind has a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The stack is not where it should be.
    Stack,
    /// A register of the caller's is lost.
    Saved,
    /// The direction flag is set where callers and callees expect it clear.
    Direction,
    /// Execution leaves the function where it should not, or never reaches some code.
    Ends,
    /// Something is read that has no value.
    Unset,
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
    /// What the kernel may put in place of instructions, by the first one's address: where they
    /// end, and the new ones.
    pub(crate) replacements: HashMap<u64, (u64, &'s [Instruction])>,
}

/// A walk through one function.
pub(super) struct Walk<'w, 'a> {
    pub(super) function: &'w Function<'a>,
    pub(super) around: &'w Surroundings<'w>,
    pub(super) factory: InstructionInfoFactory,
    pub(super) states: Vec<Option<State>>,
    pub(super) faults: Vec<(Kind, String)>,
    waiting: Vec<usize>,
}

impl<'w, 'a> Walk<'w, 'a> {
    /// Follows all paths through a function.
    pub(super) fn through(function: &'w Function<'a>, around: &'w Surroundings<'w>) -> Self {
        let mut walk = Self {
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
        walk
    }

    pub(super) fn fault(&mut self, kind: Kind, index: usize, what: &str) {
        // A function of nothing but faults is told by the first of them.
        if self.faults.iter().filter(|(other, _)| *other == kind).count() >= FAULT_LIMIT {
            return;
        }
        let place = self.function.place(&self.function.instructions[index]);
        self.faults.push((kind, format!("{place} {what}")));
    }

    /// Execution reaches `address` with that state.
    fn reach(&mut self, address: u64, state: State, from: Option<usize>) {
        let Some(index) = self.function.index_of(address) else {
            if let Some(from) = from {
                self.fault(
                    Kind::Ends,
                    from,
                    "leads out of its function, or between two instructions",
                );
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

    fn apply(&mut self, instruction: &Instruction, state: &mut State) {
        effect::apply(&mut self.factory, &self.around.entries, instruction, state);
    }

    /// Hands on what is known behind an instruction.
    fn step(&mut self, index: usize) {
        let instruction = self.function.instructions[index];
        let Some(before) = self.states[index].clone() else { return };
        if let Some(fixup) = self.around.fixups.get(&instruction.ip()) {
            let mut landed = before.clone();
            // What the instruction should have written keeps its old value, and the code asks for
            // the report first.
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
        let is_inside =
            self.function.range.contains(&target) && target != self.function.range.start;
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
            // `enclu` and other instructions that iced-x86 counts as exits of this kind continue
            // behind themselves.
            FlowControl::Interrupt if instruction.mnemonic() != Mnemonic::Int3 => {
                self.reach(instruction.next_ip(), after, Some(index));
            }
            _ => {}
        }
    }
}
