//! Functions that are made at run time, and fault: what a checkpoint has to bring back of a
//! runtime that compiles.
//!
//! The page of each has the code, then the table of fixups: two parts of one mapping, of which no
//! file knows.
//!
//! # Invariants
//!
//! 1. The page is written before it can be executed and never after, and stays for the rest of the
//!    process.

#![expect(unsafe_code, reason = "makes code, and calls it")]

use anyhow::{Context, Result, ensure};
use liblinux::Vdso;
use liblinux::fixup::{Entry, FRAME, Fixups, Table};
use liblinux_abi::image::layout::PAGE_SIZE;
use nix::errno::Errno;
use nix::sys::mman::{MapFlags, ProtFlags, mmap_anonymous, mprotect};
use std::ffi::c_void;
use std::num::NonZeroUsize;
use std::ptr::NonNull;
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

/// Puts code into a page of its own, and registers that a fault of its first `load` bytes lands at
/// the offset `landing`; the first address.
fn make(
    fixups: &Fixups<'_>,
    code: &[u8],
    load: u64,
    landing: u64,
    flags: u32,
) -> Result<NonNull<c_void>> {
    let size = NonZeroUsize::new(PAGE_SIZE).context("a page has a size")?;
    ensure!(code.len() <= TABLE, "the code has no room before the table");
    let writable = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
    // SAFETY: a new mapping, at a place that the kernel chooses.
    let page = unsafe { mmap_anonymous(None, size, writable, MapFlags::MAP_PRIVATE) }?;
    let start = page.as_ptr().expose_provenance() as u64;
    // SAFETY: the page is writable, new and larger.
    unsafe { page.cast::<u8>().copy_from_nonoverlapping(NonNull::from(code).cast(), code.len()) };
    // SAFETY: as above; the table is at a multiple of 4.
    let mut table = unsafe { page.cast::<u8>().add(TABLE) }.cast::<Entry>();
    // SAFETY: as above; zeros are an entry.
    let entries = slice::from_mut(unsafe { table.as_mut() });
    let mut table = Table::new(start..start + code.len() as u64, entries);
    table.cover(start..start + load, start + landing, flags).context("cannot write the table")?;
    let dso = table.dso().context("cannot register the table")?;
    let executable = ProtFlags::PROT_READ | ProtFlags::PROT_EXEC;
    // SAFETY: no code writes to the page from here on.
    unsafe { mprotect(page, PAGE_SIZE, executable) }?;
    // SAFETY: the landing returns what the load could not, and the page stays.
    let registration = unsafe { fixups.register(&dso) }?;
    registration.keep();
    Ok(page)
}

impl Function {
    /// Makes the function and registers its fixup.
    pub fn register(fixups: &Fixups<'_>) -> Result<Self> {
        let page = make(fixups, &CODE, LOAD, LANDING, 0)
            .context("cannot register code made at run time")?;
        // SAFETY: the code takes nothing and returns a number.
        let entry =
            unsafe { std::mem::transmute::<*mut c_void, extern "C" fn() -> u64>(page.as_ptr()) };
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

/// Whether the image has no such kind of landing.
fn is_refused(error: &anyhow::Error) -> bool {
    let number = error.downcast_ref::<liblinux::Errno>().map(|error| i32::from(error.number()));
    number == Some(Errno::EINVAL as i32)
}

/// What the program `blocked` has the page say when its landing resumes.
pub const LANDED: u8 = 42;

/// A function that loads a byte, and lands in a frame where that faults.
#[derive(Clone, Copy, Debug)]
pub struct Loader {
    entry: extern "C" fn(u64) -> u32,
}

impl Loader {
    /// Makes the function, which lands at a landing of `frame_landing!`; none where landings get no
    /// frames.
    pub fn register(fixups: &Fixups<'_>, landing: extern "C" fn()) -> Result<Option<Self>> {
        // `movzx eax, byte ptr [rdi]`, `ret`; `mov rax, LANDING`, `jmp rax`
        let mut code = [0x0f, 0xb6, 0x07, 0xc3, 0x48, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xe0];
        code[6..14].copy_from_slice(&((landing as *const ()).expose_provenance()).to_le_bytes());
        let page = match make(fixups, &code, 3, 4, FRAME) {
            Err(error) if is_refused(&error) => return Ok(None),
            page => page.context("cannot register code that lands in a frame")?,
        };
        // SAFETY: the code takes an address and returns a byte.
        let entry =
            unsafe { std::mem::transmute::<*mut c_void, extern "C" fn(u64) -> u32>(page.as_ptr()) };
        Ok(Some(Self { entry }))
    }

    /// Loads a byte.
    pub fn load(self, address: u64) -> u8 {
        (self.entry)(address) as u8
    }
}

/// The registry of this process, kept by the kernel alone: a fault without a fixup ends the
/// process.
pub fn by_kernel(vdso: &'static Vdso) -> Result<Fixups<'static>> {
    let fixups = Fixups::of_process(vdso).context("cannot join the registry of fixups")?;
    ensure!(fixups.by_kernel(), "the kernel consults no area: is X86_VDSO_FIXUP on?");
    Ok(fixups)
}
