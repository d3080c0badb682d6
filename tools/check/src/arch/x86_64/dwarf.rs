//! Registers by their DWARF numbers, which are not those of the processor, and where the kernel
//! puts them for a signal.
//!
//! # Invariants
//!
//! 1. Numbers are those of the System V ABI for x86-64; the order in memory is that of
//!    `struct sigcontext` in the kernel's header `asm/sigcontext.h`.

use gimli::Register;

/// The stack pointer, `rsp`.
pub const RSP: Register = Register(7);

/// The processor's number of each general register.
const REGISTERS: [usize; 16] = [0, 2, 1, 3, 6, 7, 5, 4, 8, 9, 10, 11, 12, 13, 14, 15];

/// The DWARF number of the return address.
pub(crate) const RETURN: Register = Register(16);

/// The processor's number of a general register.
pub(crate) fn number(register: Register) -> Option<usize> {
    REGISTERS.get(usize::from(register.0)).copied()
}

/// The DWARF number of a general register.
pub(crate) fn of(register: usize) -> Option<Register> {
    REGISTERS.iter().position(|other| *other == register).map(|place| Register(place as u16))
}

/// The registers of `struct sigcontext` in its order, by their DWARF numbers: from `r8` to `rip`.
pub(crate) const CONTEXT: [u16; 17] = [8, 9, 10, 11, 12, 13, 14, 15, 5, 4, 6, 3, 1, 0, 2, 7, 16];

/// Bytes from the start of `struct ucontext`, to which `rsp` points, to its `struct sigcontext`.
pub(crate) const CONTEXT_START: i64 = 40;

/// `DW_OP_breg7`: `rsp` and a distance.
pub(crate) const AT_RSP: u8 = 0x77;
