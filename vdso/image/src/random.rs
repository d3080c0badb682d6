//! `getrandom`: random bytes.
//!
//! The vDSO function takes two more arguments than the system call, the caller's state. This image keeps none yet: it
//! answers the probe for the state's size with `-ENOSYS`, upon which a libc does not use the function, and passes
//! everything else to the kernel.

#![expect(unsafe_code, reason = "exports a C function")]

use crate::arch::fallback;
use core::ffi::c_void;
use liblinux_abi::errno::ENOSYS;

/// `getrandom(2)` with the state arguments of the vDSO function: see `lib/vdso/getrandom.c` in the kernel.
#[unsafe(no_mangle)]
#[unsafe(link_section = ".text.hot.getrandom")]
pub extern "C" fn __vdso_getrandom(
    buffer: *mut c_void,
    len: usize,
    flags: u32,
    _state: *mut c_void,
    state_len: usize,
) -> isize {
    if state_len == usize::MAX && buffer.is_null() && len == 0 && flags == 0 {
        return -ENOSYS;
    }
    fallback::getrandom(buffer, len, flags)
}
