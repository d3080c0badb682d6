// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Instructions that the kernel replaces at boot, by what the processor can do: see
//! `abi::arch::x86_64::alternative`.
//!
//! # Invariants
//!
//! 1. The replacement fits in the place of the original, which has `nop`s behind it for that if
//!    need be.

/// The template of an alternative for `asm!`: the original, the replacement, and an entry of
/// `.altinstructions` for the operand `feature`.
macro_rules! alternative {
    ($original:literal, $replacement:literal) => {
        concat!(
            "20: ",
            $original,
            "\n21:\n",
            ".pushsection .altinstructions, \"a\", @progbits\n",
            ".long 20b - ., 22f - .\n",
            ".long {feature}\n",
            ".byte 21b - 20b, 23f - 22f\n",
            ".popsection\n",
            ".pushsection .altinstr_replacement, \"ax\", @progbits\n",
            "22: ",
            $replacement,
            "\n23:\n",
            ".popsection",
        )
    };
}

pub(super) use alternative;
