// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Landings that find a frame, in a signal handler: how a thread gets there, and how its signal
//! comes after all.
//!
//! A frame holds all registers of the exception (`abi::image::fixup::Frame`), on the thread's own
//! stack. The kernel writes it in front of a landing, and needs nothing else. A handler has two
//! difficulties.
//!
//! **There is no room.** Where the thread has no alternate stack, the place below its red zone is
//! where the signal's own frame lies, which `rt_sigreturn` still needs. But most registers need no
//! memory: the thread has them again when the handler has returned. So [`land`] writes only the
//! words that are lost, [`HEAD`] of them, and sends the thread to `vdso_fixup_enter` in the image,
//! which writes the others below these and jumps to the landing. The words fit into the part of
//! the signal's `siginfo_t` that signals of exceptions leave unused, and the stack pointer says
//! that they are in use, so another signal in between does them no harm. With an alternate stack
//! they are below the red zone.
//!
//! **A landing that declines has left the handler.** The signal has to come again, with what it
//! said, at the instruction that raised it. Sending it is not enough: the handler would find the
//! same fixup. So `__vdso_fixup_decline` raises an exception with the same signal in the image, at
//! a place that dispatch knows, and [`give_back`] puts the registers of the frame into the context
//! and what the frame says into the signal's information. The handler is told that the signal is
//! not for it, and passes on what the first signal was.
//!
//! A kernel with the series has offered a fixup before there is a signal: if it comes, the landing
//! has declined, or the stack has no room. So what the kernel has found is not offered again
//! ([`was_offered`]).
//!
//! # Invariants
//!
//! 1. What [`land`] writes is not read by `rt_sigreturn`, nor in use by the thread.
//! 2. Every word of the frame can be written when `rip` is changed, so `vdso_fixup_enter` does not
//!    fault.
//! 3. Under a shadow stack there are no such landings: `iretq` faults there, and only the kernel
//!    can resume without.

use super::context::Image;
use crate::error::Error;
use crate::lookup::lookup;
use crate::{Fault, Kernel, Memory};
use core::mem::{offset_of, size_of};
use liblinux_abi::arch::x86_64::exception::PKEY_ERROR;
use liblinux_abi::arch::x86_64::signal::{
    ERROR_CODE, FAULT_ADDRESS, FLAGS, FLAGS_ALIGNMENT, FLAGS_DIRECTION, FLAGS_NESTED, FLAGS_RESUME,
    FRAME_REGISTERS, RDI, RED_ZONE, RIP, RSP, SI_ADDRESS, SI_CODE, SI_PKEY, SI_SIZE, SI_USED,
    SIGINFO, STACK_SIZE, STACK_START, TRAP_NUMBER, TRAP_PAGE_FAULT,
};
use liblinux_abi::image::fixup::{Frame, Hit, SIGNAL_SHIFT};

/// Bytes of the part of a frame that is written here: from `via` on.
const HEAD: u64 = (size_of::<Frame>() - offset_of!(Frame, via)) as u64;

const _: () = assert!(HEAD as usize == SI_SIZE - SI_USED && (SIGINFO + SI_USED) % 16 == 8);

/// Sends the thread to a landing with a frame; false if its stack has no room for one.
#[inline(always)]
pub(super) fn land<M: Memory>(
    memory: &M,
    image: &Image,
    siginfo: u64,
    context: u64,
    landing: u64,
) -> Result<bool, Fault> {
    if image.shadow_stack {
        return Ok(false);
    }
    let register = |offset: usize| memory.load(context.wrapping_add(offset as u64));
    let (trap, flags, sp) = (register(TRAP_NUMBER)?, register(FLAGS)?, register(RSP)?);
    let head = head(memory, context, sp)?;
    if head % 16 != 8 {
        return Ok(false);
    }
    let signal = memory.load_half(siginfo)?;
    let code = memory.load_half(siginfo.wrapping_add(SI_CODE as u64))?;
    let pkey = match code {
        PKEY_ERROR => memory.load_half(siginfo.wrapping_add(SI_PKEY as u64))?,
        _ => 0,
    };
    let error = memory.load_half(context.wrapping_add(ERROR_CODE as u64))?;
    let pair = |low: u32, high: u32| u64::from(low) | u64::from(high) << SIGNAL_SHIFT;
    let put = |offset: usize, value: u64| {
        memory.store(head.wrapping_add((offset - offset_of!(Frame, via)) as u64), value)
    };
    let written = || {
        // The lowest word of the frame, which may be one of the context: those between are on its
        // page or on that of the head.
        let lowest = head.wrapping_sub(offset_of!(Frame, via) as u64);
        memory.store(lowest, memory.load(lowest)?)?;
        put(offset_of!(Frame, via), landing)?;
        put(offset_of!(Frame, ip), register(RIP)?)?;
        put(offset_of!(Frame, cs), u64::from(image.code_segment))?;
        put(offset_of!(Frame, flags), flags)?;
        put(offset_of!(Frame, sp), sp)?;
        put(offset_of!(Frame, ss), u64::from(image.stack_segment))?;
        put(offset_of!(Frame, trap), trap)?;
        put(offset_of!(Frame, error), pair(error, signal))?;
        // Other exceptions leave the address of some page fault before.
        let address = if trap == TRAP_PAGE_FAULT { register(FAULT_ADDRESS)? } else { 0 };
        put(offset_of!(Frame, address), address)?;
        put(offset_of!(Frame, code), pair(code, pkey))?;
        put(offset_of!(Frame, reserved), 0)
    };
    if written().is_err() {
        return Ok(false);
    }
    let of_a_function = flags & !(FLAGS_ALIGNMENT | FLAGS_DIRECTION | FLAGS_NESTED | FLAGS_RESUME);
    memory.store(context.wrapping_add(FLAGS as u64), of_a_function)?;
    memory.store(context.wrapping_add(RSP as u64), head)?;
    memory.store(context.wrapping_add(RIP as u64), image.enter)?;
    Ok(true)
}

