//! `getcpu`: which processor and which NUMA node run the caller.

#![expect(unsafe_code, reason = "exports a C function")]

use crate::arch;
use crate::arch::user::{Fault, store_u32, stored};
use core::ffi::c_void;

/// `getcpu(2)`. Each pointer may be null; the cache has not been used since Linux 2.6.24.
#[unsafe(no_mangle)]
#[unsafe(link_section = ".text.hot.getcpu")]
pub extern "C" fn __vdso_getcpu(cpu: *mut u32, node: *mut u32, _cache: *mut c_void) -> isize {
    stored(store(cpu, node))
}

#[inline(always)]
fn store(cpu: *mut u32, node: *mut u32) -> Result<(), Fault> {
    let (processor, numa_node) = arch::processor_and_node();
    if !cpu.is_null() {
        store_u32(cpu, processor)?;
    }
    if !node.is_null() {
        store_u32(node, numa_node)?;
    }
    Ok(())
}
