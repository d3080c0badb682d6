//! Descriptors of thread-local storage that another program has left in the processor's table.
//!
//! A program that a kernel's own 32-bit ABI runs has such descriptors. When it starts the loader in
//! its place (`exec`), the kernel forgets them, but the processor's table has them until the kernel
//! next switches to a thread. Until then loading their selectors succeeds, with the old program's
//! address, where the shim counts on a fault.

#![expect(unsafe_code, reason = "asks the processor")]

use crate::status::Failure;
use std::arch::asm;
use std::thread;
use std::time::Duration;

/// The selectors of the three entries (`GDT_ENTRY_TLS_MIN`), for user mode.
const SELECTORS: [u32; 3] = [0x63, 0x6b, 0x73];

/// How often a switch is waited for. A thread that sleeps is switched away from, and the first
/// switch back to it clears the table.
const TRIES: u32 = 1000;

/// Waits until the table has none of them.
pub(crate) fn wait_until_forgotten() -> Result<(), Failure> {
    for _ in 0..TRIES {
        if !SELECTORS.into_iter().any(is_there) {
            return Ok(());
        }
        thread::sleep(Duration::from_micros(50));
    }
    Err(Failure::own(
        "the processor's table has descriptors of a 32-bit program, which the kernel does not clear; start the loader \
         from a 64-bit program",
    ))
}

/// Whether the processor's table has a descriptor for a selector.
fn is_there(selector: u32) -> bool {
    let is_there: u8;
    // SAFETY: reads a descriptor's rights, and is not a fault without one.
    unsafe {
        asm!(
            "lar {rights:e}, {selector:e}",
            "setz {is_there}",
            selector = in(reg) selector,
            rights = out(reg) _,
            is_there = out(reg_byte) is_there,
            options(nomem, nostack),
        );
    }
    is_there != 0
}
