// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The signal frame: where `rt_sigreturn` finds the registers of the interrupted code.
//!
//! When a handler returns into the restorer, `rsp` points at the frame's `struct ucontext`. Its
//! `struct sigcontext` holds the registers in the order of [`REGISTERS`], 8 bytes each.
//!
//! Source: `struct rt_sigframe` in `arch/x86/include/asm/sigframe.h`, `struct ucontext` in
//! `include/uapi/asm-generic/ucontext.h`, `struct sigcontext_64` in
//! `arch/x86/include/uapi/asm/sigcontext.h`.

use crate::image::structure::structures;

structures! {
    /// The kernel's `struct sigaction`, which is not the libc's of that name.
    ///
    /// Source: `include/linux/signal_types.h`.
    #[repr(C)]
    Action as "liblinux_action" {
        /// `sa_handler`: the address of the handler, or 0 (`SIG_DFL`) or 1 (`SIG_IGN`).
        handler: usize,
        /// `sa_flags`. A handler needs `SA_RESTORER`.
        flags: u64,
        /// `sa_restorer`: where the handler returns to, such as the entry of `rt_sigreturn`.
        restorer: usize,
        /// `sa_mask`: bit n - 1 is signal n.
        mask: u64,
    }
}

/// `SA_SIGINFO`: the handler takes three arguments (`include/uapi/asm-generic/signal-defs.h`, as
/// the flags below are).
pub const SA_SIGINFO: u64 = 4;
/// `SA_RESTORER`: the action has a restorer (`asm/signal.h`).
pub const SA_RESTORER: u64 = 0x0400_0000;
/// `SA_ONSTACK`: the handler runs on the alternate stack, if the thread has one.
pub const SA_ONSTACK: u64 = 0x0800_0000;
/// `SA_RESTART`: calls that the signal interrupts are made again where the kernel can.
pub const SA_RESTART: u64 = 0x1000_0000;
/// `SA_NODEFER`: the signal is not blocked while the handler runs.
pub const SA_NODEFER: u64 = 0x4000_0000;
/// `SA_RESETHAND`: the first signal makes the action `SIG_DFL`.
pub const SA_RESETHAND: u64 = 0x8000_0000;

/// Offset of `uc_stack.ss_sp` in `struct ucontext`: the start of the alternate stack.
pub const STACK_START: usize = 16;
/// Offset of `uc_stack.ss_flags` in `struct ucontext`, 32 bits.
pub const STACK_FLAGS: usize = STACK_START + 8;
/// Offset of `uc_stack.ss_size` in `struct ucontext`.
pub const STACK_SIZE: usize = STACK_FLAGS + 8;

/// Offset of `uc_mcontext` in `struct ucontext`.
pub const MCONTEXT: usize = 40;

/// Offset of the saved `rip` from `rsp` at the restorer.
pub const RIP: usize = MCONTEXT + 16 * 8;

/// Offset of the saved `rsp` from `rsp` at the restorer.
pub const RSP: usize = MCONTEXT + 15 * 8;

/// DWARF register numbers (psABI, figure 3.36) in the order of `struct sigcontext_64`.
pub const REGISTERS: [u8; 17] = [8, 9, 10, 11, 12, 13, 14, 15, 5, 4, 6, 3, 1, 0, 2, 7, 16];

/// Offset of `si_code` in `siginfo_t`.
pub const SI_CODE: usize = 8;
/// Offset of `si_addr` in `siginfo_t`.
pub const SI_ADDRESS: usize = 16;
/// Offset of `si_pkey` in `siginfo_t`.
pub const SI_PKEY: usize = 32;
/// Bytes of `siginfo_t` that signals of exceptions use. Those behind it are unused.
pub const SI_USED: usize = 40;
/// Bytes of `siginfo_t` (`SI_MAX_SIZE`).
pub const SI_SIZE: usize = 128;
/// Offset of the signal's `siginfo_t` in its frame, from `struct ucontext` on, which is in front of
/// it.
pub const SIGINFO: usize = SIGNAL_MASK + 8;

