// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The clock pages that hypervisors write.
//!
//! A hypervisor writes these while user space reads them, so every field is an atomic.
//!
//! # Invariants
//!
//! 1. Offsets and sizes equal the kernel's (a test compares with the kernel tree).

use core::sync::atomic::{AtomicI8, AtomicU8, AtomicU32, AtomicU64};

/// `struct pvclock_vcpu_time_info` of `arch/x86/include/asm/pvclock-abi.h`: the content of
/// `pvclock_page`, written by KVM or Xen for the first processor.
#[derive(Debug)]
#[repr(C)]
pub struct PvclockPage {
    /// Odd while the hypervisor writes.
    pub version: AtomicU32,
    /// Nothing.
    pub padding: AtomicU32,
    /// TSC at `system_time`.
    pub tsc_timestamp: AtomicU64,
    /// Nanoseconds since the machine started.
    pub system_time: AtomicU64,
    /// Nanoseconds per shifted count, times 2 to the 32.
    pub tsc_to_system_mul: AtomicU32,
    /// How far to shift counts left before they are multiplied; right, if negative.
    pub tsc_shift: AtomicI8,
    /// See [`PVCLOCK_TSC_STABLE`].
    pub flags: AtomicU8,
}

/// `PVCLOCK_TSC_STABLE_BIT`: the first processor's data serves every processor.
pub const PVCLOCK_TSC_STABLE: u8 = 1;

/// `struct ms_hyperv_tsc_page` of `include/asm-generic/hyperv-tlfs.h`: the content of
/// `hvclock_page`.
#[derive(Debug)]
#[repr(C)]
pub struct HypervPage {
    /// Changes with every update; 0 while the page is not valid.
    pub sequence: AtomicU32,
    /// Nothing.
    pub reserved: AtomicU32,
    /// Units of 100 ns per count, times 2 to the 64.
    pub scale: AtomicU64,
    /// Added to the product.
    pub offset: AtomicU64,
}
