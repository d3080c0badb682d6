//! The program and the libraries of a process that has musl.
//!
//! musl keeps a list of them for debuggers, with the address that each was moved by. Where an
//! object begins and ends is in its program headers. `dl_iterate_phdr` would tell both, but it
//! waits for a lock that `dlopen` has, and the thread may be in a handler that interrupted its own
//! `dlopen`.
//!
//! # Invariants
//!
//! 1. musl adds an object at the end of the list, when its pages are mapped, and never unmaps it:
//!    `dlclose` does nothing. So the list is walked without a lock. The exception are the objects
//!    of a `dlopen` that fails, which are in it for a moment. The pointer to the list is set before
//!    any library's code runs.
//! 2. Headers are an allegation: they are loaded after the kernel was able to read them.

#![expect(unsafe_code, reason = "reads the dynamic loader's list")]

use crate::libc::getauxval;
use crate::origin::is_readable;
use core::ops::Range;
use core::ptr::with_exposed_provenance;

/// `struct debug` of musl: `r_debug` of `link.h`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Debug {
    version: i32,
    first: usize,
}

/// The start of `struct dso` of musl: `struct link_map` of `link.h`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Listed {
    moved_by: usize,
    name: usize,
    dynamic: usize,
    next: usize,
}

/// `Elf64_Phdr`.
#[repr(C)]
#[derive(Clone, Copy)]
struct Header {
    kind: u32,
    flags: u32,
    offset: u64,
    address: u64,
    physical: u64,
    file_size: u64,
    memory_size: u64,
    alignment: u64,
}

const PT_LOAD: u32 = 1;
/// Of the auxiliary vector: the program's headers, and how many there are.
const AT_PHDR: u64 = 3;
const AT_PHNUM: u64 = 5;
/// Offsets in `Elf64_Ehdr`.
const E_PHOFF: usize = 32;
const E_PHNUM: usize = 56;
const MAGIC: u32 = u32::from_le_bytes(*b"\x7fELF");

/// The addresses of the object that an address is in. `list` is the address of `_dl_debug_addr`.
pub(crate) fn library(list: usize, address: usize) -> Option<Range<usize>> {
    if list == 0 {
        return None;
    }
    // SAFETY: musl's pointer, which is set (invariant 1).
    let debug: usize = unsafe { load(list) };
    // SAFETY: the head of the list, to which it leads (invariant 1).
    let Debug { first, .. } = unsafe { load(debug) };
    let mut place = first;
    while place != 0 {
        // SAFETY: an object of the list (invariant 1).
        let object: Listed = unsafe { load(place) };
        if let Some(addresses) = extent(object.moved_by).filter(|range| range.contains(&address)) {
            return Some(addresses);
        }
        place = object.next;
    }
    None
}

/// The addresses of an object that was moved by so many bytes.
fn extent(moved_by: usize) -> Option<Range<usize>> {
    let (headers, count) = headers(moved_by)?;
    let mut whole: Option<Range<usize>> = None;
    for index in 0..count {
        // SAFETY: one of the headers, which the kernel was able to read (invariant 2).
        let header: Header = unsafe { load(headers + index * size_of::<Header>()) };
        if header.kind == PT_LOAD {
            let start = moved_by + header.address as usize;
            let end = start + header.memory_size as usize;
            let known = whole.unwrap_or(start..end);
            whole = Some(known.start.min(start)..known.end.max(end));
        }
    }
    whole
}

/// The address of its program headers, and how many there are.
fn headers(moved_by: usize) -> Option<(usize, usize)> {
    if moved_by == 0 {
        // A program for fixed addresses.
        // SAFETY: words of the auxiliary vector.
        let [place, count] = [AT_PHDR, AT_PHNUM].map(|kind| unsafe { getauxval(kind) } as usize);
        return (place != 0).then_some((place, count));
    }
    // Both ends of the header, which is in one page or two.
    if !is_readable(moved_by as u64) || !is_readable((moved_by + E_PHNUM) as u64) {
        return None;
    }
    // SAFETY: the kernel has read it a moment ago (invariant 2).
    let magic: u32 = unsafe { load(moved_by) };
    if magic != MAGIC {
        return None;
    }
    // SAFETY: in the header, both ends of which the kernel has read (invariant 2).
    let offset: u64 = unsafe { load(moved_by + E_PHOFF) };
    // SAFETY: the same.
    let count: u16 = unsafe { load(moved_by + E_PHNUM) };
    let (place, count) = (moved_by + offset as usize, usize::from(count));
    let last = place + (count * size_of::<Header>()).saturating_sub(8);
    (is_readable(place as u64) && is_readable(last as u64)).then_some((place, count))
}

/// Loads a value that other threads may be writing.
///
/// # Safety
///
/// There is memory with such a value.
unsafe fn load<T: Copy>(address: usize) -> T {
    let place: *const T = with_exposed_provenance(address);
    // SAFETY: the caller's contract.
    unsafe { place.read_volatile() }
}
