// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Adding a row to a registry, and removing one: which cells of the next generation get what.
//!
//! A change concerns one chunk, and its neighbour if they are merged. Its rows with the change are
//! written to the side that is not in use. A chunk that is full is split: half of the rows go to
//! the slot behind the last one in use. Two that have become small are merged into the lower of
//! their slots, and the chunk of the last slot moves to the one that is free then, so that slots in
//! use have no gap and none is lost, however writers stop. Small is less than half a chunk for both
//! together. After a split half a chunk of DSOs have to go before its parts are merged, and after a
//! merge as many have to come before it is split, so the directory is written seldom.
//!
//! A range keeps its first address when its first row is removed. The next text that is registered
//! in front may then reach beyond that address: the range begins at its first row again in the same
//! generation, so that a reader need not look into two chunks.
//!
//! Directories of more levels were weighed. One level is enough for the most DSOs that an area may
//! have, since it is written seldom. Chunks without sides, replaced as a whole, would have it
//! written for every change.
//!
//! # Invariants
//!
//! 1. What is written follows from the operation and from what is in use. [`Builder::still`] stands
//!    between what was read to find the places and the first write: so every writer that gets there
//!    has the same places.
//! 2. What is written is not in use: the other side of a chunk, the slot behind the last, the other
//!    side of the directory. So all that is read behind `still` stays until the generation is over.
//! 3. Two neighbours that have less than half of [`CHUNK_ROWS`] together are merged, and so is a
//!    chunk without rows. No other change leaves two neighbours with less: each part of a split has
//!    half a chunk, or is the last one, whose only neighbour has more.

use crate::area::{Area, Row};
use crate::build::Builder;
use crate::directory::{Chunk, Counts};
use crate::error::Error;
use crate::memory::Memory;
use liblinux_abi::image::fixup::{CHUNK_ROWS, RANGE_SIZE, START, chunk_rows, slots};

/// No range, and no place of a chunk.
const NONE: u64 = u64::MAX;

impl Chunk {
    /// Address of a row of the side that is in use.
    #[inline(always)]
    fn row<M: Memory>(&self, area: &Area<'_, M>, index: u64) -> u64 {
        area.cell_address(self, index, START)
    }

    /// Address of the first row of the other side.
    #[inline(always)]
    fn target<M: Memory>(&self, area: &Area<'_, M>) -> u64 {
        let Self { place, side, count } = *self;
        area.cell_address(&Self { place, side: side ^ 1, count }, 0, START)
    }
}

/// Writes the next generation with one row more. Returns its counts.
#[inline(never)]
pub(crate) fn add<M: Memory>(builder: &Builder<'_, '_, M>, row: &Row) -> Result<Counts, Error> {
    let Builder { area, generation, .. } = *builder;
    let counts = area.counts(generation)?;
    if counts.rows() == area.capacity {
        builder.still()?;
        return Ok(counts);
    }
    let (chunks, range) = (counts.chunks(), area.range(counts, row.text_start)?);
    let chunk = area.chunk(generation, counts, range)?;
    let at = area.rank_in(&chunk, row.text_start)?;
    let is_last = range + 1 == chunks;
    let mut key = None;
    if !is_last && row.end() > area.memory.load(area.first_address(counts.side(), range + 1))? {
        let next = area.chunk(generation, counts, range + 1)?;
        key = Some(area.memory.load(next.row(area, 0))?);
    }
    let (mut cut, mut second) = (chunk.count + 1, chunk);
    let is_split = cut > chunk_rows(area.capacity);
    if is_split {
        if chunks == slots(area.capacity) {
            return Err(Error::INVALID);
        }
        second = area.chunk_in(generation, area.slot(chunks))?;
        // Where texts are registered in the order of their addresses, the first part gets no more
        // of them.
        cut = if is_last && at == chunk.count { cut - cut / 4 } else { cut / 2 };
    }
    builder.still()?;

    let mut place = chunk.target(area);
    if at < cut {
        place = builder.rows(chunk.row(area, 0), place, at)?;
        place = builder.row(place, row)?;
        builder.rows(chunk.row(area, at), place, cut - 1 - at)?;
        if is_split {
            let rest = chunk.count - (cut - 1);
            builder.rows(chunk.row(area, cut - 1), second.target(area), rest)?;
        }
    } else {
        builder.rows(chunk.row(area, 0), place, cut)?;
        place = builder.rows(chunk.row(area, cut), second.target(area), at - cut)?;
        place = builder.row(place, row)?;
        builder.rows(chunk.row(area, at), place, chunk.count - at)?;
    }
    builder.turn(&chunk, cut)?;
    if is_split {
        builder.turn(&second, chunk.count + 1 - cut)?;
    }
    if !is_split && key.is_none() {
        return Ok(Counts::new(counts.rows() + 1, chunks, counts.side()));
    }

    let side = counts.side();
    let mut source = area.first_address(side, 0);
    let mut place = area.first_address(side ^ 1, 0);
    let mut left = chunks - (range + 1);
    place = builder.ranges(source, place, range + 1, NONE, NONE)?;
    source = source.wrapping_add((range + 1) * RANGE_SIZE);
    if is_split {
        // Of the first row of the second part, which is new or was at one of two places.
        let first = match cut.checked_sub(at) {
            Some(0) => row.text_start,
            Some(_) => area.memory.load(chunk.row(area, cut - 1))?,
            None => area.memory.load(chunk.row(area, cut))?,
        };
        place = builder.range(place, first, second.place)?;
    }
    if let Some(key) = key {
        let next = area.memory.load(area.chunk_address(side, range + 1))?;
        place = builder.range(place, key, next)?;
        source = source.wrapping_add(RANGE_SIZE);
        left -= 1;
    }
    builder.ranges(source, place, left, NONE, NONE)?;
    Ok(Counts::new(counts.rows() + 1, chunks + u64::from(is_split), side ^ 1))
}

