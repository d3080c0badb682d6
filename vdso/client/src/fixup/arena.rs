//! Memory for code that is made at run time, with the same faults caught on every kernel.
//!
//! A compiler that registers its memory as a whole and then maps on top of it (`mmap` with
//! `MAP_FIXED`) has two outcomes: the patched kernel takes the new mapping for other text and
//! delivers the signal, and a handler cannot see that it is new, so it lands. An arena covers
//! nothing by itself. [`Arena::cover`] has the kernel mark the mapping, and covers it then. A fault
//! in memory that was not covered is an ordinary one, whether the kernel or a handler looks fixups
//! up.
//!
//! ```text
//! head, a page: stubs | body: granules of code | tail, a page of zeros | the table
//! ```
//!
//! Head, body and tail are one text with one landing, which is in the head. The table has an entry
//! for each granule, whose length is 0 unless the granule is covered. A registration for each piece
//! that is committed was not chosen: a landing has to be in the text that it is for, so each piece
//! would have to bring one, and code could not cross from piece to piece.
//!
//! # Invariants
//!
//! 1. Head and tail stay as they are, and so do the table's first and last entry, which cover the
//!    last byte of head and of tail: the fingerprint of a text is made of these.
//! 2. Of an entry that is registered nothing changes but `len`, in one store, and no `start`: a
//!    search at the same time finds the same entry, with one length or the other.
//! 3. A granule is covered only while the mapping at its place is marked, as far as the arena's own
//!    functions go.

#![expect(unsafe_code, reason = "maps memory, and writes code and a table to it")]

use super::{Dso, Entry, Fixups, Table, Unsound};
use crate::Errno;
use core::mem::offset_of;
use core::ops::Range;
use core::ptr;
use core::slice;
use core::sync::atomic::{AtomicU32, Ordering};
use liblinux_abi::image::layout::PAGE_SIZE;
use liblinux_abi::kernel::errno::EINVAL;

// `asm-generic/mman-common.h`, `asm-generic/mman.h`.
const PROT_NONE: u64 = 0;
const PROT_READ: u64 = 1;
const PROT_READ_WRITE: u64 = 3;
const PROT_READ_EXEC: u64 = 5;
const MAP_PRIVATE_ANONYMOUS: u64 = 0x22;
const MAP_FIXED: u64 = 0x10;
const MAP_NORESERVE: u64 = 0x4000;

/// Bytes at the end of the head that stubs leave free: one of them is covered.
const HEAD_END: usize = 16;

/// Sizes, a range or a landing that do not fit the arena.
const INVALID: Errno = Errno::new(EINVAL as u16).expect("an error number");

/// The code that an arena begins with, and the landing of its faults.
#[derive(Clone, Copy, Debug)]
pub struct Stubs<'s> {
    /// Code that runs wherever it is, less than 4,080 bytes.
    pub code: &'s [u8],
    /// Offset in it of the landing.
    pub landing: usize,
    /// 0, [`PLAIN`](super::PLAIN), or [`FRAME`](super::FRAME) for a stub of
    /// [`frame::stub`](super::frame::stub).
    pub flags: u32,
}

/// Addresses for code, of which parts come and go. Dropping this unregisters and unmaps all of it.
#[derive(Debug)]
pub struct Arena<'a> {
    fixups: Fixups<'a>,
    dso: Dso,
    len: usize,
    granule: usize,
}

