// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Changing the registry: adding and removing DSOs, wherever it is by now.
//!
//! # Invariants
//!
//! 1. An answer holds for one generation: all that it depends on was read while that was the
//!    current one.
//! 2. A writer that comes to a sealed area first has the kernel follow, then does itself: a
//!    registration that succeeded is one that the kernel sees, unless a filter refuses. Then the
//!    kernel stays with the old area.
//! 3. The kernel's marks are of pages, registrations of bytes. A row whose page was unmapped or
//!    replaced has no mark, and the mark for a new text of that page would bring it back. So rows
//!    that share a page with a new text and have no mark are removed before it is marked. Rows are
//!    read first and marks are asked for then: a row is added after its text was marked, so one
//!    that was read and has no mark has lost it.

use crate::area::{Area, Row};
use crate::directory::{self, Chunk, Counts};
use crate::error::Error;
use crate::generation::{Operation, Outcome, complete, perform};
use crate::kernel::Kernel;
use crate::memory::{Fault, Memory, Stamped, fingerprint};
use crate::table;
use liblinux_abi::image::fixup::{
    ABORT, Dso, Entry, KIND_SHIFT, MOVE, SEALS, START, USER_END, sizes,
};
use liblinux_abi::image::layout::PAGE_SIZE;

pub use crate::migration::{grow, init};

/// Bytes of a page.
pub(crate) const PAGE: u64 = PAGE_SIZE as u64;

/// An area where no operation is pending.
pub(crate) struct Settled<'m, M> {
    pub(crate) area: Area<'m, M>,
    pub(crate) generation: u64,
    /// The operation's first cell.
    pub(crate) seen: Stamped,
}

/// Adds a DSO.
///
/// `INVALID` for a text, a table or an area that is not well formed, `EXISTS` if part of the text
/// is registered and is still what it was, `FULL` if the area is, `FAULT` if any of the memory is
/// not accessible. Otherwise the kernel's error, if it cannot mark the text: `INVALID` for a
/// mapping that grows, as a stack does, or whose pages are huge and in which the text has a part of
/// one, `NO_MEMORY` for a text that is not mapped, or if the process may have no more mappings.
#[inline]
pub fn register<M: Memory + Kernel>(memory: &M, area: u64, dso: Dso) -> Result<(), Error> {
    let row = judge(memory, dso)?;
    let mut is_marked = false;
    let mut place = area;
    loop {
        let settled = settle(memory, &mut place)?;
        let (area, generation) = (&settled.area, settled.generation);
        let counts = area.counts(generation);
        let obstacle = counts.and_then(|counts| obstacle(area, generation, counts, &row));
        if area.current()? != generation {
            continue;
        }
        let stale = obstacle?;
        let operation = match stale {
            Some(start) => Operation::Unregister(start),
            None if counts?.rows() == area.capacity => return Err(Error::FULL),
            None => Operation::Register(row),
        };
        if stale.is_none() && !is_marked {
            // Before it can be found, so that it is never found without.
            mark(memory, &row)?;
            is_marked = true;
        }
        if perform(area, generation, settled.seen, &operation)? == Outcome::Done && stale.is_none()
        {
            return Ok(());
        }
    }
}

/// Removes the DSO whose text starts at an address; `ABSENT` if there is none.
#[inline]
pub fn unregister<M: Memory + Kernel>(memory: &M, area: u64, text_start: u64) -> Result<(), Error> {
    let mut place = area;
    loop {
        let settled = settle(memory, &mut place)?;
        let (area, generation) = (&settled.area, settled.generation);
        let is_there =
            area.counts(generation).and_then(|counts| has(area, generation, counts, text_start));
        if area.current()? != generation {
            continue;
        }
        if !is_there? {
            return Err(Error::ABSENT);
        }
        let operation = Operation::Unregister(text_start);
        if perform(area, generation, settled.seen, &operation)? == Outcome::Done {
            return Ok(());
        }
    }
}

/// Goes to the area in which the registry is by now, and helps there until no operation is pending.
/// `place` becomes the area's address.
#[inline]
pub(crate) fn settle<'m, M: Memory + Kernel>(
    memory: &'m M,
    place: &mut u64,
) -> Result<Settled<'m, M>, Error> {
    let mut seals = SEALS;
    let Area { mut address, mut capacity, .. } = Area::open(memory, *place)?;
    loop {
        // From its parts, here and below, because the compiler would copy the whole by vector
        // registers.
        let area = Area { memory, address, capacity };
        let generation = area.writable_generation()?;
        let Some(seen) = area.cell(area.operation_address(START))? else { continue };
        if seen.generation <= generation {
            return Ok(Settled { area: Area { memory, address, capacity }, generation, seen });
        }
        if seen.generation != generation + 1 {
            if area.current()? == generation {
                return Err(Error::INVALID);
            }
            continue;
        }
        if seen.value >> KIND_SHIFT != MOVE {
            complete(&area, generation)?;
            continue;
        }
        if seals == 0 {
            return Err(Error::INVALID);
        }
        seals -= 1;
        let next = Area::open(memory, seen.value & ((1 << KIND_SHIFT) - 1))?;
        hand_over(area.address, &next);
        (address, capacity) = (next.address, next.capacity);
        *place = address;
    }
}

/// Has the kernel follow the registry from an area that is sealed, if it has that one.
#[inline(always)]
pub(crate) fn hand_over<M: Memory + Kernel>(old: u64, new: &Area<'_, M>) {
    if new.memory.attached().is_ok_and(|(area, _)| area == old) {
        // A kernel that refuses was asked by another writer before: the old area is sealed towards
        // this one alone. A filter that refuses leaves it with the old one.
        let _ = new.memory.attach(new.address, new.size());
    }
}

