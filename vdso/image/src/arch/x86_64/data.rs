//! The data pages below the image.
//!
//! The linker script defines their addresses as the kernel's own layout does. They are reached relative to `rip` in
//! assembly, because the compiler would go through a global offset table, which the image cannot have.
//!
//! # Invariants
//!
//! 1. `vvar_page` is mapped wherever the image is, for as long as the image is.
//! 2. `timens_page` may be read only if `vvar_page` says that it is a time namespace's page (`CLOCK_MODE_TIMENS`);
//!    otherwise reading it raises SIGBUS.

#![expect(unsafe_code, reason = "turns linker symbols into references")]

use core::arch::asm;
use liblinux_abi::vvar::DataPage;

/// `vvar_page`: the data of the process's time namespace.
#[inline(always)]
pub fn process_data() -> &'static DataPage {
    let page: *const DataPage;
    // SAFETY: computes an address.
    unsafe {
        asm!("lea {}, [rip + vvar_page]", out(reg) page, options(pure, nomem, nostack, preserves_flags));
    }
    // SAFETY: invariant 1; all of the page's fields are atomics, so others may write it.
    unsafe { &*page }
}

/// `timens_page`: the system-wide data, in a process whose time namespace has offsets.
///
/// # Safety
///
/// `process_data()` must have the clock mode `CLOCK_MODE_TIMENS`.
#[inline(always)]
pub unsafe fn namespace_data() -> &'static DataPage {
    let page: *const DataPage;
    // SAFETY: computes an address.
    unsafe {
        asm!("lea {}, [rip + timens_page]", out(reg) page, options(pure, nomem, nostack, preserves_flags));
    }
    // SAFETY: the caller's promise is what invariant 2 asks for; all of the page's fields are atomics.
    unsafe { &*page }
}
