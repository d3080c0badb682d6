//! The registry of this process.

#![expect(unsafe_code, reason = "calls functions of the image")]

use super::mark::is_kernels;
use super::own;
use super::registration::Registration;
use crate::signal::Pages;
use crate::{Errno, Vdso};
use core::mem::{offset_of, transmute};
use liblinux_abi::image::fixup;
use liblinux_abi::image::fixup::{Attached, Dso, Hit, area_capacity, area_size};
use liblinux_abi::image::layout::PAGE_SIZE;
use liblinux_abi::kernel::errno;

/// Bytes of the first area of a process: room for 135 DSOs. It takes no memory before it is used.
const FIRST_SIZE: u64 = 18 * PAGE_SIZE as u64;
const _: () = assert!(area_capacity(FIRST_SIZE) == 135);

/// Neither the kernel nor a handler knows of areas.
const UNKNOWN: Errno = Errno::new(errno::ENOSYS as u16).expect("an error number");

/// No area is large enough.
const FULL: Errno = Errno::new(errno::ENOSPC as u16).expect("an error number");

/// A function of the image; those of fewer arguments ignore the rest.
type Function = unsafe extern "C" fn(u64, u64, u64) -> isize;

/// Where new registrations go.
pub(super) struct Place {
    area: u64,
    /// The handler that leads there, if one does.
    pages: Option<Pages>,
    /// Whether the kernel consults it.
    pub(super) is_consulted: bool,
}

impl Place {
    /// DSOs that the area has room for.
    fn capacity(&self) -> u64 {
        let field = self.area as usize + offset_of!(fixup::Area, capacity);
        // SAFETY: an area is mapped, and its capacity never changes.
        u64::from(unsafe { core::ptr::with_exposed_provenance::<u32>(field).read() })
    }
}

/// The exception fixups of this process: the area that its DSOs share, and whether the kernel or a
/// handler consults it.
#[derive(Clone, Copy, Debug)]
pub struct Fixups<'a> {
    vdso: &'a Vdso,
    /// The area when this joined. Where the registry moved from there, the image finds the way.
    pub(super) joined: u64,
    /// The handler's pages; none where the kernel consulted the area when this joined.
    pub(super) pages: Option<Pages>,
}

impl<'a> Fixups<'a> {
    /// Joins the registry of this process, or begins one.
    ///
    /// The area is attached to the kernel; where the kernel knows no areas, or a filter refuses the
    /// call, signal handlers are installed. Fails with [`Errno::NO_ENTRY`] on an image without
    /// fixups.
    ///
    /// These are private calls, which no seccomp filter can allow. A filter that kills on unknown
    /// numbers, or strict mode, kills here and in [`register`](Self::register): join and register
    /// before. Earlier registrations stay in effect.
    pub fn of_process(vdso: &'a Vdso) -> Result<Self, Errno> {
        super::frame::ENDS.find(vdso);
        let unjoined = Self { vdso, joined: 0, pages: None };
        match unjoined.query() {
            Ok(attached) => return Ok(Self { joined: attached.area, ..unjoined }),
            Err(error) if error.number() == errno::ENOENT as u16 => {
                let area = unjoined.make(FIRST_SIZE)?;
                match unjoined.call("__vdso_fixup_attach", [area, FIRST_SIZE, 0]) {
                    Ok(_) => return Ok(Self { joined: area, ..unjoined }),
                    Err(error) => {
                        unjoined.discard(area, FIRST_SIZE);
                        // Another thread has attached an area. Anything else: the kernel has no
                        // such call.
                        if error.number() == errno::EBUSY as u16
                            && let Ok(attached) = unjoined.query()
                        {
                            return Ok(Self { joined: attached.area, ..unjoined });
                        }
                    }
                }
            }
            Err(Errno::NO_ENTRY) => return Err(Errno::NO_ENTRY),
            Err(_) => {}
        }
        let pages = unjoined.handler(|| unjoined.make(FIRST_SIZE))?;
        Ok(Self { joined: pages.consulted_area(), pages: Some(pages), ..unjoined })
    }

    /// Whether the kernel consulted the area when this joined; otherwise a signal handler does.
    pub fn by_kernel(&self) -> bool {
        self.pages.is_none()
    }

    /// Address of the area that new registrations go to.
    pub fn area(&self) -> u64 {
        self.place().area
    }

