// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The layouts of signal frames: the kernel's 64-bit context, and the 32-bit frames that programs
//! find on their stack.
//!
//! Source: `arch/x86/include/asm/sigframe.h`, `arch/x86/include/uapi/asm/sigcontext.h`.

use super::info::Words;
use crate::memory::{Plain as _, structures};

/// Where 32-bit code of a handler begins, and with which registers.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub(crate) struct Launch {
    pub(crate) eip: u32,
    pub(crate) esp: u32,
    pub(crate) eax: u32,
    pub(crate) ecx: u32,
    pub(crate) edx: u32,
}

/// The part of the stack between the kernel's frame and the 32-bit handler's.
#[repr(C, align(16))]
#[derive(Debug)]
pub(crate) struct Room {
    /// For the entry.
    pub(crate) launch: Launch,
    /// The 32-bit frame begins so that a function finds the stack as it expects it: a return
    /// address below a multiple of 16.
    gap: [u32; 6],
    frame: [u32; FRAME_SIZE / 4],
    link: [u32; 2],
}

/// Bytes that the larger of the two 32-bit frames takes.
pub(crate) const FRAME_SIZE: usize = 928;

const _: () = assert!(
    (core::mem::offset_of!(Room, frame) + 4) % 16 == 0
        && size_of::<RtFrame32>() <= FRAME_SIZE
        && size_of::<Frame32>() <= FRAME_SIZE
);

impl Room {
    /// The address of the 32-bit frame.
    pub(crate) fn frame(&mut self) -> u32 {
        crate::memory::place(&mut self.frame) as u32
    }
}

/// First word of a [`Link`].
pub(crate) const MAGIC: u32 = 0x3264_7673;

structures! {
    /// Behind the 32-bit frame: the way to the kernel's.
    #[repr(C)]
    struct Link {
        magic: u32,
        context: u32,
    }

    /// The kernel's `struct ucontext`, with the registers.
    #[repr(C)]
    struct Context {
        flags: u64,
        link: u64,
        stack_start: u64,
        stack_flags: u64,
        stack_size: u64,
        upper: [u64; 8],
        rdi: u64,
        rsi: u64,
        rbp: u64,
        rbx: u64,
        rdx: u64,
        rax: u64,
        rcx: u64,
        rsp: u64,
        rip: u64,
        eflags: u64,
        cs: u16,
        gs: u16,
        fs: u16,
        ss: u16,
        error: u64,
        trap: u64,
        old_mask: u64,
        fault_address: u64,
        fpstate: u64,
        reserved: [u64; 8],
        mask: u64,
    }

    /// `struct sigcontext_32`.
    #[repr(C)]
    struct Context32 {
        gs: u32,
        fs: u32,
        es: u32,
        ds: u32,
        edi: u32,
        esi: u32,
        ebp: u32,
        esp: u32,
        ebx: u32,
        edx: u32,
        ecx: u32,
        eax: u32,
        trap: u32,
        error: u32,
        eip: u32,
        cs: u32,
        eflags: u32,
        esp_at_signal: u32,
        ss: u32,
        fpstate: u32,
        old_mask: u32,
        fault_address: u32,
    }

    /// `struct _fpstate_32`: the state as `fsave` has it, and as `fxsave` has it.
    #[repr(C)]
    struct FpState32 {
        control: u32,
        status: u32,
        tag: u32,
        instruction: u32,
        instruction_segment: u32,
        operand: u32,
        operand_segment: u32,
        registers: [[u16; 5]; 8],
        short_status: u16,
        magic: u16,
        extended: [u32; 128],
    }

    /// `struct sigframe_ia32`: for a handler without `SA_SIGINFO`.
    #[repr(C)]
    struct Frame32 {
        restorer: u32,
        signal: u32,
        context: Context32,
        fpstate: FpState32,
        extra_mask: u32,
        code: [u32; 2],
    }

    /// `struct rt_sigframe_ia32`: for a handler with `SA_SIGINFO`.
    #[repr(C)]
    struct RtFrame32 {
        head: RtFrameHead,
        gap: [u32; 6],
        fpstate: FpState32,
    }
    /// The part of it that is written with or without a state of the floating-point unit.
    #[repr(C)]
    struct RtFrameHead {
        restorer: u32,
        signal: u32,
        info_at: u32,
        context_at: u32,
        info: Words,
        flags: u32,
        link: u32,
        stack: [u32; 3],
        context: Context32,
        mask: [u32; 2],
        code: [u32; 2],
    }
}

