// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Where the registry is: making an area, and moving to a larger one.
//!
//! # Invariants
//!
//! 1. Plain stores are made only to memory that no other thread knows as an area yet.
//! 2. A registry keeps its chunks and ranges when it moves, in the order of their addresses: a
//!    larger area has room for as many.

use crate::area::{Area, check_place, stamp};
use crate::directory::{Chunk, Counts};
use crate::error::Error;
use crate::generation::{Operation, Outcome, perform};
use crate::kernel::Kernel;
use crate::memory::{Fault, Memory};
use crate::registry::{hand_over, settle};
use core::mem::offset_of;
use liblinux_abi::image::fixup::{
    Area as Header, COLUMNS, FIRST_GENERATION, MAGIC, START, USER_END, area_capacity, area_size,
    fill,
};

/// Makes an empty area that has room for `capacity` DSOs.
#[inline]
pub fn init<M: Memory>(memory: &M, address: u64, size: u64, capacity: u64) -> Result<(), Error> {
    let needed = area_size(capacity).ok_or(Error::INVALID)?;
    check_range(address, size, needed)?;
    let area = Area { memory, address, capacity };
    erase(&area)?;
    direct(&area, 0, 0, 0)?;
    publish(&area, Counts::new(0, 1, 0))?;
    Ok(())
}

/// Moves the registry to new memory, which no other thread knows yet.
///
/// `INVALID` if that has room for fewer DSOs, or is part of the old area. `EXISTS` if the registry
/// has left the old area already, for one with as much room or more: so writers that find the same
/// area full and grow it at the same time move it once, and use up one of the moves that callers of
/// the old area are led on by.
#[inline]
pub fn grow<M: Memory + Kernel>(memory: &M, old: u64, new: u64, size: u64) -> Result<(), Error> {
    let capacity = area_capacity(size);
    check_range(new, size, area_size(capacity).ok_or(Error::INVALID)?)?;
    let target = Area { memory, address: new, capacity };
    let mut place = old;
    loop {
        let settled = settle(memory, &mut place)?;
        let (source, generation) = (&settled.area, settled.generation);
        if source.address == new {
            // Moved already, by a call that ended before it returned.
            return if place == old { Err(Error::INVALID) } else { Ok(()) };
        }
        if place != old && capacity <= source.capacity {
            return Err(Error::EXISTS);
        }
        let is_apart = source.address.wrapping_add(source.size()) <= new
            || new.wrapping_add(target.size()) <= source.address;
        if capacity < source.capacity || !is_apart {
            return Err(Error::INVALID);
        }
        erase(&target)?;
        let copied =
            source.counts(generation).and_then(|counts| copy(source, generation, counts, &target));
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

/// Copies a generation into an area that no other thread knows. Returns how much there is.
#[inline]
fn copy<M: Memory>(
    source: &Area<'_, M>,
    generation: u64,
    counts: Counts,
    target: &Area<'_, M>,
) -> Result<Counts, Error> {
    for index in 0..counts.chunks() {
        let first = source.memory.load(source.first_address(counts.side(), index))?;
        let chunk = source.chunk(generation, counts, index)?;
        let copied = Chunk { place: target.slot(index), side: 0, count: 0 };
        for row in 0..chunk.count {
            for column in START..COLUMNS {
                let from = source.cell_address(&chunk, row, column);
                let value = source.memory.load(from)?;
                put(target, target.cell_address(&copied, row, column), value)?;
            }
        }
        direct(target, index, first, chunk.count)?;
    }
    Ok(Counts::new(counts.rows(), counts.chunks(), 0))
}

/// Gives a range its chunk, which has as many rows.
#[inline(always)]
fn direct<M: Memory>(area: &Area<'_, M>, index: u64, first: u64, rows: u64) -> Result<(), Fault> {
    put(area, area.first_address(0, index), first)?;
    let chunk = area.slot(index);
    put(area, area.chunk_address(0, index), chunk)?;
    put(area, area.address.wrapping_add(chunk), fill(rows, 0, 0, FIRST_GENERATION))
}

/// Makes an area of memory that was erased, and in which there is as much.
#[inline]
fn publish<M: Memory>(area: &Area<'_, M>, counts: Counts) -> Result<(), Fault> {
    let field = |offset: usize| area.address.wrapping_add(offset as u64);
    put(area, area.counts_address(FIRST_GENERATION), counts.0)?;
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
