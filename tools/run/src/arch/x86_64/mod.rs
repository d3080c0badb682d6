//! x86-64: the registers of a stopped process, the `syscall` instruction, a jump to anywhere, and
//! the decoding of a text.
//!
//! # Invariants
//!
//! 1. Neither jump changes a register or a flag: a function at its end sees the call as it was
//!    made.

mod references;

use nix::libc::user_regs_struct;
pub(crate) use references::{Reference, references};

/// All registers that an ordinary program sees.
pub(crate) type Registers = user_regs_struct;

/// `syscall`
pub(crate) const SYSTEM_CALL: [u8; 2] = [0x0f, 0x05];

/// Bytes of a [`jump`]; every export of an image has more.
pub(crate) const JUMP_SIZE: usize = 14;

/// Bytes of a [`short_jump`].
pub(crate) const SHORT_JUMP_SIZE: usize = 5;

/// `__USER_CS` of `arch/x86/include/asm/segment.h`: the code segment of 64-bit programs.
const USER_CODE_SEGMENT: u64 = 0x33;

/// `jmp [rip]`, and behind it the address that it loads.
///
/// A jump relative to itself reaches 2 GiB, and the kernel's vDSO may be farther away.
pub(crate) fn jump(target: u64) -> [u8; JUMP_SIZE] {
    let mut code = [0xff, 0x25, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
    code[6..].copy_from_slice(&target.to_le_bytes());
    code
}

/// `jmp` from one place to another that is less than 2 GiB away.
pub(crate) fn short_jump(from: usize, to: usize) -> [u8; SHORT_JUMP_SIZE] {
    let behind = from + SHORT_JUMP_SIZE;
    let [a, b, c, d] = (to.wrapping_sub(behind) as u32).to_le_bytes();
    [0xe9, a, b, c, d]
}

/// Whether these are the registers of a 64-bit program.
pub(crate) fn is_native(registers: &Registers) -> bool {
    registers.cs == USER_CODE_SEGMENT
}

/// Whether a process was stopped in a system call: its number is `orig_rax`, which is negative
/// elsewhere.
pub(crate) fn is_in_call(registers: &Registers) -> bool {
    !registers.orig_rax.cast_signed().is_negative()
}

/// Where a process is, and the registers that change in any loop: if all are the same again, the
/// process has most likely not run.
pub(crate) fn place(registers: &Registers) -> [u64; 4] {
    [registers.rip, registers.rsp, registers.rax, registers.eflags]
}

/// `rsp`
pub(crate) fn stack_pointer(registers: &Registers) -> u64 {
    registers.rsp
}

/// Sets `rsp`.
pub(crate) fn set_stack_pointer(registers: &mut Registers, address: u64) {
    registers.rsp = address;
}

/// `rip`
pub(crate) fn instruction_pointer(registers: &Registers) -> u64 {
    registers.rip
}

/// Registers that make the system call `number` at `site`, where there is a [`SYSTEM_CALL`].
pub(crate) fn prepare_call(
    registers: &Registers,
    site: u64,
    number: u32,
    arguments: [u64; 6],
) -> Registers {
    let [rdi, rsi, rdx, r10, r8, r9] = arguments;
    Registers {
        rip: site,
        rax: number.into(),
        // The call in which the process has stopped is over: the kernel must not restart it.
        orig_rax: u64::MAX,
        rdi,
        rsi,
        rdx,
        r10,
        r8,
        r9,
        ..*registers
    }
}

/// The result of a system call: a value, or `-errno`.
pub(crate) fn result(registers: &Registers) -> i64 {
    registers.rax.cast_signed()
}