/// Writes the next generation without the row of the text that starts at an address. Returns its
/// counts.
#[inline(never)]
pub(crate) fn remove<M: Memory>(builder: &Builder<'_, '_, M>, start: u64) -> Result<Counts, Error> {
    let Builder { area, generation, .. } = *builder;
    let counts = area.counts(generation)?;
    let (chunks, range) = (counts.chunks(), area.range(counts, start)?);
    let chunk = area.chunk(generation, counts, range)?;
    let at = area.rank_in(&chunk, start)?.wrapping_sub(1);
    if at == NONE || area.memory.load(chunk.row(area, at))? != start {
        builder.still()?;
        return Ok(counts);
    }
    let left = chunk.count - 1;
    let is_small = |other: &Chunk| left == 0 || left + other.count < CHUNK_ROWS / 2;
    // The chunk with which it is merged, and the first of both ranges.
    let (mut other, mut merged) = (chunk, NONE);
    if range > 0 {
        other = area.chunk(generation, counts, range - 1)?;
        merged = if is_small(&other) { range - 1 } else { NONE };
    }
    if merged == NONE && range + 1 < chunks {
        other = area.chunk(generation, counts, range + 1)?;
        merged = if is_small(&other) { range } else { NONE };
    }
    let is_merged = merged != NONE;
    let (kept, freed) =
        if is_merged && other.place < chunk.place { (other, chunk) } else { (chunk, other) };
    let last = area.slot(chunks - 1);
    let moved =
        if is_merged && freed.place != last { area.chunk_in(generation, last)? } else { freed };
    builder.still()?;

    let mut place = kept.target(area);
    if is_merged && merged < range {
        place = builder.rows(other.row(area, 0), place, other.count)?;
    }
    place = builder.rows(chunk.row(area, 0), place, at)?;
    place = builder.rows(chunk.row(area, at + 1), place, left - at)?;
    if merged == range {
        builder.rows(other.row(area, 0), place, other.count)?;
    }
    let rows = counts.rows().saturating_sub(1);
    if !is_merged {
        builder.turn(&kept, left)?;
        return Ok(Counts::new(rows, chunks, counts.side()));
    }
    builder.turn(&kept, left + other.count)?;
    if freed.place != last {
        builder.rows(moved.row(area, 0), freed.target(area), moved.count)?;
        builder.turn(&freed, moved.count)?;
    }

    let side = counts.side();
    let source = area.first_address(side, 0);
    let mut place = area.first_address(side ^ 1, 0);
    place = builder.ranges(source, place, merged, last, freed.place)?;
    let first = area.memory.load(area.first_address(side, merged))?;
    place = builder.range(place, first, kept.place)?;
    let source = area.first_address(side, merged + 2);
    builder.ranges(source, place, chunks - (merged + 2), last, freed.place)?;
    Ok(Counts::new(rows, chunks - 1, side ^ 1))
}