/// Offsets in `struct ucontext` of registers that an exception fixup sets.
pub const RDI: usize = MCONTEXT + 8 * 8;
/// See [`RDI`].
pub const RSI: usize = MCONTEXT + 9 * 8;
/// See [`RDI`].
pub const RDX: usize = MCONTEXT + 12 * 8;
/// See [`RDI`].
pub const RCX: usize = MCONTEXT + 14 * 8;

/// Offset in `struct ucontext` of the register that holds the state's address in the window of
/// cancellable calls.
pub const RBX: usize = MCONTEXT + 11 * 8;

/// Offsets in `struct ucontext` of the registers with which `abi::image::fixup::Frame` begins: r15
/// to r8, with rbp and rbx between, and then rax, rcx, rdx, rsi, rdi.
pub const FRAME_REGISTERS: [u16; 15] = {
    let places = [7, 6, 5, 4, 10, 11, 3, 2, 1, 0, 13, 14, 12, 9, 8];
    let mut offsets = [0; 15];
    let mut index = 0;
    while index < offsets.len() {
        offsets[index] = MCONTEXT as u16 + 8 * places[index];
        index += 1;
    }
    offsets
};

/// Offset in `struct ucontext` of the flags.
pub const FLAGS: usize = MCONTEXT + 17 * 8;
/// `X86_EFLAGS_RF`: the resume flag, which a processor sets in what it saves of a fault
/// (`asm/processor-flags.h`).
pub const FLAGS_RESUME: u64 = 1 << 16;
/// Offset in `struct ucontext` of the address of the x87, SSE and extended state.
pub const FPSTATE: usize = MCONTEXT + 23 * 8;
/// Bytes of that state where it is not extended, `sizeof(struct _fpstate_64)`.
pub const FPSTATE_SIZE: usize = 512;
/// Offset in that state of `sw_reserved.magic1`.
pub const FPSTATE_MAGIC_AT: usize = 464;
/// `FP_XSTATE_MAGIC1`: the state is extended.
pub const FPSTATE_MAGIC: u32 = 0x4650_5853;
/// Offset in that state of `sw_reserved.extended_size`: how many bytes it has with what is
/// extended.
pub const FPSTATE_SIZE_AT: usize = 468;

/// Offset in `struct ucontext` of `uc_sigmask`, 64 bits.
pub const SIGNAL_MASK: usize = MCONTEXT + 32 * 8;

/// Bytes below the stack pointer that are the interrupted function's (psABI, 3.2.2).
pub const RED_ZONE: usize = 128;

/// `X86_EFLAGS_AC`: accesses that are not aligned fault.
pub const FLAGS_ALIGNMENT: u64 = 1 << 18;
/// `X86_EFLAGS_NT`: `iretq` faults.
pub const FLAGS_NESTED: u64 = 1 << 14;
/// `X86_EFLAGS_DF`: string instructions go down.
pub const FLAGS_DIRECTION: u64 = 1 << 10;

/// Offset in `struct ucontext` of the code segment, 16 bits.
pub const CS: usize = MCONTEXT + 18 * 8;
/// Offset in `struct ucontext` of the stack segment, 16 bits.
pub const SS: usize = CS + 6;
/// Offset in `struct ucontext` of the exception's error code.
pub const ERROR_CODE: usize = MCONTEXT + 19 * 8;
/// Offset in `struct ucontext` of the exception's number.
pub const TRAP_NUMBER: usize = MCONTEXT + 20 * 8;
/// Offset in `struct ucontext` of the address of the last page fault.
pub const FAULT_ADDRESS: usize = MCONTEXT + 22 * 8;

/// `X86_TRAP_PF`: the page fault (`arch/x86/include/asm/trapnr.h`).
pub const TRAP_PAGE_FAULT: u64 = 14;
