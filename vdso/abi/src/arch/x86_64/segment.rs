// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Where the kernel keeps the number of each processor for user space.
//!
//! Source: `arch/x86/include/asm/segment.h`.

/// `__CPUNODE_SEG`: selector of the descriptor whose limit holds processor and NUMA node.
pub const CPUNODE_SEGMENT: u32 = 15 * 8 + 3;

/// `VDSO_CPUNODE_BITS`: how many low bits hold the processor; the node is above them.
pub const CPUNODE_BITS: u32 = 12;
