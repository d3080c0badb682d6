//! The registration of a text, and what a DSO knows of itself.

#![expect(unsafe_code, reason = "reads the ELF header of the running DSO")]

use super::Fixups;
use crate::{Errno, arch};
use core::ops::Range;
use core::slice;
use liblinux_abi::fixup::{Dso, Entry};

/// A registered text. Dropping this unregisters it.
#[derive(Debug)]
#[must_use = "the registration ends when this is dropped"]
pub struct Registration<'a> {
    fixups: Fixups<'a>,
    dso: Dso,
}

impl<'a> Registration<'a> {
    pub(super) fn new(fixups: Fixups<'a>, dso: Dso) -> Self {
        Self { fixups, dso }
    }

    /// The registry that it is in.
    pub fn fixups(&self) -> &Fixups<'a> {
        &self.fixups
    }

    /// First address of the text.
    pub fn text_start(&self) -> u64 {
        self.dso.text_start
    }

    /// What was registered.
    pub fn dso(&self) -> &Dso {
        &self.dso
    }

    /// Marks part of the text anew, by its addresses: for a text in which a mapping was made on top
    /// of another (`MAP_FIXED`, `MREMAP_FIXED`). The kernel takes such text for a stranger's until
    /// it is marked.
    ///
    /// Where a handler does the work there are no marks, and this succeeds at once: a program that
    /// forgets the call works there and fails on a kernel with the series. An
    /// [`Arena`](super::Arena) fails on both. `EINVAL` if the range leaves the text; else as
    /// [`Fixups::register`].
    pub fn mark(&self, range: Range<u64>) -> Result<(), Errno> {
        self.fixups.mark(&self.dso, range)
    }

    /// Registered for as long as the process lives. [`Fixups::unregister`] ends that.
    pub fn keep(self) -> Dso {
        let dso = self.dso;
        core::mem::forget(self);
        dso
    }
}

impl Drop for Registration<'_> {
    fn drop(&mut self) {
        // It can only be missing: then it was unregistered by its address.
        let _ = self.fixups.unregister(self.dso.text_start);
    }
}

// `elf.h`: offsets in the ELF header and in a program header.
const E_PHOFF: usize = 32;
const E_PHNUM: usize = 56;
const PHDR_SIZE: usize = 56;
const PT_LOAD: u32 = 1;
const PF_X: u32 = 1;

/// The running DSO: its executable segment, and the table that the linker put together.
pub(super) fn own_dso() -> Option<Dso> {
    // Also keeps the probes, and with them the section, in the DSO.
    let code = (arch::probe::copy as *const ()).addr();
    let [header, table, end] = arch::own();
    let start = core::ptr::with_exposed_provenance::<u8>(header);
    // SAFETY: the ELF header and the program headers behind it are in the first page of the DSO,
    // which is loaded: the linker defines `__ehdr_start` only then.
    let page = unsafe { slice::from_raw_parts(start, liblinux_abi::layout::PAGE_SIZE) };
    let word = |at: usize| Some(u64::from_le_bytes(*page.get(at..)?.first_chunk()?) as usize);
    let (headers, count) = (word(E_PHOFF)?, word(E_PHNUM)? & 0xffff);
    let segments = (0..count).filter_map(|index| {
        let at = headers + PHDR_SIZE * index;
        let kind = word(at)?;
        let (kind, flags) = (kind as u32, (kind >> 32) as u32);
        Some((kind, flags, word(at + 8)?, word(at + 16)?, word(at + 40)?))
    });
    let mut loaded = segments.filter(|(kind, ..)| *kind == PT_LOAD);
    // The header is at offset 0 of the file.
    let bias = loaded
        .clone()
        .find(|(_, _, offset, ..)| *offset == 0)
        .map(|(_, _, _, address, _)| header.wrapping_sub(address))?;
    let (_, _, _, address, size) = loaded.find(|(_, flags, _, address, size)| {
        flags & PF_X != 0 && code.wrapping_sub(bias.wrapping_add(*address)) < *size
    })?;
    Some(Dso {
        text_start: bias.wrapping_add(address) as u64,
        text_len: size as u64,
        table: table as u64,
        count: ((end - table) / size_of::<Entry>()) as u64,
    })
}
