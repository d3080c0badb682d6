// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Where the rows of a generation are: the directory, the chunks, and the search for an address.
//!
//! # Invariants
//!
//! 1. All numbers that lead to an address are checked when they are read: numbers of chunks and
//!    rows against what the area has room for, places of chunks against the first and the last one.
//! 2. How full a chunk is tells which side is in use at a generation, and which was written for the
//!    next one already. So all who look while `current` does not change see the same side.

use crate::area::{Area, Row};
use crate::error::Error;
use crate::memory::{Fault, Memory};
use core::mem::size_of;
use liblinux_abi::image::fixup::{
    self, CHUNK_SIZE, CHUNKS_SHIFT, Cell, FILL_SHIFT, FILL_SIDE_SHIFT, FILL_STAMP_SHIFT,
    FINGERPRINT, RANGE_SIZE, ROW_SIZE, SIDE_SHIFT, SIZES, START, TABLE, chunk_rows, counts, range,
    row, slots,
};

/// Bytes of a cell.
const CELL: u64 = size_of::<Cell>() as u64;

/// How much there is in a generation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Counts(pub u64);

impl Counts {
    /// DSOs and chunks, and the side of the directory.
    #[inline(always)]
    pub const fn new(rows: u64, chunks: u64, side: u64) -> Self {
        Self(counts(rows, chunks, side))
    }

    /// DSOs.
    #[inline(always)]
    pub const fn rows(self) -> u64 {
        self.0 & ((1 << CHUNKS_SHIFT) - 1)
    }

    /// Chunks.
    #[inline(always)]
    pub const fn chunks(self) -> u64 {
        (self.0 & ((1 << SIDE_SHIFT) - 1)) >> CHUNKS_SHIFT
    }

    /// The side of the directory that is in use.
    #[inline(always)]
    pub const fn side(self) -> u64 {
        self.0 >> SIDE_SHIFT
    }
}

/// A chunk at a generation.
#[derive(Clone, Copy, Debug)]
pub struct Chunk {
    /// Where it is, from the start of the area.
    pub place: u64,
    /// The side that is in use.
    pub side: u64,
    /// How many rows that has.
    pub count: u64,
}

/// A place among the rows: of which range, and how far in it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cursor {
    range: u64,
    row: u64,
}