impl<'a> Arena<'a> {
    /// Reserves addresses for `len` bytes of code, in granules of so many bytes, and registers
    /// them.
    ///
    /// `EINVAL` unless `granule` is a multiple of the page, `len` one of `granule`, the stubs fit
    /// into their page, and all of it takes less than 2 GiB. Else as [`Fixups::register`].
    ///
    /// # Safety
    ///
    /// The landing must be where the program can continue after any exception of code in the arena.
    /// No code of the arena may run when it is dropped.
    pub unsafe fn reserve(
        fixups: Fixups<'a>,
        len: usize,
        granule: usize,
        stubs: Stubs<'_>,
    ) -> Result<Self, Errno> {
        let is_sized = granule > 0
            && granule.is_multiple_of(PAGE_SIZE)
            && len > 0
            && len.is_multiple_of(granule);
        let has_stubs =
            stubs.landing < stubs.code.len() && stubs.code.len() <= PAGE_SIZE - HEAD_END;
        if !is_sized || !has_stubs || len > i32::MAX as usize {
            return Err(INVALID);
        }
        let (text_len, count) = (len + 2 * PAGE_SIZE, len / granule + 2);
        let size = text_len + (count * size_of::<Entry>()).next_multiple_of(PAGE_SIZE);
        if size > i32::MAX as usize {
            return Err(INVALID);
        }
        let flags = MAP_PRIVATE_ANONYMOUS | MAP_NORESERVE;
        // SAFETY: a new mapping.
        let start = unsafe { fixups.vdso().mmap(0, size as u64, PROT_NONE, flags, -1, 0) }?;
        let table = (start + text_len) as u64;
        let dso =
            Dso { text_start: start as u64, text_len: text_len as u64, table, count: count as u64 };
        let arena = Self { fixups, dso, len, granule };
        // From here on an error drops the arena.
        arena.lay_out(stubs)?;
        // SAFETY: the caller's contract; invariant 1 says which bytes stay.
        unsafe { fixups.enroll(&dso) }?;
        arena.set(0..len, 0);
        Ok(arena)
    }

    /// Writes the stubs and the table, in which everything is covered: registration takes no empty
    /// entries.
    fn lay_out(&self, stubs: Stubs<'_>) -> Result<(), Errno> {
        let (start, body, table) = (self.dso.text_start, self.address() as u64, self.dso.table);
        self.protect(start, PAGE_SIZE, PROT_READ_WRITE)?;
        let head: *mut u8 = ptr::with_exposed_provenance_mut(start as usize);
        // SAFETY: the head is a page, writable, that no other thread knows; the stubs are less.
        unsafe { head.copy_from_nonoverlapping(stubs.code.as_ptr(), stubs.code.len()) };
        self.protect(start, PAGE_SIZE, PROT_READ_EXEC)?;
        self.protect(self.dso.text().end - PAGE_SIZE as u64, PAGE_SIZE, PROT_READ)?;
        self.protect(table, self.size() - self.dso.text_len as usize, PROT_READ_WRITE)?;
        let first: *mut Entry = ptr::with_exposed_provenance_mut(table as usize);
        // SAFETY: so many entries have room there, zeros are entries, and no other thread knows of
        // them.
        let entries = unsafe { slice::from_raw_parts_mut(first, self.dso.count as usize) };
        let mut table = Table::new(self.dso.text(), entries);
        let landing = start + stubs.landing as u64;
        let ends = |end: u64| end - 1..end;
        let granules = (0..self.len).step_by(self.granule).map(|at| {
            let from = body + at as u64;
            from..from + self.granule as u64
        });
        let mut ranges =
            [ends(body)].into_iter().chain(granules).chain([ends(self.dso.text().end)]);
        let filled: Result<(), Unsound> =
            ranges.try_for_each(|range| table.cover(range, landing, stubs.flags));
        // Of an arena that is laid out as here, only the flags can be wrong.
        filled.map_err(|_| INVALID)
    }

