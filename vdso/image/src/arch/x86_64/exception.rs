// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Instructions that may fault: each has an entry in two tables.
//!
//! `__ex_table` is the kernel's: it consults the table of its vDSO before it delivers a signal. It
//! is taken out of the image for that, so a process does not have it. `.fixups` is mapped, in the
//! format of a DSO's table (`abi::image::fixup::Entry`): there `__vdso_fixup_dispatch` looks, for a
//! process whose kernel does not know this image.
//!
//! # Invariants
//!
//! 1. Both tables have the same instructions and landings in the same order: they are written by
//!    this one macro, and compared by the checker. The order is that in which the compiler emitted
//!    functions; both readers look at one entry after the other.
//! 2. An entry of `__ex_table` is a pair of 32-bit offsets from the table's start (the kernel's
//!    `_ASM_VDSO_EXTABLE_HANDLE`), one of `.fixups` has offsets from its own fields.

/// Assembly that says where to continue when an instruction faults. Both are given as labels.
macro_rules! on_fault {
    ($instruction:literal, $landing:literal) => {
        concat!(
            ".pushsection __ex_table, \"a\", @progbits\n",
            ".long ",
            $instruction,
            " - __ex_table, ",
            $landing,
            " - __ex_table\n",
            ".popsection\n",
            ".pushsection .fixups, \"a\", @progbits\n",
            ".long ",
            $instruction,
            " - .\n.long 1\n.long ",
            $landing,
            " - .\n.long 0\n",
            ".popsection",
        )
    };
}

pub(super) use on_fault;
