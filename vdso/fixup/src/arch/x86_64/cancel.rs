// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Calling a thread off where a signal found it: `abi::image::cancel` says what the window is.
//!
//! The window is the other place, beside a registered text, from which a signal's context is moved
//! elsewhere, and the context is read with the same care.
//!
//! # Invariants
//!
//! 1. The context is changed only if the thread was in front of an instruction of the window, in
//!    64-bit code, and its state was set. Then `rip` alone is changed.
//! 2. A state that cannot be read counts as one that is not set: the instruction that looks at it
//!    will fault by itself.

use crate::memory::{Fault, Memory};
use liblinux_abi::arch::x86_64::signal::{CS, RBX, RIP};
use liblinux_abi::image::cancel::Window;

/// Moves the interrupted thread to the window's exit, if its state is set; whether it did.
///
/// A fault if the context is not accessible.
#[inline]
pub fn dispatch<M: Memory>(
    memory: &M,
    window: &Window,
    code_segment: u16,
    context: u64,
) -> Result<bool, Fault> {
    let register = |offset: usize| memory.load(context.wrapping_add(offset as u64));
    let ip = register(RIP)?;
    if ip < window.start || ip > window.call || register(CS)? as u16 != code_segment {
        return Ok(false);
    }
    match memory.load_half(register(RBX)?) {
        Ok(0) | Err(Fault) => Ok(false),
        Ok(_) => {
            memory.store(context.wrapping_add(RIP as u64), window.exit)?;
            Ok(true)
        }
    }
}
