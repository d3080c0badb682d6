// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The segment registers `fs` and `gs`: selectors and bases.
//!
//! `ARCH_SET_GS` and its like are calls; these instructions are not. The loader refuses a processor
//! or a kernel without them.

#![expect(unsafe_code, reason = "these registers have no other access")]

use core::arch::asm;

/// One of the two registers that 32-bit programs use for thread-local storage.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Segment {
    /// `fs`.
    Fs,
    /// `gs`.
    Gs,
}

/// The base of a register.
pub(crate) fn base_of(segment: Segment) -> u64 {
    let base: u64;
    match segment {
        // SAFETY: reads a register.
        Segment::Fs => unsafe { asm!("rdfsbase {}", out(reg) base, options(nomem, nostack)) },
        // SAFETY: as above.
        Segment::Gs => unsafe { asm!("rdgsbase {}", out(reg) base, options(nomem, nostack)) },
    }
    base
}

/// Sets the base of a register.
pub(crate) fn set_base(segment: Segment, base: u64) {
    match segment {
        // SAFETY: the shim has no thread-local storage; the register is the program's.
        Segment::Fs => unsafe { asm!("wrfsbase {}", in(reg) base, options(nomem, nostack)) },
        // SAFETY: as above.
        Segment::Gs => unsafe { asm!("wrgsbase {}", in(reg) base, options(nomem, nostack)) },
    }
}

/// The selector in a register.
pub(crate) fn selector_of(segment: Segment) -> u16 {
    let selector: u32;
    match segment {
        // SAFETY: reads a register.
        Segment::Fs => unsafe { asm!("mov {:e}, fs", out(reg) selector, options(nomem, nostack)) },
        // SAFETY: as above.
        Segment::Gs => unsafe { asm!("mov {:e}, gs", out(reg) selector, options(nomem, nostack)) },
    }
    selector as u16
}

/// Loads the data segment's selector, and keeps the base.
pub(crate) fn set_selector(segment: Segment) {
    let base = base_of(segment);
    let selector = u32::from(super::enter::DATA);
    match segment {
        // SAFETY: every kernel's table has this segment.
        Segment::Fs => unsafe { asm!("mov fs, {:e}", in(reg) selector, options(nomem, nostack)) },
        // SAFETY: as above.
        Segment::Gs => unsafe { asm!("mov gs, {:e}", in(reg) selector, options(nomem, nostack)) },
    }
    set_base(segment, base);
}
