//! The running DSO's facts about itself: its executable segments, and the table that the linker put
//! together.
//!
//! Each executable segment that has fixups is a text. Where a fixup leads from one segment to
//! another, all of them and what is between them are one text, since a text holds its landings.
//!
//! Some linkers lose the order of the table (gold, `ld -r`). Then a copy is sorted, in memory that
//! its 32-bit offsets reach the code from; it stays for as long as the process lives.

#![expect(unsafe_code, reason = "reads the ELF header and the table of the running DSO")]

use super::Fixups;
use crate::{Errno, Vdso, arch};
use core::hint::black_box;
use core::ops::Range;
use core::ptr::{with_exposed_provenance, with_exposed_provenance_mut};
use core::slice;
use core::sync::atomic::{AtomicUsize, Ordering};
use liblinux_abi::image::fixup::{Dso, Entry};
use liblinux_abi::image::layout::PAGE_SIZE;
use liblinux_abi::kernel::errno::ENOMEM;

/// Nothing within reach is free.
const NO_MEMORY: Errno = Errno::new(ENOMEM as u16).expect("an error number");

// `elf.h`: offsets in the ELF header and in a program header.
const E_PHOFF: usize = 32;
const E_PHNUM: usize = 56;
const PHDR_SIZE: usize = 56;
const PT_LOAD: u32 = 1;
const PF_X: u32 = 1;

/// The texts of the running DSO, each with its part of the table.
pub(super) fn texts() -> impl Iterator<Item = Dso> {
    let table = table();
    let home = |address: u64| segments().find(|segment| segment.contains(&address));
    let crosses = table.iter().any(|entry| {
        let segment = home(start(entry));
        segment.is_none() || segment != home(landing(entry))
    });
    let text = |segment: Range<u64>, first: usize, count: usize| Dso {
        text_start: segment.start,
        text_len: segment.end - segment.start,
        table: (&raw const table[first]).expose_provenance() as u64,
        count: count as u64,
    };
    let whole = || {
        let (first, last) = (segments().next()?, segments().last()?);
        Some(text(first.start..last.end, 0, table.len()))
    };
    let parts = segments().filter(move |_| !crosses).filter_map(move |segment| {
        let first = table.iter().position(|entry| segment.contains(&start(entry)))?;
        let count = table.iter().filter(|entry| segment.contains(&start(entry))).count();
        Some(text(segment, first, count))
    });
    crosses.then(whole).flatten().into_iter().chain(parts)
}

/// Registers all texts but the first.
pub(super) fn register_rest(fixups: &Fixups<'_>) -> Result<(), Errno> {
    for text in texts().skip(1) {
        // SAFETY: the linker made the table of entries by `fixup!`, whose users answer for their
        // landings. The text stays for as long as code of it runs.
        unsafe { fixups.enroll(&text) }?;
    }
    Ok(())
}

/// Unregisters the texts behind the first one, if that starts at this address.
pub(super) fn unregister_rest(fixups: &Fixups<'_>, first: u64) {
    let mut texts = texts();
    if texts.next().is_some_and(|text| text.text_start == first) {
        for text in texts {
            // It can only be missing.
            let _ = fixups.unregister(text.text_start);
        }
    }
}

/// The address that a field of an entry stands for.
fn start(entry: &Entry) -> u64 {
    ((&raw const entry.start).addr() as u64).wrapping_add_signed(entry.start.into())
}

/// As above.
fn landing(entry: &Entry) -> u64 {
    ((&raw const entry.landing).addr() as u64).wrapping_add_signed(entry.landing.into())
}

/// The table as the linker made it.
fn linked() -> &'static [Entry] {
    // Keeps the probes, and with them the section, in the DSO.
    black_box(arch::probe::copy as *const ());
    let [_, start, end] = arch::own();
    // SAFETY: the linker put entries and nothing else between these two, in memory that is read
    // only.
    unsafe {
        slice::from_raw_parts(with_exposed_provenance(start), (end - start) / size_of::<Entry>())
    }
}

/// Address of the sorted copy, if there had to be one.
static COPY: AtomicUsize = AtomicUsize::new(0);

/// All entries, in the order of their code.
fn table() -> &'static [Entry] {
    match COPY.load(Ordering::Acquire) {
        0 => linked(),
        // SAFETY: `sort` wrote as many entries there before it stored the address, and nothing
        // changes them.
        copy => unsafe { slice::from_raw_parts(with_exposed_provenance(copy), linked().len()) },
    }
}

