// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Changing the registry: making an area, adding and removing DSOs, moving to a larger area.
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

use crate::area::{Area, Row, check_place, stamp};
use crate::error::Error;
use crate::generation::{Operation, Outcome, complete, perform, rank};
use crate::kernel::Kernel;
use crate::memory::{Fault, Memory, Stamped, fingerprint};
use crate::table;
use core::mem::offset_of;
use liblinux_abi::image::fixup::{
    ABORT, Area as Header, COLUMNS, DSO_SIZE, Dso, Entry, FIRST_GENERATION, HEADER_SIZE,
    KIND_SHIFT, MAGIC, MAX_CAPACITY, MOVE, SEALS, START, USER_END, area_size, sizes,
};
use liblinux_abi::image::layout::PAGE_SIZE;

/// Bytes of a page.
pub(crate) const PAGE: u64 = PAGE_SIZE as u64;

/// An area where no operation is pending.
pub(crate) struct Settled<'m, M> {
    pub(crate) area: Area<'m, M>,
    pub(crate) generation: u64,
    /// The operation's first cell.
    seen: Stamped,
}

/// Makes an empty area that has room for `capacity` DSOs.
#[inline]
pub fn init<M: Memory>(memory: &M, address: u64, size: u64, capacity: u64) -> Result<(), Error> {
    let needed = area_size(capacity).ok_or(Error::INVALID)?;
    check_range(address, size, needed)?;
    let area = Area { memory, address, capacity };
    erase(&area)?;
    publish(&area, 0)?;
    Ok(())
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
        let count = area.count(generation);
        let obstacle = count.and_then(|count| obstacle(area, generation, count, &row));
        if area.current()? != generation {
            continue;
        }
        let stale = obstacle?;
        let operation = match stale {
            Some(start) => Operation::Unregister(start),
            None if count? == area.capacity => return Err(Error::FULL),
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
            area.count(generation).and_then(|count| has(area, generation, count, text_start));
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

/// Moves the registry to new memory, which no other thread knows yet.
///
/// `INVALID` if that has room for fewer DSOs, or is part of the old area.
#[inline]
pub fn grow<M: Memory + Kernel>(memory: &M, old: u64, new: u64, size: u64) -> Result<(), Error> {
    check_range(new, size, HEADER_SIZE + DSO_SIZE)?;
    let capacity = ((size - HEADER_SIZE) / DSO_SIZE).min(MAX_CAPACITY);
    let target = Area { memory, address: new, capacity };
    let mut place = old;
    loop {
        let settled = settle(memory, &mut place)?;
        let (source, generation) = (&settled.area, settled.generation);
        if source.address == new {
            // Moved already, by a call that ended before it returned.
            return if place == old { Err(Error::INVALID) } else { Ok(()) };
        }
        let is_apart = source.address.wrapping_add(source.size()) <= new
            || new.wrapping_add(target.size()) <= source.address;
        if capacity < source.capacity || !is_apart {
            return Err(Error::INVALID);
        }
        erase(&target)?;
        let copied =
            source.count(generation).and_then(|count| copy(source, generation, count, &target));
        if source.current()? != generation {
            continue;
        }
        publish(&target, copied?)?;
        if perform(source, generation, settled.seen, &Operation::Move(new))? == Outcome::Done {
            hand_over(source.address, &target);
            return Ok(());
        }
    }
}

/// Whether a registry that takes `needed` bytes can be in this memory.
#[inline(always)]
fn check_range(address: u64, size: u64, needed: u64) -> Result<(), Error> {
    check_place(address)?;
    if size < needed || size > USER_END - address {
        return Err(Error::INVALID);
    }
    Ok(())
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
fn hand_over<M: Memory + Kernel>(old: u64, new: &Area<'_, M>) {
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
    count: u64,
    new: &Row,
) -> Result<Option<u64>, Error> {
    let start = new.text_start;
    let last = start + (new.text_len() - 1);
    // Texts are disjoint, so if any reaches into the new one, or is in front of it in its first
    // page, then this does. Others that do are found when it is gone.
    let before = nearest(area, generation, count, last)?;
    // The same for those behind it in its last page.
    let behind = nearest(area, generation, count, last | (PAGE - 1))?;
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
        Some(start) if !has(area, generation, count, start)? => Err(Error::INVALID),
        _ => Ok(stale),
    }
}

/// The last of the texts that start at `address` or below.
#[inline(always)]
fn nearest<M: Memory>(
    area: &Area<'_, M>,
    generation: u64,
    count: u64,
    address: u64,
) -> Result<Option<Row>, Error> {
    match rank(area, generation, count, address)? {
        0 => Ok(None),
        rank => Ok(Some(area.row(generation, rank - 1)?)),
    }
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
    count: u64,
    start: u64,
) -> Result<bool, Error> {
    if start >= USER_END {
        return Ok(false);
    }
    let rank = rank(area, generation, count, start)?;
    Ok(rank > 0 && area.memory.load(area.cell_address(generation, START, rank - 1))? == start)
}

/// Makes everything zero, which is not an area.
#[inline]
fn erase<M: Memory>(area: &Area<'_, M>) -> Result<(), Fault> {
    let mut address = area.address;
    for _ in 0..area.size() / 8 {
        // Memory that was never touched stays untouched: a large area costs no memory before it is
        // used.
        if area.memory.load(address)? != 0 {
            area.memory.store(address, 0)?;
        }
        address += 8;
    }
    Ok(())
}

/// Copies a generation into the first buffer of an area that no other thread knows. Returns the
/// number of rows.
#[inline]
fn copy<M: Memory>(
    source: &Area<'_, M>,
    generation: u64,
    count: u64,
    target: &Area<'_, M>,
) -> Result<u64, Error> {
    for row in 0..count {
        for column in 0..COLUMNS {
            let value = source.memory.load(source.cell_address(generation, column, row))?;
            put(target, target.cell_address(FIRST_GENERATION, column, row), value)?;
        }
    }
    Ok(count)
}

/// Makes an area of memory that was erased, and of which the first buffer has `count` rows.
#[inline]
fn publish<M: Memory>(area: &Area<'_, M>, count: u64) -> Result<(), Fault> {
    let field = |offset: usize| area.address.wrapping_add(offset as u64);
    put(area, area.count_address(FIRST_GENERATION), count)?;
    area.memory.store(field(offset_of!(Header, capacity)), area.capacity)?;
    area.memory.store(area.current_address(), FIRST_GENERATION)?;
    area.memory.store(field(offset_of!(Header, magic)), MAGIC)
}

/// Stores a cell of the first generation.
#[inline(always)]
fn put<M: Memory>(area: &Area<'_, M>, address: u64, value: u64) -> Result<(), Fault> {
    area.memory.store(address, value)?;
    area.memory.store(stamp(address), FIRST_GENERATION)
}
