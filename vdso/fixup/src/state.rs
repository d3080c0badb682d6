// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The kernel's facts about a process, saved and restored: see `liblinux_abi::image::state`.
//!
//! The area itself is memory, which a restorer of the process restores anyway. Marks on texts are
//! not, and are made anew from the registry, where it is by now: of texts that still have their
//! fingerprints. Texts that have another one, and a page in common with a text that does not, are
//! taken out of the registry: marks are of pages.
//!
//! # Invariants
//!
//! 1. A state is hostile: it is read once, and judged before the kernel is asked for anything.
//! 2. A kernel that knows nothing of fixups has nothing to save; restoring a state without an area
//!    succeeds there.
//! 3. If the kernel could not be asked, `save` fails instead of saving nothing. A filter that
//!    answers as a kernel without an area does cannot be told from one.
//! 4. Texts are marked before the area is attached, so that no registered fault becomes a signal in
//!    between.

use crate::area::Area;
use crate::directory::{Counts, Cursor};
use crate::error::Error;
use crate::kernel::Kernel;
use crate::memory::{Memory, fingerprint};
use crate::registry::{PAGE, mark, settle, unregister};
use core::mem::offset_of;
use liblinux_abi::image::fixup::TRIES;
use liblinux_abi::image::state::{MAGIC, SIZE, State};
use liblinux_abi::kernel::errno::ENOSYS;

/// Writes the state to `len` bytes at `buffer`; how many it has. Nothing is written if `len` is 0,
/// which asks.
///
/// `SHORT` if there is not enough room, `FAULT` if the memory is not accessible; otherwise the
/// error of a filter that refuses the call, unless it is `ABSENT` or `UNKNOWN`, the answers of a
/// kernel without an area, or without fixups.
#[inline]
pub fn save<M: Memory + Kernel>(memory: &M, buffer: u64, len: u64) -> Result<u64, Error> {
    if len == 0 {
        return Ok(SIZE);
    }
    if len < SIZE {
        return Err(Error::SHORT);
    }
    let (area, area_size) = match memory.attached() {
        Ok(attached) => attached,
        Err(Error::ABSENT | Error::UNKNOWN) => (0, 0),
        Err(error) => return Err(error),
    };
    let field = |offset: usize, value| memory.store(buffer.wrapping_add(offset as u64), value);
    field(offset_of!(State, magic), MAGIC)?;
    field(offset_of!(State, size), SIZE)?;
    field(offset_of!(State, area), area)?;
    field(offset_of!(State, area_size), area_size)?;
    Ok(SIZE)
}

/// Has the kernel hold again what it held when the `len` bytes at `buffer` were saved.
///
/// `INVALID` if they are not a state, `FAULT` if they are not accessible, `OVERTAKEN` if writers
/// did not leave the time to mark the texts, the error of `register` for a text that cannot be
/// marked; otherwise the kernel's answer to the area: `-EBUSY` if another one is attached,
/// `-ENOSYS` if it knows of none; or the error of a filter that refuses the call. After an error
/// the area that was attached still is; texts that an area has registered may be marked, which
/// means nothing without that area.
#[inline]
pub fn restore<M: Memory + Kernel>(memory: &M, buffer: u64, len: u64) -> Result<(), Error> {
    if len < SIZE {
        return Err(Error::INVALID);
    }
    let field = |offset: usize| memory.load(buffer.wrapping_add(offset as u64));
    let magic = field(offset_of!(State, magic))?;
    let size = field(offset_of!(State, size))?;
    let area = field(offset_of!(State, area))?;
    let area_size = field(offset_of!(State, area_size))?;
    if magic != MAGIC || size != SIZE || (area == 0) != (area_size == 0) {
        return Err(Error::INVALID);
    }
    if area == 0 {
        let detached = memory.attach(0, 0);
        return if detached == -ENOSYS { Ok(()) } else { Error::check(detached) };
    }
    let mut place = area;
    mark_all(memory, &mut place)?;
    let found = Area::open(memory, place)?;
    let area_size = if place == area { area_size } else { found.size() };
    Error::check(memory.attach(place, area_size))?;
    // It may have moved on before the kernel had it. In any case it is attached.
    let _ = settle(memory, &mut place);
    // A filter can answer that it is attached.
    if memory.attached() == Err(Error::UNKNOWN) { Err(Error::UNKNOWN) } else { Ok(()) }
}

/// Marks the texts of all DSOs in the area in which the registry is by now; `place` becomes its
/// address.
#[inline]
fn mark_all<M: Memory + Kernel>(memory: &M, place: &mut u64) -> Result<(), Error> {
    let mut tries = TRIES;
    while tries > 0 {
        let settled = settle(memory, place)?;
        // From its parts, because the compiler would copy the whole by vector registers.
        let Area { address, capacity, .. } = settled.area;
        let (area, generation) = (&Area { memory, address, capacity }, settled.generation);
        let stale = area.counts(generation).and_then(|counts| {
            let stale = stale_neighbour(area, generation, counts)?;
            if stale.is_none() {
                mark_rows(area, generation, counts)?;
            }
            Ok(stale)
        });
        // Pairs with the exchange that commits a generation: as in `lookup`.
        if area.current()? != generation {
            tries -= 1;
            continue;
        }
        let Some(start) = stale? else { return Ok(()) };
        match unregister(memory, *place, start) {
            // Another writer was quicker, or the area is out of order.
            Err(Error::ABSENT) => tries -= 1,
            removed => removed?,
        }
    }
    Err(Error::OVERTAKEN)
}

/// The start of a text that was replaced and has a page in common with one that was not: the mark
/// of that page would be its mark, too.
#[inline]
fn stale_neighbour<M: Memory>(
    area: &Area<'_, M>,
    generation: u64,
    counts: Counts,
) -> Result<Option<u64>, Error> {
    let page = |address: u64| address & !(PAGE - 1);
    // The last page of the last text that is what it was, and the last text behind that, which is
    // not.
    let (mut good, mut stale) = (None, None);
    let mut cursor = Cursor::default();
    while let Some(row) = area.next(generation, counts, &mut cursor)? {
        let (first, last) = (page(row.text_start), page(row.end().wrapping_sub(1)));
        if fingerprint::fingerprint(area.memory, &row) != Ok(row.fingerprint) {
            if good == Some(first) {
                return Ok(Some(row.text_start));
            }
            stale = Some((row.text_start, last));
            continue;
        }
        match stale {
            Some((start, end)) if end == first => return Ok(Some(start)),
            _ => {}
        }
        (good, stale) = (Some(last), None);
    }
    Ok(None)
}

/// Marks the texts of a generation that are still what was registered. A row that was overwritten
/// meanwhile has another fingerprint.
#[inline]
fn mark_rows<M: Memory + Kernel>(
    area: &Area<'_, M>,
    generation: u64,
    counts: Counts,
) -> Result<(), Error> {
    let mut cursor = Cursor::default();
    while let Some(row) = area.next(generation, counts, &mut cursor)? {
        if fingerprint::fingerprint(area.memory, &row) == Ok(row.fingerprint) {
            mark(area.memory, &row)?;
        }
    }
    Ok(())
}
