// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Whose a fault is: by the memory that was touched, and by the code that touched it.

#![expect(unsafe_code, reason = "reads a signal's frame")]

use crate::link::Link;
use core::ffi::{c_int, c_void};
use liblinux_abi::arch::x86_64::exception::{SI_KERNEL, SIGBUS, SIGNALS, SIGSEGV};
use liblinux_abi::arch::x86_64::signal::{RIP, SI_ADDRESS, SI_CODE};

/// What a link says of a fault. Those that claim more run before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Claim {
    /// Its memory was touched, by any code.
    Memory,
    /// Its code touched memory that no link claims.
    Text,
    /// It is as much another's.
    Nothing,
}

/// An exception that a signal tells of.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fault {
    /// The instruction, or one that stands for it.
    code: u64,
    /// The address that it touched, where the kernel tells one.
    memory: Option<u64>,
}

impl Fault {
    /// The exception of a signal that was not sent. `code` stands for the instruction.
    ///
    /// # Safety
    ///
    /// As for `Area::dispatch`.
    pub(crate) unsafe fn read(
        signal: c_int,
        information: *const c_void,
        context: *const c_void,
        code: Option<u64>,
    ) -> Option<Self> {
        let is_exceptions = SIGNALS.iter().any(|number| *number as c_int == signal);
        if !is_exceptions || information.is_null() || context.is_null() {
            return None;
        }
        // SAFETY: in the `siginfo_t`.
        let kind = unsafe { information.wrapping_byte_add(SI_CODE).cast::<c_int>().read() };
        if kind <= 0 {
            return None; // It was sent.
        }
        // SAFETY: in the `ucontext_t`.
        let ip = unsafe { context.wrapping_byte_add(RIP).cast::<u64>().read() };
        // SAFETY: in the `siginfo_t`.
        let address = unsafe { information.wrapping_byte_add(SI_ADDRESS).cast::<u64>().read() };
        let is_memorys = [SIGSEGV, SIGBUS].map(|number| number as c_int).contains(&signal);
        let has_address = is_memorys && kind != SI_KERNEL as c_int;
        Some(Self { code: code.unwrap_or(ip), memory: has_address.then_some(address) })
    }

    /// What a link says of it.
    pub(crate) fn claim(&self, link: &Link) -> Claim {
        let is_in = |at: u64, start: u64, len: u64| at.wrapping_sub(start) < len;
        if self.memory.is_some_and(|at| is_in(at, link.memory_start, link.memory_len)) {
            Claim::Memory
        } else if is_in(self.code, link.text_start, link.text_len) {
            Claim::Text
        } else {
            Claim::Nothing
        }
    }
}