/// The row of a DSO that may be registered.
#[inline(always)]
fn judge<M: Memory>(memory: &M, dso: Dso) -> Result<Row, Error> {
    let Dso { text_start, text_len, table, count } = dso;
    let (Ok(text_len), Ok(count)) = (u32::try_from(text_len), u32::try_from(count)) else {
        return Err(Error::INVALID);
    };
    let table_len = u64::from(count) * size_of::<Entry>() as u64;
    let fits = |start: u64, len: u64| start < USER_END && len > 0 && len <= USER_END - start;
    let is_aligned = table & (align_of::<Entry>() as u64 - 1) == 0;
    let sizes = sizes(text_len, count);
    if !fits(text_start, text_len.into())
        || !fits(table, table_len)
        || !is_aligned
        || sizes == ABORT
    {
        return Err(Error::INVALID);
    }
    let mut row = Row { text_start, table, sizes, fingerprint: 0 };
    table::validate(memory, &row)?;
    row.fingerprint = fingerprint::fingerprint(memory, &row)?;
    Ok(row)
}

/// Has the kernel mark a text.
///
/// The answer of a kernel without marks, or of a filter in its place, is not an error: such a text
/// is for a signal handler.
#[inline(always)]
pub(crate) fn mark<M: Kernel>(memory: &M, text: &Row) -> Result<(), Error> {
    match Error::check(memory.mark(text.text_start, text.text_len())) {
        Err(error @ (Error::INVALID | Error::NO_MEMORY)) => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

/// The start of a text that has to be removed before a new one is marked and added, because it is
/// not what it was when it was registered; `EXISTS` if something is in the way that is.
#[inline(always)]
fn obstacle<M: Memory + Kernel>(
    area: &Area<'_, M>,
    generation: u64,
    counts: Counts,
    new: &Row,
) -> Result<Option<u64>, Error> {
    let start = new.text_start;
    let last = start + (new.text_len() - 1);
    // Texts are disjoint, so if any reaches into the new one, or is in front of it in its first
    // page, then this does. Others that do are found when it is gone.
    let before = nearest(area, generation, counts, last)?;
    // The same for those behind it in its last page.
    let behind = nearest(area, generation, counts, last | (PAGE - 1))?;
    let stale = match (before, behind) {
        (Some(row), _) if row.end() > start => {
            is_stale(area.memory, &row, new)?.then_some(row.text_start)
        }
        (_, Some(row)) if row.text_start > last && is_unmarked(area.memory, last) => {
            Some(row.text_start)
        }
        (Some(row), _) if row.end() > start & !(PAGE - 1) && is_unmarked(area.memory, start) => {
            Some(row.text_start)
        }
        _ => None,
    };
    match stale {
        // In an area that is out of order this would repeat for ever, as the text would not be
        // found for removal.
        Some(start) if !has(area, generation, counts, start)? => Err(Error::INVALID),
        _ => Ok(stale),
    }
}

/// The last of the texts that start at `address` or below.
#[inline(always)]
fn nearest<M: Memory>(
    area: &Area<'_, M>,
    generation: u64,
    counts: Counts,
    address: u64,
) -> Result<Option<Row>, Error> {
    let (mut chunk, mut rank, range) = find(area, generation, counts, address)?;
    if rank == 0 && range > 0 {
        // The range's first rows were removed.
        chunk = directory::chunk(area, generation, counts, range - 1)?;
        rank = chunk.count;
    }
    match rank.checked_sub(1) {
        None => Ok(None),
        Some(index) => Ok(Some(area.row(&chunk, index)?)),
    }
}

/// The chunk and the range that have an address, and how many texts in it start there or below.
#[inline(never)]
fn find<M: Memory>(
    area: &Area<'_, M>,
    generation: u64,
    counts: Counts,
    address: u64,
) -> Result<(Chunk, u64, u64), Error> {
    let range = area.range(counts, address)?;
    let chunk = area.chunk(generation, counts, range)?;
    Ok((chunk, area.rank_in(&chunk, address)?, range))
}

/// Whether a text that shares addresses with a new one is gone; `EXISTS` if it is not.
#[inline(always)]
fn is_stale<M: Memory + Kernel>(memory: &M, old: &Row, new: &Row) -> Result<bool, Error> {
    let start = old.text_start.max(new.text_start);
    let end = old.end().min(new.end());
    // Of a row that was overwritten meanwhile this is not a range, and the answer will not be used.
    if memory.marked(start, end.wrapping_sub(start)) == Some(false) {
        return Ok(true);
    }
    match fingerprint::fingerprint(memory, old) {
        Ok(fingerprint) if fingerprint == old.fingerprint => Err(Error::EXISTS),
        Ok(_) | Err(Fault) => Ok(true),
    }
}

/// Whether the page of an address is known to have no mark.
#[inline(always)]
fn is_unmarked<M: Kernel>(memory: &M, address: u64) -> bool {
    memory.marked(address, 1) == Some(false)
}

/// Whether a text that starts here is registered.
#[inline(always)]
fn has<M: Memory>(
    area: &Area<'_, M>,
    generation: u64,
    counts: Counts,
    start: u64,
) -> Result<bool, Error> {
    if start >= USER_END {
        return Ok(false);
    }
    let (chunk, rank, _) = find(area, generation, counts, start)?;
    let Some(index) = rank.checked_sub(1) else { return Ok(false) };
    Ok(area.memory.load(area.cell_address(&chunk, index, START))? == start)
}
