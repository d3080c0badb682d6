//! The data pages below the image.
//!
//! The linker defines their addresses by `abi::kernel::datapage`, for the kernel line that the
//! image is compiled for.
//!
//! # Invariants
//!
//! 1. The pages of `vdso_u_time_data` and `vdso_u_rng_data` are mapped wherever the image is, for
//!    as long as the image is.
//! 2. Each other page may be read only if the clock mode in `vdso_u_time_data` says that it is in
//!    use; otherwise reading it raises SIGBUS.
//! 3. All fields of the pages are atomics: the kernel or a hypervisor may write them at any time.

#![expect(unsafe_code, reason = "turns linker symbols into references")]

use super::symbol::address;
use core::arch::{asm, global_asm};
use core::mem::offset_of;
use liblinux_abi::arch::x86_64::hypervisor::{HypervPage, PvclockPage};
use liblinux_abi::kernel::datapage::{ClockData, DataPage, RandomData};

/// `vdso_u_time_data`: the data of the process's time namespace.
#[inline(always)]
pub fn process_data() -> &'static DataPage {
    let page: *const DataPage = address!("vdso_u_time_data");
    // SAFETY: invariants 1 and 3.
    unsafe { &*page }
}

/// A clocksource of `vdso_u_time_data`, by its offset in the page.
///
/// The address of the clocksource rather than of the page, so that its fields have short offsets.
#[inline(always)]
pub fn process_clock<const OFFSET: usize>() -> &'static ClockData {
    const { assert!(OFFSET == offset_of!(DataPage, hres_coarse) || OFFSET == offset_of!(DataPage, raw)) };
    let data: *const ClockData = address!("vdso_u_time_data + {offset}", offset = const OFFSET);
    // SAFETY: invariant 1, and the offset is that of a clocksource; all of its fields are atomics.
    unsafe { &*data }
}

/// `timens_page`: the system-wide data, in a process whose time namespace has offsets.
///
/// # Safety
///
/// `process_data()` must have the clock mode `CLOCK_MODE_TIMENS`.
#[inline(always)]
pub unsafe fn namespace_data() -> &'static DataPage {
    let page: *const DataPage = address!("timens_page");
    // SAFETY: the caller's promise is what invariant 2 asks for; invariant 3.
    unsafe { &*page }
}

/// The state of the kernel's random number generator. In a time namespace it may be that of the
/// namespace's page, which has none: see `NAMESPACE_MOVES_RANDOM`.
#[inline(always)]
pub fn random_data() -> &'static RandomData {
    let data: *const RandomData = address!("vdso_u_rng_data");
    // SAFETY: invariants 1 and 3.
    unsafe { &*data }
}

/// `pvclock_page`: the TSC's scale, from KVM or Xen.
///
/// # Safety
///
/// The clock that is read must have the clock mode `CLOCK_MODE_PVCLOCK`.
#[inline(always)]
pub(super) unsafe fn pvclock_page() -> &'static PvclockPage {
    let page: *const PvclockPage = address!("pvclock_page");
    // SAFETY: the caller's promise is what invariant 2 asks for; invariant 3.
    unsafe { &*page }
}

/// `hvclock_page`: the TSC's scale, from Hyper-V.
///
/// # Safety
///
/// The clock that is read must have the clock mode `CLOCK_MODE_HVCLOCK`.
#[inline(always)]
pub(super) unsafe fn hvclock_page() -> &'static HypervPage {
    let page: *const HypervPage = address!("hvclock_page");
    // SAFETY: the caller's promise is what invariant 2 asks for; invariant 3.
    unsafe { &*page }
}

// The number of the first private call; 0 if the kernel has none, or is not the one that mapped
// this image.
global_asm!(
    ".pushsection .rodata.private, \"a\", @progbits",
    ".local vdso_private",
    "vdso_private: .long 0",
    ".size vdso_private, 4",
    ".popsection",
);

// The kernel's tick in nanoseconds; 0 if the kernel's build did not fill it in.
global_asm!(
    ".pushsection .rodata.tick, \"a\", @progbits",
    ".local vdso_tick",
    "vdso_tick: .quad 0",
    ".size vdso_tick, 8",
    ".popsection",
);