    pub(super) fn place(&self) -> Place {
        let pages = match self.pages {
            Some(pages) => Some(pages),
            None => match self.query() {
                Ok(attached) => {
                    return Place { area: attached.area, pages: None, is_consulted: true };
                }
                // A filter refuses the call since this joined. A handler of another library may
                // stand in already.
                Err(_) => Pages::installed(self.vdso).ok().flatten(),
            },
        };
        Place { area: pages.map_or(self.joined, Pages::consulted_area), pages, is_consulted: false }
    }

    /// Registers a text and its table, until what is returned is dropped. A full registry moves to
    /// a larger area.
    ///
    /// Memory that the program maps upon later (`MAP_FIXED`) belongs in an
    /// [`Arena`](super::Arena): registered here, its faults would land under a handler alone.
    ///
    /// If the kernel cannot mark the text, nothing is registered, and this fails with its error:
    /// `EINVAL` for part of a huge page (hugetlbfs), `ENOMEM` for a hole in the text or a process
    /// that has as many mappings as it may.
    ///
    /// Faults of a text that the kernel did not mark, because a filter has come that refuses this,
    /// meet a signal handler, which is installed for it. Where a filter refuses that as well, this
    /// fails with the filter's error.
    ///
    /// # Safety
    ///
    /// The landings of the table must be where the program can continue after the exceptions of
    /// their ranges. The table must stay as it is, and the text must not be unmapped or written to,
    /// until the registration ends. (Text between the first and the last 16 bytes may be written to
    /// and protected otherwise, as long as its landings stay what they are.)
    pub unsafe fn register(self, dso: &Dso) -> Result<Registration<'a>, Errno> {
        // SAFETY: the caller's contract.
        unsafe { self.enroll(dso) }?;
        Ok(Registration::new(self, *dso))
    }

    /// Registers a text and has it looked up, by the kernel or by a handler.
    ///
    /// # Safety
    ///
    /// As for [`register`](Self::register).
    pub(super) unsafe fn enroll(&self, dso: &Dso) -> Result<(), Errno> {
        let mut place = self.place();
        let argument = (&raw const *dso).expose_provenance() as u64;
        let mut capacity = place.capacity();
        loop {
            match self.call("__vdso_fixup_register", [place.area, argument, 0]) {
                Err(error) if error.number() == errno::ENOSPC as u16 => {
                    place.area = self.grow(&place, &mut capacity)?
                }
                outcome => break outcome.map(drop)?,
            }
        }
        if self.pages.is_some() {
            return Ok(());
        }
        // Older images register and drop the answer to the mark, which is the same once more.
        let mark = || self.call("__vdso_fixup_mark", [dso.text_start, dso.text_len, 0]);
        let marked = if place.is_consulted { mark().map(drop) } else { Err(UNKNOWN) };
        marked
            .or_else(|error| {
                if is_kernels(error) {
                    return Err(error);
                }
                // SAFETY: the caller's contract.
                unsafe { self.stand_in(place.area, dso) }
            })
            .inspect_err(|_| {
                // It is there: registered above.
                let _ = self.unregister(dso.text_start);
            })
    }

    /// The pages of the handler that is installed, or of a new one that leads to this area.
    pub(super) fn handler(
        &self,
        area: impl FnOnce() -> Result<u64, Errno>,
    ) -> Result<Pages, Errno> {
        if let Some(pages) = Pages::installed(self.vdso)? {
            return Ok(pages);
        }
        let area = area()?;
        let (pages, earlier) = Pages::install(self.vdso, area)?;
        // Both handlers stay, and both consult the area of the one that came first.
        if let Some(earlier) = earlier {
            pages.consult(area, earlier.consulted_area());
        }
        Ok(pages)
    }

    /// Removes the registration of the text that starts at an address.
    pub fn unregister(&self, text_start: u64) -> Result<(), Errno> {
        self.find(|area| self.call("__vdso_fixup_unregister", [area, text_start, 0])).map(drop)
    }

    /// The outcome in the area that this joined, from which the image finds the way; where it has
    /// no such text, in the one of new registrations. So mostly the kernel is not asked, which a
    /// filter might punish.
    fn find(&self, mut ask: impl FnMut(u64) -> Result<usize, Errno>) -> Result<usize, Errno> {
        match ask(self.joined) {
            Err(error) if error.number() == errno::ENOENT as u16 => {
                let area = self.area();
                if area == self.joined { Err(error) } else { ask(area) }
            }
            outcome => outcome,
        }
    }

    /// Registers the DSO that this code was linked into: a program, or a library that may be
    /// unloaded.
    ///
    /// Fails with `EEXIST` if it is registered. The registration ends with what is returned: a
    /// library holds it where its unloading drops it. A program [keeps](Registration::keep) it: it
    /// is never unloaded, and other threads may fault until the process has ended, behind the end
    /// of `main`.
    pub fn register_own(self) -> Result<Registration<'a>, Errno> {
        own::sort(self.vdso)?;
        let first = own::texts().next().ok_or(Errno::NO_ENTRY)?;
        // SAFETY: the linker made the table of entries by `fixup!`, whose users answer for their
        // landings. The text stays for as long as code of it runs.
        let registration = unsafe { self.register(&first) }?;
        // The registration is dropped if the rest fails.
        own::register_rest(registration.fixups())?;
        Ok(registration)
    }

    /// The fixup that a fault of the instruction at an address would find.
    pub fn lookup(&self, ip: u64) -> Result<Option<Hit>, Errno> {
        let mut hit = Hit::default();
        let out = (&raw mut hit).expose_provenance() as u64;
        match self.find(|area| self.call("__vdso_fixup_lookup", [area, ip, out])) {
            Ok(_) => Ok(Some(hit)),
            Err(error) if error.number() == errno::ENOENT as u16 => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Moves the registry to a larger area than one for `capacity` DSOs, which becomes that of the
    /// new one. Returns where there is more room now: the new area, or the old one if another
    /// thread was faster, since that leads to the registry.
    fn grow(&self, place: &Place, capacity: &mut u64) -> Result<u64, Errno> {
        let old = place.area;
        loop {
            if *capacity >= fixup::MAX_CAPACITY {
                return Err(FULL);
            }
            *capacity = (2 * *capacity).min(fixup::MAX_CAPACITY);
            let size = area_size(*capacity).ok_or(FULL)?.next_multiple_of(PAGE_SIZE as u64);
            let new = self.make(size)?;
            let Err(error) = self.call("__vdso_fixup_grow", [old, new, size]) else {
                if let Some(pages) = place.pages {
                    pages.consult(old, new);
                }
                return Ok(new);
            };
            self.discard(new, size);
            if error.number() == errno::EEXIST as u16 {
                return Ok(old);
            }
            // So an older image says that the registry is in an area that is larger than the new
            // one.
            if error.number() != errno::EINVAL as u16 {
                return Err(error);
            }
        }
    }

    /// The area that the kernel has.
    fn query(&self) -> Result<Attached, Errno> {
        let mut attached = Attached::default();
        self.call("__vdso_fixup_query", [(&raw mut attached).expose_provenance() as u64, 0, 0])?;
        // An answer that wrote nothing is a filter's.
        if attached.area == 0 { Err(UNKNOWN) } else { Ok(attached) }
    }

    /// Maps an area of so many bytes, and makes it one.
    fn make(&self, size: u64) -> Result<u64, Errno> {
        const PROT_READ_WRITE: u64 = 3;
        const MAP_PRIVATE_ANONYMOUS: u64 = 0x22;
        // SAFETY: a new mapping.
        let area =
            unsafe { self.vdso.mmap(0, size, PROT_READ_WRITE, MAP_PRIVATE_ANONYMOUS, -1, 0) }?
                as u64;
        self.call("__vdso_fixup_init", [area, size, area_capacity(size)])?;
        Ok(area)
    }

    /// Unmaps an area that no other thread has found.
    fn discard(&self, area: u64, size: u64) {
        // SAFETY: made a moment ago, and not published.
        let _ = unsafe { self.vdso.munmap(area, size as usize) };
    }

    /// The image that has this registry's functions.
    pub fn vdso(&self) -> &'a Vdso {
        self.vdso
    }

    pub(super) fn call(&self, name: &str, arguments: [u64; 3]) -> Result<usize, Errno> {
        let address = self.vdso.symbol(name).ok_or(Errno::NO_ENTRY)?;
        // SAFETY: the image exports a function under this name, of three integers at most.
        let function = unsafe { transmute::<usize, Function>(address) };
        let [a, b, c] = arguments;
        // SAFETY: pointers among the arguments are to our variables and to areas; bad ones give
        // -EFAULT.
        Errno::result(unsafe { function(a, b, c) })
    }
}
