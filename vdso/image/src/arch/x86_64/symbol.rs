// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Addresses that the linker script defines.
//!
//! They are computed relative to `rip` in assembly: the compiler would go through a global offset
//! table, which the image cannot have.

/// The address of a symbol, as a pointer or a number; an offset may follow it, with its operands.
macro_rules! address {
    ($symbol:literal $(, $($operand:tt)+)?) => {{
        let address;
        // SAFETY: computes an address.
        unsafe {
            asm!(
                concat!("lea {}, [rip + ", $symbol, "]"),
                out(reg) address,
                $($($operand)+,)?
                options(pure, nomem, nostack, preserves_flags)
            );
        }
        address
    }};
}

pub(super) use address;
