//! The image of this process, ready to be called.
//!
//! # Invariants
//!
//! 1. `entries[call]` is the address of the function that the image exports under the call's symbol
//!    and our version, or 0 if it exports none.
//! 2. The image is mapped for as long as a [`Vdso`] of it is used: the contract of [`Vdso::at`],
//!    and a kernel's promise.

#![expect(unsafe_code, reason = "reads an image at an address, and calls into it")]

use super::elf::{Tables, Unfit, address_at, extent};
use crate::{Call, Errno, arch, auxv};
use core::slice;
use liblinux_abi::image::layout::PAGE_SIZE;

/// An image, with the address of each entry.
///
/// It is a plain value of 3 KiB: keep it where all callers can borrow it. Looking everything up
/// takes some twenty microseconds; the calls themselves look nothing up.
#[derive(Debug)]
pub struct Vdso {
    base: usize,
    size: usize,
    entries: [usize; Call::COUNT],
    bare: bool,
}

impl Vdso {
    /// The image of this process: by its libc, or without the feature `libc` by `/proc/self/auxv`.
    ///
    /// A program with an entry point of its own uses [`Vdso::from_stack`]: a file does not tell of
    /// an image that a tool has put in place.
    pub fn find() -> Result<Self, Unfit> {
        #[cfg(feature = "libc")]
        let address = auxv::in_libc();
        #[cfg(not(feature = "libc"))]
        let address = auxv::in_proc().map_err(Unfit::Vector)?;
        // SAFETY: the address is from the kernel, or from a tool in its place.
        unsafe { Self::at(address) }
    }

    /// The image of this process, by the initial stack.
    ///
    /// # Safety
    ///
    /// As for [`auxv::on_stack`].
    pub unsafe fn from_stack(stack: *const usize) -> Result<Self, Unfit> {
        // SAFETY: the caller's contract.
        let address = unsafe { auxv::on_stack(stack) };
        // SAFETY: the address is from the kernel, or from a tool in its place.
        unsafe { Self::at(address) }
    }

    /// The image at an address, such as `getauxval(AT_SYSINFO_EHDR)`.
    ///
    /// # Safety
    ///
    /// The address is 0, or that of an ELF image that is mapped as its headers say, stays mapped,
    /// and whose functions may be called, wherever its symbols lead. It need not be liblinux's
    /// image, or a whole one: that is checked.
    pub unsafe fn at(address: usize) -> Result<Self, Unfit> {
        if address == 0 {
            return Err(Unfit::Missing);
        }
        if !address.is_multiple_of(PAGE_SIZE) {
            return Err(Unfit::Broken("it does not begin at a page"));
        }
        let start = core::ptr::with_exposed_provenance::<u8>(address);
        // SAFETY: a mapping is whole pages, and an image is never written.
        let size = extent(unsafe { slice::from_raw_parts(start, PAGE_SIZE) })?;
        // SAFETY: `size` is the loaded segment's, which is mapped (the caller's contract).
        let tables = Tables::read(unsafe { slice::from_raw_parts(start, size) })?;
        let mut entries = [0; Call::COUNT];
        for (entry, call) in entries.iter_mut().zip(Call::all()) {
            let offset = tables.find(call.row().symbol.as_bytes());
            *entry = offset.and_then(|offset| address_at(address, offset)).unwrap_or(0);
        }
        Ok(Self { base: address, size, entries, bare: false })
    }

    /// No image at all: every call fails with [`Errno::NO_ENTRY`], or with [`Vdso::or_syscall`]
    /// goes by the bare instruction.
    pub const fn none() -> Self {
        Self { base: 0, size: 0, entries: [0; Call::COUNT], bare: false }
    }

    /// Lets calls without an entry go by the bare `syscall` instruction, of this program's own
    /// text.
    #[must_use]
    pub const fn or_syscall(mut self) -> Self {
        self.bare = true;
        self
    }

    /// Address of the image.
    pub const fn base(&self) -> usize {
        self.base
    }

    /// Its size in memory, in bytes.
    pub const fn size(&self) -> usize {
        self.size
    }

    /// Address of a call's entry; `None` if the image has none.
    ///
    /// For uses that no Rust function can serve: `rt_sigreturn` as `sa_restorer`, `vfork`, and
    /// `clone` with a new stack, whose child comes back at the call with nothing on its stack.
    #[inline]
    pub fn entry(&self, call: Call) -> Option<usize> {
        match self.entries[call as usize] {
            0 => None,
            address => Some(address),
        }
    }

    /// Address of a function that makes a call of a signal handler: the entry, or with
    /// [`Vdso::or_syscall`] one of this crate's.
    pub(crate) fn function(&self, call: Call) -> Option<usize> {
        self.entry(call).or_else(|| if self.bare { arch::bare(call) } else { None })
    }

    /// Address of any function that the image exports.
    pub fn symbol(&self, name: &str) -> Option<usize> {
        if self.size == 0 {
            return None;
        }
        // SAFETY: as in `at`, which has found the image to be of this size.
        let image = unsafe {
            slice::from_raw_parts(core::ptr::with_exposed_provenance(self.base), self.size)
        };
        address_at(self.base, Tables::read(image).ok()?.find(name.as_bytes())?)
    }

    /// The calls that the image has no entry for, though liblinux's has.
    pub fn missing(&self) -> impl Iterator<Item = Call> {
        Call::all().filter(|call| call.row().is_exported() && self.entry(*call).is_none())
    }

    /// The outcome of a call without an entry.
    ///
    /// # Safety
    ///
    /// As for the call.
    #[cold]
    pub(crate) unsafe fn without_entry(
        &self,
        call: Call,
        arguments: &[usize],
    ) -> Result<usize, Errno> {
        if !self.bare {
            return Err(Errno::NO_ENTRY);
        }
        let mut registers = [0; 6];
        for (register, argument) in registers.iter_mut().zip(arguments) {
            *register = *argument;
        }
        // SAFETY: the caller's contract.
        Errno::result(unsafe { arch::syscall(call.number(), registers) })
    }
}