/// Sees to it that [`table`] is in the order of the code.
pub(super) fn sort(vdso: &Vdso) -> Result<(), Errno> {
    if table().is_sorted_by_key(start) {
        return Ok(());
    }
    let table = linked();
    let size = size_of_val(table).next_multiple_of(PAGE_SIZE);
    let address = map_near(vdso, table.as_ptr_range().end.addr(), size)?;
    let first = with_exposed_provenance_mut::<Entry>(address);
    // SAFETY: so many entries have room there, zeros are entries, and this is the only reference.
    let copy = unsafe { slice::from_raw_parts_mut(first, table.len()) };
    for (place, entry) in (0..).zip(table) {
        // An entry that was put before this one moves up, so its relative fields are adjusted.
        let to = copy[..place].partition_point(|before| start(before) <= start(entry));
        copy.copy_within(to..place, to + 1);
        for moved in &mut copy[to + 1..=place] {
            moved.start -= size_of::<Entry>() as i32;
            moved.landing -= size_of::<Entry>() as i32;
        }
        let at = &mut copy[to];
        *at = *entry;
        at.start = start(entry).wrapping_sub((&raw const at.start).addr() as u64) as i32;
        at.landing = landing(entry).wrapping_sub((&raw const at.landing).addr() as u64) as i32;
    }
    // SAFETY: the copy is whole, and not written any more.
    unsafe { vdso.mprotect(address as u64, size, PROT_READ) }?;
    // Release: pairs with the load in `table`. Of two threads one wins, and the other one's copy is
    // left over.
    let _ = COPY.compare_exchange(0, address, Ordering::Release, Ordering::Relaxed);
    Ok(())
}

// `asm-generic/mman-common.h`.
const PROT_READ: u64 = 1;
const PROT_READ_WRITE: u64 = 3;

/// Maps memory behind the DSO, within reach of its code.
fn map_near(vdso: &Vdso, end: usize, size: usize) -> Result<usize, Errno> {
    const STEP: usize = 16 << 20;
    // MAP_PRIVATE, MAP_ANONYMOUS, and MAP_FIXED_NOREPLACE, which kernels before 4.17 ignore.
    const FLAGS: u64 = 0x0010_0022;
    let first = (end & !(STEP - 1)) + STEP;
    for place in (0..64).map(|index| first + index * STEP) {
        // SAFETY: a new mapping, which replaces none.
        match unsafe { vdso.mmap(place as u64, size as u64, PROT_READ_WRITE, FLAGS, -1, 0) } {
            Ok(address) if address == place => return Ok(address),
            Ok(elsewhere) => {
                // SAFETY: mapped a moment ago.
                let _ = unsafe { vdso.munmap(elsewhere as u64, size) };
            }
            Err(_) => {}
        }
    }
    Err(NO_MEMORY)
}

/// The executable segments.
fn segments() -> impl Iterator<Item = Range<u64>> {
    let [header, ..] = arch::own();
    // SAFETY: the ELF header and the program headers behind it are in the first page of the DSO,
    // which is loaded: the linker defines `__ehdr_start` only then.
    let page = unsafe { slice::from_raw_parts(with_exposed_provenance::<u8>(header), PAGE_SIZE) };
    let word = |at: usize| Some(u64::from_le_bytes(*page.get(at..)?.first_chunk()?));
    let (headers, count) = (word(E_PHOFF).unwrap_or(0), word(E_PHNUM).unwrap_or(0) & 0xffff);
    let loaded = (0..count as usize).filter_map(move |index| {
        let at = headers as usize + PHDR_SIZE * index;
        let kind = word(at)?;
        let (kind, flags) = (kind as u32, (kind >> 32) as u32);
        let segment = (flags, word(at + 8)?, word(at + 16)?, word(at + 40)?);
        (kind == PT_LOAD).then_some(segment)
    });
    // The header is at offset 0 of the file.
    let bias = loaded.clone().find(|(_, offset, ..)| *offset == 0);
    let bias = bias.map_or(0, |(_, _, address, _)| (header as u64).wrapping_sub(address));
    loaded.filter(|(flags, ..)| flags & PF_X != 0).map(move |(_, _, address, len)| {
        let start = bias.wrapping_add(address);
        start..start + len
    })
}
