//! A function that was made at run time, and faults: what a checkpoint has to bring back of a
//! runtime that compiles.
//!
//! Its page has the code, then the table of fixups: two parts of one mapping, of which no file
//! knows.
//!
//! # Invariants
//!
//! 1. The page is written before it can be executed and never after, and stays for the rest of the
//!    process.

#![expect(unsafe_code, reason = "makes code, and calls it")]

use anyhow::{Context, Result};
use liblinux::Vdso;
use liblinux::fixup::{Entry, Fixups, Table};
use liblinux_abi::image::layout::PAGE_SIZE;
use nix::sys::mman::{MapFlags, ProtFlags, mmap_anonymous, mprotect};
use std::num::NonZeroUsize;
use std::slice;

/// The address that the function loads from: in the page that no process has.
pub const ADDRESS: u64 = 8;

/// What it returns when the load succeeds, which it never does.
pub const NO_FAULT: u64 = 1;

/// `mov rax, [8]`, `mov eax, 1`, `ret`; at [`LANDING`] `mov rax, rdx`, `ret`: the address of the
/// fault.
const CODE: [u8; 18] = [
    0x48, 0x8b, 0x04, 0x25, 8, 0, 0, 0, 0xb8, 1, 0, 0, 0, 0xc3, // returns
    0x48, 0x89, 0xd0, 0xc3,
];

/// Bytes of the load, at the start of the code.
const LOAD: u64 = 8;

const LANDING: u64 = 14;

/// Where the table is in the page.
const TABLE: usize = 64;

/// The function, registered.
#[derive(Clone, Copy, Debug)]
pub struct Function {
    entry: extern "C" fn() -> u64,
}

impl Function {
    /// Makes the function and registers its fixup.
    pub fn register(fixups: &Fixups<'_>) -> Result<Self> {
        let size = NonZeroUsize::new(PAGE_SIZE).context("a page has a size")?;
        let writable = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        // SAFETY: a new mapping, at a place that the kernel chooses.
        let page = unsafe { mmap_anonymous(None, size, writable, MapFlags::MAP_PRIVATE) }?;
        let start = page.as_ptr().expose_provenance() as u64;
        let (end, landing) = (start + CODE.len() as u64, start + LANDING);
        let code = page.cast::<[u8; CODE.len()]>();
        // SAFETY: the page is writable, new and larger.
        unsafe { code.write(CODE) };
        // SAFETY: as above; the table is at a multiple of 4.
        let mut table = unsafe { page.cast::<u8>().add(TABLE) }.cast::<Entry>();
        // SAFETY: as above; zeros are an entry.
        let entries = slice::from_mut(unsafe { table.as_mut() });
        let mut table = Table::new(start..end, entries);
        table.cover(start..start + LOAD, landing, 0).context("cannot write the table")?;
        let dso = table.dso().context("cannot register the table")?;
        let executable = ProtFlags::PROT_READ | ProtFlags::PROT_EXEC;
        // SAFETY: no code writes to the page from here on.
        unsafe { mprotect(page, PAGE_SIZE, executable) }?;
        // SAFETY: the landing returns what the load could not, and the page stays.
        let registration =
            unsafe { fixups.register(&dso) }.context("cannot register code made at run time")?;
        registration.keep();
        // SAFETY: the code takes nothing and returns a number.
        let entry = unsafe {
            std::mem::transmute::<*mut std::ffi::c_void, extern "C" fn() -> u64>(page.as_ptr())
        };
        Ok(Self { entry })
    }

    /// First address of its text.
    pub fn text_start(self) -> u64 {
        (self.entry as *const ()).expose_provenance() as u64
    }

    /// Loads from [`ADDRESS`]; the address of the fault.
    pub fn call(self) -> u64 {
        (self.entry)()
    }
}

/// The registry of this process, kept by the kernel alone: a fault without a fixup ends the
/// process.
pub fn by_kernel(vdso: &'static Vdso) -> Result<Fixups<'static>> {
    let fixups = Fixups::of_process(vdso).context("cannot join the registry of fixups")?;
    anyhow::ensure!(fixups.by_kernel(), "the kernel consults no area: is X86_VDSO_FIXUP on?");
    Ok(fixups)
}
