//! Whether a function's time tells what it computes with: branches, addresses and divisions that
//! depend on what was read from memory.
//!
//! Arguments in registers are public: pointers and numbers of blocks. Memory and vector registers
//! are secret, but for constants of the image. What is computed from something secret is secret.
//!
//! # Invariants
//!
//! 1. What is secret on one path to an instruction is secret there.
//! 2. The walk ends: secrets in front of an instruction only become more.

use crate::arch::instruction::{is_read, is_write};
use crate::arch::register::general;
use crate::function::Function;
use iced_x86::{FlowControl, Instruction, InstructionInfoFactory, Mnemonic, OpKind, Register};

/// The flags, behind the bits of the general registers.
const FLAGS: u32 = 1 << 16;

/// What in a function depends on something secret, one text for each instruction.
pub(crate) fn leaks(function: &Function<'_>) -> Vec<String> {
    let mut factory = InstructionInfoFactory::new();
    let mut secrets = vec![0_u32; function.instructions.len()];
    let mut waiting: Vec<usize> = (0..secrets.len()).rev().collect();
    while let Some(index) = waiting.pop() {
        let instruction = &function.instructions[index];
        let after = step(&mut factory, instruction, secrets[index]);
        let target = instruction.near_branch_target();
        let branch = (target != 0).then(|| function.index_of(target)).flatten();
        let ends = matches!(
            instruction.flow_control(),
            FlowControl::Return | FlowControl::UnconditionalBranch
        );
        let next = (!ends && index + 1 < secrets.len()).then_some(index + 1);
        for follower in branch.into_iter().chain(next) {
            if secrets[follower] | after != secrets[follower] {
                secrets[follower] |= after;
                waiting.push(follower);
            }
        }
    }
    let found = function.instructions.iter().zip(secrets).filter_map(|(instruction, secrets)| {
        let what = leak(&mut factory, instruction, secrets)?;
        Some(format!("{} {what}", function.place(instruction)))
    });
    found.collect()
}

fn bit(register: Register) -> u32 {
    general(register).map_or(0, |number| 1 << number)
}

/// Whether the instruction reads memory that is not a constant of the image.
fn reads_memory(factory: &mut InstructionInfoFactory, instruction: &Instruction) -> bool {
    let mut used = factory.info(instruction).used_memory().iter();
    used.any(|used| is_read(used.access())) && !instruction.is_ip_rel_memory_operand()
}

/// Whether something secret goes into what the instruction computes.
fn takes(factory: &mut InstructionInfoFactory, instruction: &Instruction, secrets: u32) -> bool {
    let is_cleared = matches!(instruction.mnemonic(), Mnemonic::Xor | Mnemonic::Sub)
        && instruction.op0_kind() == OpKind::Register
        && instruction.op1_kind() == OpKind::Register
        && instruction.op0_register() == instruction.op1_register();
    if is_cleared {
        return false;
    }
    if instruction.rflags_read() != 0 && secrets & FLAGS != 0 || reads_memory(factory, instruction)
    {
        return true;
    }
    let mut used = factory.info(instruction).used_registers().iter();
    used.any(|used| {
        let register = used.register();
        is_read(used.access()) && (register.is_vector_register() || secrets & bit(register) != 0)
    })
}

/// What is secret behind an instruction.
fn step(factory: &mut InstructionInfoFactory, instruction: &Instruction, secrets: u32) -> u32 {
    let taken = takes(factory, instruction, secrets);
    let mut after = secrets;
    for used in factory.info(instruction).used_registers() {
        let register = used.register();
        if !is_write(used.access()) || bit(register) == 0 {
            continue;
        }
        if taken {
            after |= bit(register);
        } else if register.size() >= 4 {
            // A write of four bytes clears the rest; a smaller one leaves it.
            after &= !bit(register);
        }
    }
    if instruction.rflags_modified() != 0 {
        after = if taken { after | FLAGS } else { after & !FLAGS };
    }
    after
}

/// What an instruction gives away.
fn leak(
    factory: &mut InstructionInfoFactory,
    instruction: &Instruction,
    secrets: u32,
) -> Option<&'static str> {
    let address = bit(instruction.memory_base()) | bit(instruction.memory_index());
    let is_branch = matches!(
        instruction.flow_control(),
        FlowControl::ConditionalBranch | FlowControl::IndirectBranch | FlowControl::IndirectCall
    );
    if is_branch && takes(factory, instruction, secrets) {
        return Some("is a branch that depends on something secret");
    }
    if instruction.mnemonic() != Mnemonic::Nop && secrets & address != 0 {
        return Some("accesses memory at an address that depends on something secret");
    }
    let divides = matches!(instruction.mnemonic(), Mnemonic::Div | Mnemonic::Idiv);
    (divides && takes(factory, instruction, secrets))
        .then_some("divides by or divides something secret")
}
