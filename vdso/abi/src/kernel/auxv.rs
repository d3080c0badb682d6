// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Tags of the auxiliary vector: pairs of a tag and a value, above the environment of a new
//! program's stack.
//!
//! Source: `include/uapi/linux/auxvec.h`, `arch/x86/include/uapi/asm/auxvec.h`.

/// `AT_NULL`: the vector ends.
pub const AT_NULL: u64 = 0;

/// `AT_SYSINFO_EHDR`: the address of the vDSO's ELF header.
pub const AT_SYSINFO_EHDR: u64 = 33;
