//! The platform that Wasmtime asks for memory and for traps: calls of the vDSO, and landings.
//!
//! Built without `std`, Wasmtime installs no signal handler and makes no system call. It calls the
//! functions here, whose contracts are those of its `wasmtime-platform.h`.
//!
//! A mapping has a page in front, which stays empty until code in it may run: see [`crate::text`].

#![expect(unsafe_code, reason = "functions that Wasmtime calls by their names")]

use crate::text::{self, PAGE};
use liblinux::{Errno, Vdso};
use std::cell::Cell;
use std::ffi::c_void;
use std::ptr::null_mut;
use std::sync::OnceLock;

static VDSO: OnceLock<Vdso> = OnceLock::new();

/// The image, which `main` has found.
pub(crate) fn vdso() -> Result<&'static Vdso, Errno> {
    VDSO.get().ok_or(Errno::NO_ENTRY)
}

/// Says which image to call, once, before Wasmtime is used.
pub(crate) fn set_vdso(vdso: Vdso) -> &'static Vdso {
    VDSO.get_or_init(|| vdso)
}

// `asm-generic/mman-common.h`, `asm-generic/mman.h`.
const PROT_NONE: u64 = 0;
const MAP_FIXED: u64 = 0x10;
const MAP_PRIVATE_ANONYMOUS: u64 = 0x22;
const MAP_NORESERVE: u64 = 0x4000;

/// Wasmtime's bit for code; its bits are those of `mmap`.
const EXEC: u32 = 4;

/// 0, or an error's number, as Wasmtime wants it.
fn status(outcome: Result<(), Errno>) -> i32 {
    outcome.map_or_else(|error| i32::from(error.number()), |()| 0)
}

#[unsafe(no_mangle)]
extern "C" fn wasmtime_mmap_new(size: usize, protection: u32, result: &mut *mut u8) -> i32 {
    status(map(size, protection).map(|start| *result = start))
}

fn map(size: usize, protection: u32) -> Result<*mut u8, Errno> {
    let vdso = vdso()?;
    let all = (size + PAGE) as u64;
    let flags = MAP_PRIVATE_ANONYMOUS | MAP_NORESERVE;
    // SAFETY: a new mapping.
    let front = unsafe { vdso.mmap(0, all, PROT_NONE, flags, -1, 0) }?;
    let start = front + PAGE;
    text::add(front..start + size);
    // SAFETY: of the mapping.
    unsafe { vdso.mprotect(start as u64, size, protection.into()) }?;
    Ok(std::ptr::with_exposed_provenance_mut(start))
}

#[unsafe(no_mangle)]
extern "C" fn wasmtime_mmap_remap(address: *mut u8, size: usize, protection: u32) -> i32 {
    let flags = MAP_PRIVATE_ANONYMOUS | MAP_NORESERVE | MAP_FIXED;
    let start = address.expose_provenance() as u64;
    status(vdso().and_then(|vdso| {
        // SAFETY: memory of Wasmtime's, which it wants to be empty.
        unsafe { vdso.mmap(start, size as u64, protection.into(), flags, -1, 0) }.map(drop)
    }))
}

#[unsafe(no_mangle)]
extern "C" fn wasmtime_munmap(address: *mut u8, size: usize) -> i32 {
    let front = address.expose_provenance() - PAGE;
    status(vdso().and_then(|vdso| {
        text::remove(vdso, front)?;
        // SAFETY: all of a mapping that `map` made, and that Wasmtime gives back.
        unsafe { vdso.munmap(front as u64, size + PAGE) }.map(drop)
    }))
}

#[unsafe(no_mangle)]
extern "C" fn wasmtime_mprotect(address: *mut u8, size: usize, protection: u32) -> i32 {
    let start = address.expose_provenance();
    status(vdso().and_then(|vdso| {
        // SAFETY: memory of Wasmtime's.
        unsafe { vdso.mprotect(start as u64, size, protection.into()) }?;
        if protection & EXEC != 0 { text::cover(vdso, start..start + size) } else { Ok(()) }
    }))
}

#[unsafe(no_mangle)]
extern "C" fn wasmtime_page_size() -> usize {
    PAGE
}

/// Wasmtime's handler of traps, which [`crate::text`] calls at a landing.
#[unsafe(no_mangle)]
extern "C" fn wasmtime_init_traps(handler: text::Handler) -> i32 {
    text::set_handler(handler);
    0
}

/// There are no images of memory that could be mapped: Wasmtime copies the data of a module.
#[unsafe(no_mangle)]
extern "C" fn wasmtime_memory_image_new(
    _data: *const u8,
    _len: usize,
    image: &mut *mut c_void,
) -> i32 {
    *image = null_mut();
    0
}

#[unsafe(no_mangle)]
extern "C" fn wasmtime_memory_image_map_at(_image: *mut c_void, _at: *mut u8, _len: usize) -> i32 {
    unreachable!("there are no images")
}

#[unsafe(no_mangle)]
extern "C" fn wasmtime_memory_image_free(_image: *mut c_void) {
    unreachable!("there are no images")
}

thread_local! {
    static WORDS: [Cell<*mut u8>; 2] = const { [const { Cell::new(null_mut()) }; 2] };
}

#[unsafe(no_mangle)]
extern "C" fn wasmtime_tls_get(slot: usize) -> *mut u8 {
    WORDS.with(|words| words[slot].get())
}

#[unsafe(no_mangle)]
extern "C" fn wasmtime_tls_set(slot: usize, word: *mut u8) {
    WORDS.with(|words| words[slot].set(word));
}
