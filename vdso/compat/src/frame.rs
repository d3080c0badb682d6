// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The registers of 32-bit code that has called the shim.

use crate::memory::structures;

structures! {
    /// What the entry saves on the caller's stack, and what the exit restores from there.
    ///
    /// The vector registers are those that 32-bit code has. The shim is compiled like any 64-bit
    /// code and may use them; it has no instruction that touches their upper halves.
    #[repr(C, align(16))]
    struct Frame {
        // The call's number, and its result.
        eax: u32,
        ebx: u32,
        ecx: u32,
        edx: u32,
        esi: u32,
        edi: u32,
        ebp: u32,
        // The stack pointer behind the return.
        esp: u32,
        // Where the 32-bit code continues.
        eip: u32,
        eflags: u32,
        // 1 if `vectors` is filled; 0 if the registers still have what the 32-bit code left there.
        has_vectors: u32,
        gap: u32,
        // `xmm0` to `xmm7`.
        vectors: [[u64; 2]; 8],
    }
}

impl Frame {
    /// An argument, counted from 0; there are six.
    pub(crate) fn argument(&self, index: u32) -> u32 {
        match index {
            0 => self.ebx,
            1 => self.ecx,
            2 => self.edx,
            3 => self.esi,
            4 => self.edi,
            _ => self.ebp,
        }
    }

    /// An argument as the 64-bit call takes an address or an unsigned number.
    pub(crate) fn long(&self, index: u32) -> u64 {
        u64::from(self.argument(index))
    }

    /// An argument as the 64-bit call takes a signed `long`.
    pub(crate) fn signed(&self, index: u32) -> u64 {
        extend(self.argument(index))
    }

    /// A 64-bit number in two arguments, the lower half first.
    pub(crate) fn pair(&self, index: u32) -> u64 {
        self.long(index) | self.long(index + 1) << 32
    }

    /// All arguments.
    pub(crate) fn arguments(&self) -> [u64; 6] {
        [self.ebx, self.ecx, self.edx, self.esi, self.edi, self.ebp].map(u64::from)
    }
}

/// The 64-bit form of a signed 32-bit number.
pub(crate) fn extend(value: u32) -> u64 {
    i64::from(value.cast_signed()).cast_unsigned()
}