/// Where the head of the frame is to be: see the module.
#[inline(always)]
fn head<M: Memory>(memory: &M, context: u64, sp: u64) -> Result<u64, Fault> {
    let start = memory.load(context.wrapping_add(STACK_START as u64))?;
    let size = memory.load(context.wrapping_add(STACK_SIZE as u64))?;
    let on_alternate = |address: u64| address.wrapping_sub(start) < size;
    if on_alternate(context) == on_alternate(sp) {
        return Ok(context.wrapping_add((SIGINFO + SI_USED) as u64));
    }
    Ok((sp.wrapping_sub(RED_ZONE as u64 + HEAD + 8) & !15).wrapping_add(8))
}

/// Whether the kernel has offered this landing already, and the signal came nevertheless.
#[inline(always)]
pub(super) fn was_offered<M: Memory + Kernel>(memory: &M, ip: u64, hit: &Hit) -> bool {
    if memory.marked(ip, 1) != Some(true) {
        return false;
    }
    let Ok((area, _)) = memory.attached() else { return false };
    lookup(memory, area, ip).is_ok_and(|same| same.entry == hit.entry)
}

/// Makes of the signal by which a landing declines the one that it declines.
#[inline(always)]
pub(super) fn give_back<M: Memory>(memory: &M, siginfo: u64, context: u64) -> Result<(), Error> {
    let frame = memory.load(context.wrapping_add(RDI as u64))?;
    let word = |offset: usize| memory.load(frame.wrapping_add(offset as u64));
    let restore = |offset: usize, value| memory.store(context.wrapping_add(offset as u64), value);
    let tell = |offset: usize, value| memory.store(siginfo.wrapping_add(offset as u64), value);
    for (index, register) in FRAME_REGISTERS.iter().enumerate() {
        restore(usize::from(*register), word(8 * index)?)?;
    }
    let (ip, trap) = (word(offset_of!(Frame, ip))?, word(offset_of!(Frame, trap))?);
    let (error, code) = (word(offset_of!(Frame, error))?, word(offset_of!(Frame, code))?);
    let address = word(offset_of!(Frame, address))?;
    restore(FLAGS, word(offset_of!(Frame, flags))?)?;
    restore(RSP, word(offset_of!(Frame, sp))?)?;
    restore(ERROR_CODE, error & u64::from(u32::MAX))?;
    restore(TRAP_NUMBER, trap)?;
    if trap == TRAP_PAGE_FAULT {
        restore(FAULT_ADDRESS, address)?;
    }
    tell(SI_CODE, code & u64::from(u32::MAX))?;
    tell(SI_ADDRESS, told(error >> SIGNAL_SHIFT, trap, ip, address))?;
    tell(SI_ADDRESS + 8, 0)?;
    tell(SI_PKEY, code >> SIGNAL_SHIFT)?;
    restore(RIP, ip)?;
    Ok(())
}

/// What `si_addr` says of an exception: the address of a page fault, that of the instruction for
/// SIGILL and SIGFPE, and nothing otherwise.
#[inline(always)]
fn told(signal: u64, trap: u64, ip: u64, address: u64) -> u64 {
    match signal {
        _ if trap == TRAP_PAGE_FAULT => address,
        4 | 8 => ip,
        _ => 0,
    }
}
