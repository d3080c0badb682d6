// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The counters that clocks run on: the time-stamp counter, as it is or scaled by a hypervisor.

#![expect(unsafe_code, reason = "reads a processor register")]

use super::alternative::alternative;
use core::arch::asm;
use core::mem::offset_of;
use liblinux_abi::arch::x86_64::alternative::FEATURE_RDTSCP;
use liblinux_abi::kernel::datapage::{CLOCK_MODE_TSC, ClockData};

/// The clock mode whose counter [`counter_since_update`] reads.
pub const COUNTER_MODE: i32 = CLOCK_MODE_TSC;

/// Reads the TSC, not earlier than any instruction before it.
///
/// `lfence` keeps `rdtsc` from running ahead; where the processor has `rdtscp`, which waits by
/// itself, the kernel puts that in its place.
#[inline(always)]
pub(super) fn counter() -> u64 {
    let (low, high): (u32, u32);
    // SAFETY: reads a counter and fences; every register it writes is declared.
    unsafe {
        asm!(
            alternative!("lfence\nrdtsc", "rdtscp"),
            feature = const FEATURE_RDTSCP,
            out("eax") low,
            out("edx") high,
            out("ecx") _, // `rdtscp` puts the processor number there.
            options(nostack, preserves_flags),
        );
    }
    u64::from(high) << 32 | u64::from(low)
}

/// How far the TSC is beyond an earlier reading of it, as a success if that is less than 2^32
/// counts; not read earlier than any instruction before it.
///
/// The two halves of the counter are subtracted where the processor leaves them: joining them first
/// would delay all that depends on the result.
#[inline(always)]
pub fn counter_since_update(data: &ClockData) -> Result<u64, u64> {
    let (low, high): (u64, u32);
    // SAFETY: as in `counter`; reads the 8 bytes behind a reference, in two halves that are each
    // loaded at once, as part of a sequence that is checked as a whole.
    unsafe {
        asm!(
            alternative!("lfence\nrdtsc", "rdtscp"),
            "sub eax, [{data} + {offset}]",
            "sbb edx, [{data} + {offset} + 4]",
            feature = const FEATURE_RDTSCP,
            data = in(reg) data,
            offset = const offset_of!(ClockData, cycle_last),
            out("rax") low,
            out("edx") high,
            out("ecx") _,
            options(nostack),
        );
    }
    if high == 0 { Ok(low) } else { Err(u64::from(high) << 32 | low) }
}
