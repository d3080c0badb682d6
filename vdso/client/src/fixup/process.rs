//! The registry of this process.

#![expect(unsafe_code, reason = "calls functions of the image")]

use super::pages::Pages;
use super::registration::{Registration, own_dso};
use crate::{Errno, Vdso};
use core::mem::{offset_of, transmute};
use core::sync::atomic::Ordering;
use liblinux_abi::fixup::{Attached, DSO_SIZE, Dso, HEADER_SIZE, Hit, area_size};
use liblinux_abi::layout::PAGE_SIZE;
use liblinux_abi::{errno, fixup};

/// Bytes of the first area of a process: room for 127 DSOs.
const FIRST_SIZE: u64 = 4 * PAGE_SIZE as u64;

/// No area is large enough.
const FULL: Errno = Errno::new(errno::ENOSPC as u16).expect("an error number");

/// A function of the image; those of fewer arguments ignore the rest.
type Function = unsafe extern "C" fn(u64, u64, u64) -> isize;

/// The exception fixups of this process: the area that its DSOs share, and who consults it.
#[derive(Clone, Copy, Debug)]
pub struct Fixups<'a> {
    vdso: &'a Vdso,
    /// The handler's pages; none where the kernel consults the area.
    pages: Option<Pages>,
}

impl<'a> Fixups<'a> {
    /// Joins the registry of this process, or begins one.
    ///
    /// The area is attached to the kernel; where the kernel knows no areas, or a filter refuses the call, signal handlers
    /// are installed. Fails with [`Errno::NO_ENTRY`] on an image without fixups.
    pub fn of_process(vdso: &'a Vdso) -> Result<Self, Errno> {
        let kernel = Self { vdso, pages: None };
        match kernel.query() {
            Ok(_) => return Ok(kernel),
            Err(error) if error.number() == errno::ENOENT as u16 => {
                let area = kernel.make(FIRST_SIZE)?;
                match kernel.call("__vdso_fixup_attach", [area, FIRST_SIZE, 0]) {
                    Ok(_) => return Ok(kernel),
                    Err(error) => {
                        kernel.discard(area, FIRST_SIZE);
                        // Somebody else's is attached by now. Anything else: no kernel for this.
                        if error.name() == Some("EBUSY") && kernel.query().is_ok() {
                            return Ok(kernel);
                        }
                    }
                }
            }
            Err(Errno::NO_ENTRY) => return Err(Errno::NO_ENTRY),
            Err(_) => {}
        }
        let pages = match Pages::installed(vdso)? {
            Some(pages) => pages,
            None => {
                let area = kernel.make(FIRST_SIZE)?;
                let (pages, earlier) = Pages::install(vdso, area)?;
                // Both handlers stay, and both lead to the area of whoever came first.
                if let Some(earlier) = earlier {
                    pages.follow(area, earlier.area().load(Ordering::Acquire));
                }
                pages
            }
        };
        Ok(Self { vdso, pages: Some(pages) })
    }

    /// Whether the kernel consults the area; otherwise a signal handler does.
    pub fn by_kernel(&self) -> bool {
        self.pages.is_none()
    }

    /// Address of the area.
    pub fn area(&self) -> Result<u64, Errno> {
        match self.pages {
            // Acquire: pairs with `Pages::follow`.
            Some(pages) => Ok(pages.area().load(Ordering::Acquire)),
            None => self.query().map(|attached| attached.area),
        }
    }

    /// Registers a text and its table. A full registry moves to a larger area.
    ///
    /// # Safety
    ///
    /// The landings of the table must be where the program can go on after the exceptions of their ranges. The text must be
    /// unregistered before it is unmapped or written to.
    pub unsafe fn register(&self, dso: &Dso) -> Result<(), Errno> {
        loop {
            let area = self.area()?;
            match self.call("__vdso_fixup_register", [area, (&raw const *dso).expose_provenance() as u64, 0])
            {
                Err(error) if error.number() == errno::ENOSPC as u16 => self.grow(area)?,
                outcome => return outcome.map(drop),
            }
        }
    }