    /// The registry that it is in.
    pub fn fixups(&self) -> &Fixups<'a> {
        &self.fixups
    }

    /// Address of the first stub.
    pub fn stubs(&self) -> usize {
        self.dso.text_start as usize
    }

    /// Address of the first granule.
    pub fn address(&self) -> usize {
        self.stubs() + PAGE_SIZE
    }

    /// Gives whole granules new memory, zeros of the process's own, and covers them. `range` is in
    /// bytes from [`address`](Self::address), `protection` as for `mprotect`, which may change it
    /// later.
    ///
    /// # Safety
    ///
    /// The memory that was there before is lost.
    pub unsafe fn commit(&self, range: Range<usize>, protection: u64) -> Result<(), Errno> {
        self.uncover(range.clone())?;
        // SAFETY: the caller's contract.
        unsafe { self.map(range.clone(), protection, 0) }?;
        self.cover(range)
    }

    /// Takes the memory of whole granules away. Their addresses stay the arena's, and are not
    /// covered.
    ///
    /// # Safety
    ///
    /// The memory that was there before is lost.
    pub unsafe fn decommit(&self, range: Range<usize>) -> Result<(), Errno> {
        self.uncover(range.clone())?;
        // SAFETY: the caller's contract.
        unsafe { self.map(range, PROT_NONE, MAP_NORESERVE) }
    }

    /// Covers whole granules, as they are mapped now. To be called after every mapping that the
    /// program itself makes on top of the arena, of a file or of another view of the same code.
    ///
    /// If the kernel cannot mark the mapping this fails with its error, as [`Fixups::register`],
    /// and the granules stay uncovered.
    pub fn cover(&self, range: Range<usize>) -> Result<(), Errno> {
        self.check(&range)?;
        let start = self.address() as u64;
        self.fixups.mark(&self.dso, start + range.start as u64..start + range.end as u64)?;
        self.set(range, self.granule as u32);
        Ok(())
    }

    /// Covers whole granules no longer. To be called before the program itself maps on top of them.
    pub fn uncover(&self, range: Range<usize>) -> Result<(), Errno> {
        self.check(&range)?;
        self.set(range, 0);
        Ok(())
    }

    /// Whether a range is of whole granules of the body.
    fn check(&self, range: &Range<usize>) -> Result<(), Errno> {
        let is_whole =
            range.start.is_multiple_of(self.granule) && range.end.is_multiple_of(self.granule);
        if range.is_empty() || range.end > self.len || !is_whole { Err(INVALID) } else { Ok(()) }
    }

    /// Sets how much of each granule is covered.
    fn set(&self, range: Range<usize>, covered: u32) {
        for at in range.step_by(self.granule) {
            let entry = self.dso.table as usize + (1 + at / self.granule) * size_of::<Entry>();
            let len: *mut u32 = ptr::with_exposed_provenance_mut(entry + offset_of!(Entry, len));
            // SAFETY: an entry of the table, which is mapped as long as the arena is; others only
            // load it.
            let len = unsafe { AtomicU32::from_ptr(len) };
            // Release: the mapping and the marks come first. Pairs with the loads of the kernel and
            // of the image, which x86 keeps in order.
            len.store(covered, Ordering::Release);
        }
    }

    /// Maps on top of a range of the body.
    ///
    /// # Safety
    ///
    /// The memory that was there before is lost.
    unsafe fn map(&self, range: Range<usize>, protection: u64, flags: u64) -> Result<(), Errno> {
        let (start, len) = ((self.address() + range.start) as u64, range.len() as u64);
        let flags = MAP_PRIVATE_ANONYMOUS | MAP_FIXED | flags;
        // SAFETY: addresses of this arena; the caller's contract.
        unsafe { self.fixups.vdso().mmap(start, len, protection, flags, -1, 0) }.map(drop)
    }

    fn protect(&self, start: u64, len: usize, protection: u64) -> Result<(), Errno> {
        // SAFETY: pages of this arena, before it is registered.
        unsafe { self.fixups.vdso().mprotect(start, len, protection) }.map(drop)
    }

    /// Bytes of all of it.
    fn size(&self) -> usize {
        let table = self.dso.count as usize * size_of::<Entry>();
        self.dso.text_len as usize + table.next_multiple_of(PAGE_SIZE)
    }
}

impl Drop for Arena<'_> {
    fn drop(&mut self) {
        // It is missing if it could not be registered.
        let _ = self.fixups.unregister(self.dso.text_start);
        // SAFETY: by the contract of `reserve`, no code of the arena runs.
        let _ = unsafe { self.fixups.vdso().munmap(self.dso.text_start, self.size()) };
    }
}
