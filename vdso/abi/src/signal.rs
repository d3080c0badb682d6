//! The signal frame: where `rt_sigreturn` finds the registers of the interrupted code.
//!
//! When a handler returns into the restorer, `rsp` points at the frame's `struct ucontext`. Its `struct sigcontext` holds
//! the registers in the order of [`REGISTERS`], 8 bytes each.
//!
//! Source: `struct rt_sigframe` in `arch/x86/include/asm/sigframe.h`, `struct ucontext` in
//! `include/uapi/asm-generic/ucontext.h`, `struct sigcontext_64` in `arch/x86/include/uapi/asm/sigcontext.h`.

/// Offset of `uc_mcontext` in `struct ucontext`.
pub const MCONTEXT: usize = 40;

/// Offset of the saved `rip` from `rsp` at the restorer.
pub const RIP: usize = MCONTEXT + 16 * 8;

/// Offset of the saved `rsp` from `rsp` at the restorer.
pub const RSP: usize = MCONTEXT + 15 * 8;

/// DWARF register numbers (psABI, figure 3.36) in the order of `struct sigcontext_64`.
pub const REGISTERS: [u8; 17] = [8, 9, 10, 11, 12, 13, 14, 15, 5, 4, 6, 3, 1, 0, 2, 7, 16];
