//! `getcpu`: which processor and which NUMA node run the caller.

#![expect(unsafe_code, reason = "exports a C function and writes through its caller's pointers")]

use crate::arch;
use core::ffi::c_void;

/// `getcpu(2)`. Each pointer may be null; the cache has not been used since Linux 2.6.24.
///
/// # Safety
///
/// `cpu` and `node` must be null or valid for writing.
#[unsafe(no_mangle)]
#[unsafe(link_section = ".text.hot.getcpu")]
pub unsafe extern "C" fn __vdso_getcpu(cpu: *mut u32, node: *mut u32, _cache: *mut c_void) -> isize {
    let (processor, numa_node) = arch::processor_and_node();
    if !cpu.is_null() {
        // SAFETY: not null, so valid by the caller's contract.
        unsafe { cpu.write_unaligned(processor) };
    }
    if !node.is_null() {
        // SAFETY: not null, so valid by the caller's contract.
        unsafe { node.write_unaligned(numa_node) };
    }
    0
}
