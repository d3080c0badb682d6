//! Every path through the functions of an arm64 image, and what is wrong on one.
//!
//! # Invariants
//!
//! 1. An instruction is stepped through again only if less is known in front of it than before,
//!    and all functions together no more than [`STEPS`] times.

use super::Kind;
use crate::arch::aarch64::instruction::{Instruction, Leads};
use crate::arch::aarch64::state::{LINK, SAVED, STACK, State, Value};
use crate::function::aarch64::{Function, decode_all};
use crate::image::Image;
use crate::symbol::Symbol;
use crate::verdict::Fault;
use std::collections::BTreeSet;

/// The most instructions that are stepped through: an image has some thousands, and few of them
/// are reached in more than two ways.
const STEPS: usize = 150_000;

/// The most faults that are told of one function.
const FAULT_LIMIT: usize = 64;

/// A function, and what was found in it.
#[derive(Debug)]
pub(crate) struct Followed<'a> {
    pub(crate) function: Function<'a>,
    /// What is known in front of each instruction; none where execution never arrives.
    pub(crate) states: Vec<Option<State>>,
    /// What is wrong.
    pub(crate) faults: Vec<(Kind, String)>,
}

/// Follows all paths through all functions.
pub(crate) fn follow_all<'a>(
    image: &Image<'a>,
    symbols: &[Symbol<'a>],
) -> Result<Vec<Followed<'a>>, Fault> {
    let functions = decode_all(image, symbols).map_err(not_known)?;
    let starts: BTreeSet<u64> = functions.iter().map(|function| function.range.start).collect();
    let mut steps = STEPS;
    functions
        .into_iter()
        .map(|function| {
            let states = Vec::from_iter(function.instructions.iter().map(|_| None));
            let mut walk = Followed { function, states, faults: Vec::new() };
            walk.through(&mut steps)?;
            (0..walk.states.len()).for_each(|index| walk.judge(index, &starts));
            Ok(walk)
        })
        .collect()
}

/// Why code is not judged whose functions are not known: rules about the tables that tell them
/// judge those.
fn not_known(fault: Fault) -> Fault {
    match fault {
        Fault::Wrong(why) => {
            Fault::NotJudged(format!("the functions are not known, because {why}"))
        }
        other => other,
    }
}

impl Followed<'_> {
    fn fault(&mut self, kind: Kind, index: usize, what: &str) {
        if self.faults.len() < FAULT_LIMIT {
            let place = self.function.place(&self.function.instructions[index]);
            self.faults.push((kind, format!("{place} {what}")));
        }
    }

    fn through(&mut self, steps: &mut usize) -> Result<(), Fault> {
        let mut waiting = vec![0];
        self.states[0] = Some(State::at_entry());
        while let Some(index) = waiting.pop() {
            let (instruction, state) = (self.function.instructions[index], &self.states[index]);
            let Some(mut state) = state.clone() else { continue };
            *steps = steps.checked_sub(1).ok_or_else(|| {
                Fault::NotJudged(format!("the paths take more than {STEPS} steps to follow"))
            })?;
            state.apply(&instruction);
            for next in self.followers(index, &instruction) {
                self.reach(next, &state, index, &mut waiting);
            }
        }
        Ok(())
    }

    /// Where execution continues inside the function.
    fn followers(&self, index: usize, instruction: &Instruction) -> Vec<Option<usize>> {
        let inside = |target: u64| {
            let is_here = self.function.range.contains(&target);
            is_here.then(|| self.function.index_of(target))
        };
        let next = (index + 1 < self.states.len()).then_some(index + 1);
        match instruction.leads() {
            Leads::To(target) => inside(target).into_iter().collect(),
            Leads::Either(target) => inside(target).into_iter().chain([next]).collect(),
            Leads::On if self.never_returns(index) => Vec::new(),
            Leads::On | Leads::Calls(_) | Leads::CallsRegister => vec![next],
            _ => Vec::new(),
        }
    }

    /// Whether this is the call of `rt_sigreturn`.
    fn never_returns(&self, index: usize) -> bool {
        let before = index.checked_sub(1).map(|before| &self.function.instructions[before]);
        self.function.instructions[index].is_system_call()
            && before.is_some_and(Instruction::is_number_of_sigreturn)
    }

    fn reach(&mut self, to: Option<usize>, state: &State, from: usize, waiting: &mut Vec<usize>) {
        let Some(index) = to else {
            self.fault(Kind::Ends, from, "leads out of its function, or between two instructions");
            return;
        };
        match &mut self.states[index] {
            empty @ None => {
                *empty = Some(state.clone());
                waiting.push(index);
            }
            Some(known) => match known.meet(state) {
                Some(true) => waiting.push(index),
                Some(false) => {}
                None => {
                    self.fault(Kind::Stack, index, "is reached with the stack in two places");
                }
            },
        }
    }

    /// Looks for what is wrong at an instruction.
    fn judge(&mut self, index: usize, starts: &BTreeSet<u64>) {
        let instruction = self.function.instructions[index];
        let Some(state) = self.states[index].clone() else {
            if !instruction.is_padding() {
                self.fault(Kind::Ends, index, "is never executed");
            }
            return;
        };
        if !matches!(state.register(STACK), Value::Place(_)) {
            self.fault(Kind::Stack, index, "is reached with the stack pointer in an unknown place");
        }
        match instruction.leads() {
            Leads::Returns(register) => {
                if state.register(register.into()) != Value::Return {
                    let what = "returns to an address that is not the return address, or is signed";
                    self.fault(Kind::Ends, index, what);
                }
                self.leaves(index, &state);
            }
            Leads::ReturnsChecked => {
                if state.register(LINK) != Value::Signed {
                    self.fault(Kind::Ends, index, "checks a return address that is not signed");
                }
                self.leaves(index, &state);
            }
            Leads::To(target) | Leads::Either(target)
                if !self.function.range.contains(&target)
                    || target == self.function.range.start && index != 0 =>
            {
                if !starts.contains(&target) {
                    let what = "jumps to a place that is not the start of a function";
                    self.fault(Kind::Ends, index, what);
                }
                self.leaves(index, &state);
            }
            Leads::Calls(target) if !starts.contains(&target) => {
                self.fault(Kind::Ends, index, "calls a place that is not the start of a function");
            }
            Leads::Register => self.leaves(index, &state),
            _ => {}
        }
    }

    /// The function is left: its stack and its caller's registers are as they were.
    fn leaves(&mut self, index: usize, state: &State) {
        if state.register(STACK) != Value::Place(0) {
            self.fault(Kind::Stack, index, "leaves the function with something on its stack");
        }
        let lost = SAVED.into_iter().find(|saved| state.register(*saved) != Value::Caller(*saved));
        if let Some(register) = lost {
            let what = format!("leaves the function with x{register} changed");
            self.fault(Kind::Saved, index, &what);
        }
    }
}
