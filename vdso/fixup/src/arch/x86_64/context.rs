// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Applying a fixup to a signal's context: the kernel does this before there is a signal, this code
//! in the handler.
//!
//! The image's own accesses to its callers' memory come first. The kernel has a table for them;
//! without the series, and for an image that was mapped by other means, a signal handler stands in
//! for it, and so a bad pointer gives `-EFAULT` there as well. The handler's own accesses may fault
//! like any others: with `SA_NODEFER` it runs again, and this time finds the image's own fixup.
//!
//! # Invariants
//!
//! 1. A fixup is applied only for an exception that the kernel gives to fixups. The signal, its
//!    code and the exception's number have to fit together ([`raises`]): the number alone says
//!    nothing, because the context of any other signal has that of the thread's last exception,
//!    however long ago that was.
//! 2. The context is written only when there is a fixup, or when a landing declines, `rip` last.

use super::frame;
use crate::area::Row;
use crate::error::Error;
use crate::kernel::Kernel;
use crate::lookup::lookup;
use crate::memory::{Fault, Memory};
use crate::table;
use core::ops::Range;
use liblinux_abi::arch::x86_64::exception::{SI_KERNEL, SIGSEGV, raises};
use liblinux_abi::arch::x86_64::signal::{
    CS, ERROR_CODE, FAULT_ADDRESS, FLAGS, FLAGS_RESUME, FPSTATE, FPSTATE_MAGIC, FPSTATE_MAGIC_AT,
    FPSTATE_SIZE, FPSTATE_SIZE_AT, RCX, RDI, RDX, RED_ZONE, RIP, RSI, RSP, SI_CODE, TRAP_NUMBER,
    TRAP_PAGE_FAULT,
};
use liblinux_abi::image::fixup::SIGNAL_SHIFT;

/// The facts of the handler's thread and of the image itself.
#[derive(Clone, Debug)]
pub struct Image {
    /// The selector of 64-bit code.
    pub code_segment: u16,
    /// The selector of the stack.
    pub stack_segment: u16,
    /// Whether the thread has a shadow stack.
    pub shadow_stack: bool,
    /// The image's text, and its fixups for itself, in any order.
    pub own: Row,
    /// Where a thread completes its frame and continues at the landing.
    pub enter: u64,
    /// Where a landing declines: instructions that raise its signal, with the frame in `rdi`.
    pub decline: Range<u64>,
}

/// Applies the fixup for the interrupted instruction to the context; whether there was one.
///
/// `FAULT` if the signal's information or its context is not accessible. An area that is not
/// accessible counts as one without fixups.
#[inline]
pub fn dispatch<M: Memory + Kernel>(
    memory: &M,
    image: &Image,
    area: u64,
    siginfo: u64,
    context: u64,
) -> Result<bool, Error> {
    let register = |offset: usize| memory.load(context.wrapping_add(offset as u64));
    let trap = register(TRAP_NUMBER)?;
    if !is_exception(memory, siginfo, context, trap)? {
        return Ok(false);
    }
    let ip = register(RIP)?;
    if register(CS)? as u16 != image.code_segment {
        return Ok(false);
    }
    if image.decline.contains(&ip) {
        // The signal is for the handlers that come next, as the declined one was.
        frame::give_back(memory, siginfo, context)?;
        return Ok(false);
    }
    if image.own.covers(ip) {
        let Some(fixup) = table::scan(memory, &image.own, ip)? else { return Ok(false) };
        // As the kernel's exception table for a vDSO has it: without the signal.
        report(memory, context, trap, 0)?;
        memory.store(context.wrapping_add(RIP as u64), fixup.landing)?;
        return Ok(true);
    }
    let hit = match lookup(memory, area, ip) {
        Ok(hit) => hit,
        // Unchanged: the instruction faults again, and the next look finds the registry at rest.
        Err(Error::OVERTAKEN) => return Ok(true),
        Err(_) => return Ok(false),
    };
    if hit.has_frame() {
        return Ok(!frame::was_offered(memory, ip, &hit)
            && frame::land(memory, image, siginfo, context, hit.landing)?);
    }
    if !hit.is_plain() {
        report(memory, context, trap, memory.load_half(siginfo)?)?;
        memory.store(context.wrapping_add(RCX as u64), ip)?;
    }
    memory.store(context.wrapping_add(RIP as u64), hit.landing)?;
    Ok(true)
}

/// Whether a signal was raised by an exception of the thread that it was delivered to.
///
/// The kernel raises SIGSEGV with `SI_KERNEL` for a general protection fault, and also where it
/// cannot write the frame of another signal. Of the latter the context has the number of an
/// exception before, which may have been a general protection fault as well. The resume flag tells
/// them apart: processors set it as they report a fault, not as they report an interrupt or return
/// from a call. Emulators may leave it clear, so a thread whose stack has room for the frame is
/// believed, too. A stack segment fault, whose stack has no room by its nature, is a SIGBUS and
/// needs no such proof.
#[inline(always)]
fn is_exception<M: Memory>(
    memory: &M,
    siginfo: u64,
    context: u64,
    trap: u64,
) -> Result<bool, Fault> {
    let signal = memory.load_half(siginfo)?;
    let code = memory.load_half(siginfo.wrapping_add(SI_CODE as u64))?;
    if !raises(signal, code, trap) {
        return Ok(false);
    }
    if code != SI_KERNEL || signal != SIGSEGV {
        return Ok(true);
    }
    let flags = memory.load(context.wrapping_add(FLAGS as u64))?;
    Ok(flags & FLAGS_RESUME != 0 || has_room(memory, context).is_ok())
}

/// Fails if the interrupted stack has no room for a frame like the one that this context is in.
#[inline(always)]
fn has_room<M: Memory>(memory: &M, context: u64) -> Result<(), Fault> {
    let fpstate = memory.load(context.wrapping_add(FPSTATE as u64))?;
    let magic = memory.load_half(fpstate.wrapping_add(FPSTATE_MAGIC_AT as u64))?;
    let extended = memory.load_half(fpstate.wrapping_add(FPSTATE_SIZE_AT as u64))?;
    let size = if magic == FPSTATE_MAGIC { u64::from(extended) } else { FPSTATE_SIZE as u64 };
    let top = memory.load(context.wrapping_add(RSP as u64))?.wrapping_sub(RED_ZONE as u64 + 8);
    let frame = fpstate.wrapping_add(size).wrapping_sub(context);
    memory.load(top)?;
    memory.load(top.wrapping_sub(frame)).map(drop)
}

/// Puts the facts of the exception where the landing looks for them: trap number, error code with
/// the signal above it, fault address.
#[inline(always)]
fn report<M: Memory>(memory: &M, context: u64, trap: u64, signal: u32) -> Result<(), Fault> {
    let field = |offset: usize| context.wrapping_add(offset as u64);
    // Other exceptions leave the address of some page fault before.
    let address = if trap == TRAP_PAGE_FAULT { memory.load(field(FAULT_ADDRESS))? } else { 0 };
    let error = u64::from(memory.load_half(field(ERROR_CODE))?);
    memory.store(field(RDI), trap)?;
    memory.store(field(RSI), error | u64::from(signal) << SIGNAL_SHIFT)?;
    memory.store(field(RDX), address)
}
