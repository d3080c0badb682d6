//! General registers by number, as `iced-x86` and the encoding number them: `rax` is 0, `rsp` 4,
//! `r15` 15.
//!
//! # Invariants
//!
//! 1. Sets are those of the System V ABI, or of the image's entries, which keep more than that.

use iced_x86::Register;

/// `rcx`, in which `syscall` leaves its return address.
pub(crate) const RCX: usize = 1;

/// The stack pointer.
pub(crate) const RSP: usize = 4;

/// The frame pointer.
pub(crate) const RBP: usize = 5;

/// `r11`, in which `syscall` leaves the flags.
pub(crate) const R11: usize = 11;

/// Registers that a function leaves as its caller had them: `rbx`, `rbp`, `r12` to `r15`.
pub(crate) const SAVED: [usize; 6] = [3, 5, 12, 13, 14, 15];

/// Registers with a value when a function is entered: `rcx`, `rdx`, `rbx`, `rsp`, `rbp`, `rsi`,
/// `rdi`, `r8`, `r9`, `r12` to `r15`. One bit for each.
pub(crate) const AT_ENTRY: u16 = 0b1111_0011_1111_1110;

/// Registers with a value when a called function has returned: `rax` and `rdx`. One bit for each.
pub(crate) const RESULTS: u16 = 0b101;

/// Registers that a called function may change: `rax`, `rcx`, `rdx`, `rsi`, `rdi`, `r8` to `r11`.
pub(crate) const CALLEES: [usize; 9] = [0, 1, 2, 6, 7, 8, 9, 10, 11];

/// Registers that an entry of a system call may change, like the instruction itself: `rax`, `rcx`,
/// `r10`, `r11`.
pub(crate) const ENTRIES: [usize; 4] = [0, 1, 10, 11];

/// Registers that the body of a legacy call and a cancellable call leave as they were: `rdx`,
/// `rsi`, `rdi`, `r8`, `r9`.
pub(crate) const ARGUMENTS: [usize; 5] = [2, 6, 7, 8, 9];

/// Registers that a fixup finds with the exception's number, error code and address: `rdx`, `rsi`,
/// `rdi`.
pub(crate) const REPORT: [usize; 3] = [2, 6, 7];

/// The number of a general register of 64 bits, or of the one that a smaller one is part of.
pub(crate) fn general(register: Register) -> Option<usize> {
    register.is_gpr().then(|| register.full_register().number())
}

/// The name of a general register.
pub(crate) fn name(register: usize) -> String {
    format!("{:?}", Register::RAX + register as u32).to_lowercase()
}