    /// Removes the registration of the text that starts at an address.
    pub fn unregister(&self, text_start: u64) -> Result<(), Errno> {
        self.call("__vdso_fixup_unregister", [self.area()?, text_start, 0]).map(drop)
    }

    /// Registers the DSO that this code was linked into: a program, or a library that may be unloaded.
    ///
    /// Fails with `EEXIST` if it is registered. The registration ends with what is returned: a library keeps it where its
    /// unloading drops it; a program may forget it.
    pub fn register_own(self) -> Result<Registration<'a>, Errno> {
        let dso = own_dso().ok_or(Errno::NO_ENTRY)?;
        // SAFETY: the linker made the table of entries by `fixup!`, whose users answer for their landings. The text stays for
        // as long as code of it runs.
        unsafe { self.register(&dso) }?;
        Ok(Registration::new(self, dso.text_start))
    }

    /// What a fault of the instruction at an address would find.
    pub fn lookup(&self, ip: u64) -> Result<Option<Hit>, Errno> {
        let mut hit = Hit::default();
        let out = (&raw mut hit).expose_provenance() as u64;
        match self.call("__vdso_fixup_lookup", [self.area()?, ip, out]) {
            Ok(_) => Ok(Some(hit)),
            Err(error) if error.number() == errno::ENOENT as u16 => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Moves the registry to a larger area. Whoever moved it first wins: from then on the old area leads there.
    fn grow(&self, old: u64) -> Result<(), Errno> {
        let field = old as usize + offset_of!(fixup::Area, capacity);
        // SAFETY: an area is mapped, and its capacity never changes.
        let mut capacity = u64::from(unsafe { core::ptr::with_exposed_provenance::<u32>(field).read() });
        loop {
            capacity *= 2;
            let size = area_size(capacity).ok_or(FULL)?.next_multiple_of(PAGE_SIZE as u64);
            let new = self.make(size)?;
            match self.call("__vdso_fixup_grow", [old, new, size]) {
                Ok(_) => {
                    if let Some(pages) = self.pages {
                        pages.follow(old, new);
                    }
                    return Ok(());
                }
                Err(error) => {
                    self.discard(new, size);
                    // The registry may be in an area by now that is larger than ours.
                    if error.number() != errno::EINVAL as u16 {
                        return Err(error);
                    }
                }
            }
        }
    }

    /// The area that the kernel has.
    fn query(&self) -> Result<Attached, Errno> {
        let mut attached = Attached::default();
        self.call("__vdso_fixup_query", [(&raw mut attached).expose_provenance() as u64, 0, 0])?;
        Ok(attached)
    }

    /// Maps an area of so many bytes, and makes it one.
    fn make(&self, size: u64) -> Result<u64, Errno> {
        const PROT_READ_WRITE: u64 = 3;
        const MAP_PRIVATE_ANONYMOUS: u64 = 0x22;
        // SAFETY: a new mapping.
        let area =
            unsafe { self.vdso.mmap(0, size, PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS, u64::MAX, 0) }? as u64;
        let capacity = ((size - HEADER_SIZE) / DSO_SIZE).min(fixup::CAPACITY_MAX);
        self.call("__vdso_fixup_init", [area, size, capacity])?;
        Ok(area)
    }

    /// Unmaps an area that nobody has found.
    fn discard(&self, area: u64, size: u64) {
        // SAFETY: made a moment ago, and not published.
        let _ = unsafe { self.vdso.munmap(area, size as usize) };
    }

    fn call(&self, name: &str, arguments: [u64; 3]) -> Result<usize, Errno> {
        let address = self.vdso.symbol(name).ok_or(Errno::NO_ENTRY)?;
        // SAFETY: the image exports a function under this name, of three integers at most.
        let function = unsafe { transmute::<usize, Function>(address) };
        let [a, b, c] = arguments;
        // SAFETY: pointers among the arguments are to our variables and to areas; bad ones give -EFAULT.
        Errno::result(unsafe { function(a, b, c) })
    }
}
