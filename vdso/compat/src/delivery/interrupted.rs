// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The 32-bit registers of an interrupted thread, wherever it was.
//!
//! [`crate::arch`]'s entry says which places there are.

use super::frame::{Context, Context32, VECTORS_AT};
use crate::arch::{self, CODE_32, facts, place};
use crate::frame::Frame;
use crate::memory;

/// The general registers of 32-bit code.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Registers {
    pub(crate) eax: u32,
    pub(crate) ebx: u32,
    pub(crate) ecx: u32,
    pub(crate) edx: u32,
    pub(crate) esi: u32,
    pub(crate) edi: u32,
    pub(crate) ebp: u32,
    pub(crate) esp: u32,
    pub(crate) eip: u32,
    pub(crate) eflags: u32,
}

impl Registers {
    fn of_context(context: &Context) -> Self {
        Self {
            eax: context.rax as u32,
            ebx: context.rbx as u32,
            ecx: context.rcx as u32,
            edx: context.rdx as u32,
            esi: context.rsi as u32,
            edi: context.rdi as u32,
            ebp: context.rbp as u32,
            esp: context.rsp as u32,
            eip: context.rip as u32,
            eflags: context.eflags as u32,
        }
    }

    fn of_frame(frame: &Frame) -> Self {
        let Frame { eax, ebx, ecx, edx, esi, edi, ebp, esp, eip, eflags, .. } = *frame;
        Self { eax, ebx, ecx, edx, esi, edi, ebp, esp, eip, eflags }
    }

    /// Those that a handler has left in its frame.
    pub(crate) fn of_handler(context: &Context32) -> Self {
        let Context32 { eax, ebx, ecx, edx, esi, edi, ebp, esp, eip, eflags, .. } = *context;
        Self { eax, ebx, ecx, edx, esi, edi, ebp, esp, eip, eflags }
    }

    /// Lets the context be 32-bit code with these registers.
    pub(crate) fn put(&self, context: &mut Context) {
        context.rax = self.eax.into();
        context.rbx = self.ebx.into();
        context.rcx = self.ecx.into();
        context.rdx = self.edx.into();
        context.rsi = self.esi.into();
        context.rdi = self.edi.into();
        context.rbp = self.ebp.into();
        context.rsp = self.esp.into();
        context.rip = self.eip.into();
        context.eflags = self.eflags.into();
        context.cs = CODE_32;
        context.ss = arch::DATA;
    }
}

/// Where a signal has come.
pub(crate) enum Place {
    /// In 32-bit code: the context has its registers.
    Program,
    /// In the shim, which has saved these vector registers of its caller, if it has.
    Shim(Option<[[u64; 2]; 8]>),
    /// In the shim on the way to a handler or from a new thread, where the caller's registers are
    /// not to be had.
    Between,
}

/// The registers, and the place. A context that is about to enter the shim is put before the entry,
/// one that is about to leave it behind that.
pub(crate) fn registers(context: &mut Context) -> (Registers, Place) {
    let rip = context.rip;
    if context.cs == CODE_32 {
        return (Registers::of_context(context), Place::Program);
    }
    if (place::enter()..place::enter_end()).contains(&rip) {
        let [_, _, flags, stack, ..] = context.upper;
        if rip >= place::enter_flags() {
            context.eflags = flags;
        }
        let stack = if rip == place::enter() { context.rsp } else { stack };
        (context.rip, context.rsp) = (place::enter(), stack);
        let mut registers = Registers::of_context(context);
        registers.eip = memory::read(stack as u32).unwrap_or(0);
        registers.esp = (stack as u32).wrapping_add(4);
        return (registers, Place::Shim(None));
    }
    if (place::leave()..place::leave_far()).contains(&rip)
        && let Ok(frame) = memory::read::<Frame>(context.rsp as u32)
    {
        let registers = Registers::of_frame(&frame);
        registers.put(context);
        return (registers, Place::Program);
    }
    if (place::leave_far()..place::leave_end()).contains(&rip) {
        let mut registers = Registers::of_context(context);
        registers.eip = memory::read(registers.esp.wrapping_sub(8)).unwrap_or(0);
        registers.put(context);
        return (registers, Place::Program);
    }
    if let Some(frame) = saved(context) {
        let mut registers = Registers::of_frame(&frame);
        let facts = facts();
        if rip.wrapping_sub(facts.entries_start) < facts.entries_size {
            registers.eax = context.rax as u32;
        }
        return (registers, Place::Shim((frame.has_vectors != 0).then_some(frame.vectors)));
    }
    (Registers::of_context(context), Place::Between)
}

/// The frame whose address is in `xmm15`.
fn saved(context: &Context) -> Option<Frame> {
    const XMM15_AT: u32 = VECTORS_AT + 15 * 16;
    let at = (context.fpstate as u32).wrapping_add(XMM15_AT);
    match memory::read::<u64>(at) {
        Ok(address) if address != 0 && address >> 32 == 0 => memory::read(address as u32).ok(),
        _ => None,
    }
}
