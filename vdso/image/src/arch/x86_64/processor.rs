//! The number of the processor that runs us.
//!
//! The kernel keeps it, and the NUMA node, in the limit of a segment descriptor of each processor, and in `TSC_AUX`,
//! which `rdpid` reads faster. Source: `vdso_read_cpunode` and `vdso_encode_cpunode` in
//! `arch/x86/include/asm/segment.h`.

#![expect(unsafe_code, reason = "reads a processor register")]

use super::alternative::alternative;
use core::arch::asm;
use liblinux_abi::alternative::FEATURE_RDPID;
use liblinux_abi::processor::{CPUNODE_BITS, CPUNODE_SEGMENT};

/// Processor and node, as they were at some moment during the call.
#[inline(always)]
pub fn processor_and_node() -> (u32, u32) {
    let both: u32;
    // SAFETY: reads a descriptor's limit or `TSC_AUX`; `lsl` sets the zero flag, which is not declared preserved.
    unsafe {
        asm!(
            // The name of `rdpid rax` needs a target feature.
            alternative!("lsl eax, {segment:e}\nnop", ".byte 0xf3, 0x0f, 0xc7, 0xf8"),
            segment = in(reg) CPUNODE_SEGMENT,
            feature = const FEATURE_RDPID,
            out("eax") both,
            options(nomem, nostack),
        );
    }
    (both & ((1 << CPUNODE_BITS) - 1), both >> CPUNODE_BITS)
}
