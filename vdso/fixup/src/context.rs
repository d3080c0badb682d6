//! Applying a fixup to a signal's context: what the kernel does before there is a signal, done in the handler.
//!
//! The image's own accesses to its callers' memory come first. The kernel has a table for them; without the patch, and
//! for an image that was mapped by other means, a signal handler stands in for it, and so a bad pointer gives `-EFAULT`
//! there as well. The handler's own accesses may fault like any others: with `SA_NODEFER` it runs again, and this time
//! finds the image's own fixup.
//!
//! # Invariants
//!
//! 1. A signal that no exception of this thread raised is not ours: its code is not positive (`kill`, `sigqueue`, timers,
//!    asynchronous input and output), or it reports a memory error that somebody else met.
//! 2. The context is written only when there is a fixup, `rip` last.

use crate::area::Row;
use crate::error::Error;
use crate::lookup::lookup;
use crate::memory::{Fault, Memory};
use crate::table;
use liblinux_abi::fixup::{PLAIN, SIGNAL_SHIFT};
use liblinux_abi::signal::{
    BUS_MCEERR_AO, CS, ERROR_CODE, FAULT_ADDRESS, RCX, RDI, RDX, RIP, RSI, SI_CODE, TRAP_BREAKPOINT,
    TRAP_DEBUG, TRAP_NUMBER, TRAP_PAGE_FAULT,
};

/// `SIGBUS`, the signal that reports memory errors.
const SIGBUS: u32 = 7;

/// What the handler's thread runs in: its code segment, 64-bit, and the text and table of the image itself.
#[derive(Clone, Copy, Debug)]
pub struct Image {
    /// The selector of 64-bit code.
    pub code_segment: u16,
    /// The image's text, and its fixups for itself.
    pub own: Row,
}

/// Applies the fixup for the interrupted instruction to the context; whether there was one.
///
/// `FAULT` if the signal's information or its context is not accessible. An area that is not is one without fixups.
#[inline]
pub fn dispatch<M: Memory>(
    memory: &M,
    image: &Image,
    area: u64,
    siginfo: u64,
    context: u64,
) -> Result<bool, Error> {
    let register = |offset: usize| memory.load(context.wrapping_add(offset as u64));
    let trap = register(TRAP_NUMBER)?;
    if !is_exception(memory, siginfo)? || trap == TRAP_DEBUG || trap == TRAP_BREAKPOINT {
        return Ok(false);
    }
    let ip = register(RIP)?;
    if register(CS)? as u16 != image.code_segment {
        return Ok(false);
    }
    if image.own.covers(ip) {
        let Some(fixup) = table::search(memory, &image.own, ip)? else { return Ok(false) };
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
    if hit.flags & u64::from(PLAIN) == 0 {
        report(memory, context, trap, memory.load_half(siginfo)?)?;
        memory.store(context.wrapping_add(RCX as u64), ip)?;
    }
    memory.store(context.wrapping_add(RIP as u64), hit.landing)?;
    Ok(true)
}

/// Whether a signal was raised by an exception of the thread that it was delivered to.
#[inline(always)]
fn is_exception<M: Memory>(memory: &M, siginfo: u64) -> Result<bool, Fault> {
    let signal = memory.load_half(siginfo)?;
    let code = memory.load_half(siginfo.wrapping_add(SI_CODE as u64))?;
    Ok(code.cast_signed() > 0 && !(signal == SIGBUS && code == BUS_MCEERR_AO))
}

/// Puts what happened where the landing looks for it: trap number, error code with the signal above it, fault address.
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
