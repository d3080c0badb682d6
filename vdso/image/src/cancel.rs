// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Calls that can be called off: the entries beside `__vdso_syscall_cancellable`, which is assembly
//! (`arch`).
//!
//! # Invariants
//!
//! 1. Memory of the caller is accessed through `arch::memory::User` alone.

use crate::arch::memory::User;
use crate::arch::{cancel_window, code_segment};
use crate::fixup::done;
use core::mem::offset_of;
use liblinux_abi::image::cancel::Window;
use liblinux_fixup::{Error, Fault, Memory as _, cancel};

/// Moves the thread of a signal's context out of the window, if its state is set; whether it did.
pub extern "C" fn dispatch(context: u64) -> isize {
    match cancel::dispatch(&User, &cancel_window(), code_segment(), context) {
        Ok(moved) => moved.into(),
        Err(fault) => Error::from(fault).code(),
    }
}

/// Writes where the window is.
pub extern "C" fn window(target: u64) -> isize {
    done(write_window(target, &cancel_window()).map_err(Error::from))
}

#[inline(always)]
fn write_window(target: u64, window: &Window) -> Result<(), Fault> {
    let field = |offset: usize, value| User.store(target.wrapping_add(offset as u64), value);
    field(offset_of!(Window, start), window.start)?;
    field(offset_of!(Window, call), window.call)?;
    field(offset_of!(Window, end), window.end)?;
    field(offset_of!(Window, exit), window.exit)
}
