//! What is wrong at an instruction, once all paths have been followed.
//!
//! # Invariants
//!
//! 1. Each instruction is looked at once, with what is known on all paths to it.

use super::walk::{Kind, Surroundings, Walk};
use crate::arch::instruction::is_read;
use crate::arch::register::{self, ARGUMENTS, RSP, SAVED, general};
use crate::arch::state::{Region, State, Value};
use crate::function::Function;
use iced_x86::{FlowControl, Instruction, Mnemonic};

/// What was found in one function.
#[derive(Clone, Debug)]
pub(crate) struct Flow {
    /// What is known in front of each instruction; none where execution never arrives.
    pub(crate) states: Vec<Option<State>>,
    /// What is wrong.
    pub(crate) faults: Vec<(Kind, String)>,
}

/// Follows all paths through a function, and looks for what is wrong once all is known.
pub(crate) fn follow(function: &Function<'_>, around: &Surroundings<'_>) -> Flow {
    let mut walk = Walk::through(function, around);
    for index in 0..walk.states.len() {
        walk.judge(index);
    }
    Flow { states: walk.states, faults: walk.faults }
}

impl Walk<'_, '_> {
    /// Looks for what is wrong at an instruction.
    fn judge(&mut self, index: usize) {
        let instruction = self.function.instructions[index];
        let is_padding =
            matches!(instruction.mnemonic(), Mnemonic::Int3 | Mnemonic::Nop | Mnemonic::Ud2);
        // Taken out while it is looked at.
        let Some(state) = self.states[index].take() else {
            if !is_padding {
                self.fault(Kind::Ends, index, "is never executed");
            }
            return;
        };
        self.unset(index, &instruction, &state);
        self.judge_known(index, &instruction, &state);
        self.states[index] = Some(state);
    }

    /// The same, where execution arrives with that state.
    fn judge_known(&mut self, index: usize, instruction: &Instruction, state: &State) {
        if !matches!(state.registers[RSP], Value::Place(..)) {
            self.fault(Kind::Stack, index, "is reached with the stack pointer in an unknown place");
        }
        let target = instruction.near_branch_target();
        let is_start = self.around.starts.contains(&target);
        let leaves = target != 0 && !self.function.range.contains(&target)
            || target == self.function.range.start;
        let is_call =
            matches!(instruction.flow_control(), FlowControl::Call | FlowControl::IndirectCall);
        if is_call && instruction.mnemonic() == Mnemonic::Call && !state.is_forward {
            self.fault(Kind::Direction, index, "calls with the direction flag set");
        }
        match instruction.flow_control() {
            FlowControl::Return => {
                if instruction.op_count() != 0 || instruction.mnemonic() != Mnemonic::Ret {
                    self.fault(
                        Kind::Stack,
                        index,
                        "takes more than the return address from the stack",
                    );
                }
                self.leaves(index, state, -8);
            }
            FlowControl::UnconditionalBranch | FlowControl::ConditionalBranch if leaves => {
                if !is_start && !self.around.kernel.contains(&target) {
                    self.fault(
                        Kind::Ends,
                        index,
                        "jumps to a place that is not the start of a function",
                    );
                }
                self.leaves(index, state, -8);
            }
            FlowControl::IndirectBranch => {
                let holds =
                    general(instruction.op0_register()).map(|register| state.registers[register]);
                if holds != Some(Value::Return) {
                    self.fault(
                        Kind::Ends,
                        index,
                        "jumps to an address that is not the return address",
                    );
                }
                self.leaves(index, state, 0);
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
                "leaves the function with something other than the return address on its stack",
            );
        }
        if !state.is_forward {
            self.fault(Kind::Direction, index, "leaves the function with the direction flag set");
        }
        let is_legacy =
            self.function.body_owner().is_some_and(|call| !call.successors().is_empty());
        let kept = SAVED.into_iter().chain(ARGUMENTS.into_iter().filter(|_| is_legacy));
        let lost = kept
            .into_iter()
            .find(|register| state.registers[*register] != Value::Caller(*register));
        if let Some(register) = lost {
            let name = register::name(register);
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
        let copies =
            matches!(instruction.mnemonic(), Mnemonic::Mov | Mnemonic::Xchg | Mnemonic::Pop);
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
            self.fault(
                Kind::Unset,
                index,
                &format!("reads {what}, which has no value of this function's"),
            );
        }
    }
}