/// Offset of the vector registers in what `fxsave` writes.
pub(crate) const VECTORS_AT: u32 = 160;

/// Words of what `fxsave` writes that 32-bit code can see: control, `st0` to `st7`, `xmm0` to
/// `xmm7`.
pub(crate) const VISIBLE_WORDS: usize = (VECTORS_AT as usize + 8 * 16) / 4;

impl FpState32 {
    /// Both forms, from what `fxsave` wrote.
    pub(crate) fn of(extended: [u32; 128]) -> Self {
        let word = |index: usize| extended.get(index).copied().unwrap_or(0);
        let mut state = Self { extended, ..Self::ZERO };
        // The unused high halves of 16-bit registers are ones.
        state.control = word(0) & 0xffff | 0xffff_0000;
        state.status = word(0) >> 16 | 0xffff_0000;
        state.short_status = (word(0) >> 16) as u16;
        state.instruction = word(2);
        state.instruction_segment = word(3) & 0xffff | word(1) & 0xffff_0000;
        state.operand = word(4);
        state.operand_segment = word(5) | 0xffff_0000;
        for (index, register) in state.registers.iter_mut().enumerate() {
            for (part, value) in register.iter_mut().enumerate() {
                let word = word(8 + index * 4 + part / 2);
                *value = if part % 2 == 0 { word as u16 } else { (word >> 16) as u16 };
            }
        }
        let top = word(0) >> 16 >> 11 & 7;
        let mut tag = 0xffff_0000;
        for physical in 0..8 {
            let stack = (physical + 8 - top) % 8;
            let is_empty = word(1) >> physical & 1 == 0;
            let kind = if is_empty { 3 } else { state.kind(stack as usize) };
            tag |= kind << (2 * physical);
        }
        state.tag = tag;
        state
    }

    /// The tag of a register that is not empty: valid, zero or special.
    fn kind(&self, index: usize) -> u32 {
        let Some(&[a, b, c, d, exponent]) = self.registers.get(index) else { return 2 };
        match exponent & 0x7fff {
            0x7fff => 2,
            0 if a | b | c | d == 0 => 1,
            0 => 2,
            _ if d & 0x8000 == 0 => 2,
            _ => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::mem::offset_of;

    #[test]
    fn offsets_are_the_kernels() {
        use liblinux_abi::arch::x86_64::signal;
        assert_eq!(offset_of!(Context, upper), signal::MCONTEXT);
        assert_eq!(offset_of!(Context, rip), signal::RIP);
        assert_eq!(offset_of!(Context, rsp), signal::RSP);
        assert_eq!(offset_of!(Context, cs), signal::CS);
        assert_eq!(offset_of!(Context, fpstate), signal::FPSTATE);
        assert_eq!(offset_of!(Context, fault_address), signal::FAULT_ADDRESS);
        assert_eq!(offset_of!(Context, stack_size), signal::STACK_SIZE);
        assert_eq!(size_of::<Context>(), 304);
        assert_eq!(size_of::<Context32>(), 88);
        assert_eq!(size_of::<FpState32>(), 624);
        assert_eq!(offset_of!(RtFrame32, head.mask), 252);
    }

    #[test]
    fn the_tag_word_says_which_registers_are_empty() {
        // One register in use, the stack's top at 7: it is the physical register 7, and valid.
        let mut extended = [0; 128];
        extended[0] = 0x037f | 7 << 11 << 16;
        extended[1] = 1 << 7;
        extended[9] = 0x8000_0000;
        extended[10] = 0x3fff;
        let state = FpState32::of(extended);
        assert_eq!(state.tag, 0xffff_3fff);
        assert_eq!(state.control, 0xffff_037f);
        assert_eq!(state.registers[0], [0, 0, 0, 0x8000, 0x3fff]);
    }
}