impl<M: Memory> Area<'_, M> {
    /// How much there is in a generation; `INVALID` if there is no room for it.
    #[inline(always)]
    pub fn counts(&self, generation: u64) -> Result<Counts, Error> {
        let counts = Counts(self.memory.load(self.counts_address(generation))?);
        let is_chunked = counts.chunks().wrapping_sub(1) < slots(self.capacity);
        if counts.rows() > self.capacity || !is_chunked {
            return Err(Error::INVALID);
        }
        Ok(counts)
    }

    /// Address of the first address of a range.
    #[inline(always)]
    pub fn first_address(&self, side: u64, index: u64) -> u64 {
        self.address.wrapping_add(range(index, side))
    }

    /// Address of the place of a range's chunk.
    #[inline(always)]
    pub fn chunk_address(&self, side: u64, index: u64) -> u64 {
        self.first_address(side, index).wrapping_add(CELL)
    }

    /// The place of a chunk, by its number.
    #[inline(always)]
    pub fn slot(&self, slot: u64) -> u64 {
        fixup::chunk(self.capacity, slot)
    }

    /// Address of a cell of a row, of the side that is in use.
    #[inline(always)]
    pub fn cell_address(&self, chunk: &Chunk, index: u64, column: usize) -> u64 {
        let offset = row(chunk.side, index) + column as u64 * CELL;
        self.address.wrapping_add(chunk.place + offset)
    }

    /// The range that has an address.
    #[inline(always)]
    pub fn range(&self, counts: Counts, address: u64) -> Result<u64, Fault> {
        // The first one begins at 0, whatever it says.
        self.rank(self.first_address(counts.side(), 1), RANGE_SIZE, counts.chunks() - 1, address)
    }

    /// The chunk of a range.
    #[inline(always)]
    pub fn chunk(&self, generation: u64, counts: Counts, index: u64) -> Result<Chunk, Error> {
        let place = self.memory.load(self.chunk_address(counts.side(), index))?;
        self.chunk_at(generation, place)
    }

    /// The chunk at a place that a directory says.
    #[inline(always)]
    fn chunk_at(&self, generation: u64, place: u64) -> Result<Chunk, Error> {
        if place.wrapping_sub(self.slot(0)) > (slots(self.capacity) - 1) * CHUNK_SIZE {
            return Err(Error::INVALID);
        }
        self.chunk_in(generation, place)
    }

    /// The chunk at a place that this area has.
    #[inline(always)]
    pub fn chunk_in(&self, generation: u64, place: u64) -> Result<Chunk, Error> {
        let fill = self.memory.load(self.address.wrapping_add(place))?;
        let (mut side, mut count) = (fill >> FILL_SIDE_SHIFT & 1, fill);
        if fill >> FILL_STAMP_SHIFT == generation.wrapping_add(1) {
            (side, count) = (side ^ 1, fill >> FILL_SHIFT);
        }
        let count = count & ((1 << FILL_SHIFT) - 1);
        if count > chunk_rows(self.capacity) {
            return Err(Error::INVALID);
        }
        Ok(Chunk { place, side, count })
    }

    /// How many texts of a chunk start at `address` or below.
    #[inline(always)]
    pub fn rank_in(&self, chunk: &Chunk, address: u64) -> Result<u64, Fault> {
        let column = self.cell_address(chunk, 0, START);
        self.rank(column, ROW_SIZE, chunk.count, address)
    }

    /// A row of a chunk.
    #[inline(always)]
    pub fn row(&self, chunk: &Chunk, index: u64) -> Result<Row, Fault> {
        let first = self.cell_address(chunk, index, START);
        let value = |column: usize| self.memory.load(first.wrapping_add(column as u64 * CELL));
        Ok(Row {
            text_start: value(START)?,
            table: value(TABLE)?,
            sizes: value(SIZES)?,
            fingerprint: value(FINGERPRINT)?,
        })
    }

    /// The row at a place, and all others after it, one after the other; none behind the last.
    #[inline(always)]
    pub fn next(
        &self,
        generation: u64,
        counts: Counts,
        cursor: &mut Cursor,
    ) -> Result<Option<Row>, Error> {
        loop {
            let chunk = chunk(self, generation, counts, cursor.range)?;
            if cursor.row < chunk.count {
                cursor.row += 1;
                return Ok(Some(self.row(&chunk, cursor.row - 1)?));
            }
            let range = cursor.range + 1;
            if range == counts.chunks() {
                return Ok(None);
            }
            *cursor = Cursor { range, row: 0 };
        }
    }

    /// How many of `count` ascending values, `stride` bytes apart, are `address` or below.
    ///
    /// The search branches on what it finds. Choosing without a branch was tried: it saves
    /// mispredicted branches where the cells are in the nearest cache and addresses come at random,
    /// and takes twice as long everywhere else, because each probe then waits for the one before,
    /// while a predicted branch lets many be under way.
    #[inline(always)]
    fn rank(&self, values: u64, stride: u64, count: u64, address: u64) -> Result<u64, Fault> {
        // The address of the next value that may be above, not its number: less lies between two
        // probes.
        let (mut next, mut left) = (values, count);
        while left > 0 {
            let above = next.wrapping_add((left - left / 2) * stride);
            let value = self.memory.load(above.wrapping_sub(stride))?;
            if value <= address {
                next = above;
            }
            left /= 2;
        }
        Ok(next.wrapping_sub(values) / stride)
    }
}

/// [`Area::chunk`], once for all who do not hurry.
#[inline(never)]
pub(crate) fn chunk<M: Memory>(
    area: &Area<'_, M>,
    generation: u64,
    counts: Counts,
    index: u64,
) -> Result<Chunk, Error> {
    area.chunk(generation, counts, index)
}
