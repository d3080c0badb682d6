//! The time-stamp counter.

#![expect(unsafe_code, reason = "reads a processor register")]

use core::arch::asm;
use liblinux_abi::alternative::FEATURE_RDTSCP;

/// Reads the TSC, not earlier than any instruction before it.
///
/// `lfence` keeps `rdtsc` from running ahead; where the processor has `rdtscp`, which waits by itself, the kernel puts
/// that in its place.
#[inline(always)]
pub fn counter() -> u64 {
    let (low, high): (u32, u32);
    // SAFETY: reads a counter and fences; every register it writes is declared.
    unsafe {
        asm!(
            "20: lfence",
            "rdtsc",
            "21:",
            ".pushsection .altinstructions, \"a\", @progbits",
            ".long 20b - ., 22f - .",
            ".long {feature}",
            ".byte 21b - 20b, 23f - 22f",
            ".popsection",
            ".pushsection .altinstr_replacement, \"ax\", @progbits",
            "22: rdtscp",
            "23:",
            ".popsection",
            feature = const FEATURE_RDTSCP,
            out("eax") low,
            out("edx") high,
            out("ecx") _, // `rdtscp` puts the processor number there.
            options(nostack, preserves_flags),
        );
    }
    u64::from(high) << 32 | u64::from(low)
}
