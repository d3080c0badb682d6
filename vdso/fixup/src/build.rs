// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Writing the cells of the next generation, each by whichever writer comes first.
//!
//! # Invariants
//!
//! 1. A cell is exchanged only from a content of an earlier generation, seen before. All writers
//!    that get here have the same places and values while the generation that they build is not
//!    committed. When it is, all of these cells have its stamp or a later one. So a writer that is
//!    late sees that stamp, or has seen what is not there any more, and writes nothing, even if its
//!    value was read from a cell that has changed since.

use crate::area::{Area, Row, stamp};
use crate::directory::Chunk;
use crate::error::Error;
use crate::memory::{Memory, Stamped};
use core::mem::size_of;
use liblinux_abi::image::fixup::{COLUMNS, Cell, RANGE_SIZE, ROW_SIZE, fill};

/// Bytes of a cell.
const CELL: u64 = size_of::<Cell>() as u64;

/// A writer of the generation after `generation`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Builder<'a, 'm, M> {
    pub(crate) area: &'a Area<'m, M>,
    pub(crate) generation: u64,
    pub(crate) next: u64,
}

impl<M: Memory> Builder<'_, '_, M> {
    /// Fails if the generation that is in use has changed, and with it all that was read.
    ///
    /// Pairs with the exchange that commits a generation: what was in use before is overwritten
    /// behind that alone.
    #[inline(always)]
    pub(crate) fn still(&self) -> Result<(), Error> {
        if self.area.current()? == self.generation { Ok(()) } else { Err(Error::OVERTAKEN) }
    }

    /// Gives a cell its value. `OVERTAKEN` if the generation is over.
    #[inline(always)]
    pub(crate) fn cell(
        &self,
        target: u64,
        value: impl FnOnce() -> Result<u64, Error>,
    ) -> Result<(), Error> {
        let memory = self.area.memory;
        let generation = memory.load(stamp(target))?;
        if generation >= self.next {
            return if generation == self.next { Ok(()) } else { Err(Error::OVERTAKEN) };
        }
        let seen = Stamped { value: memory.load(target)?, generation };
        let new = Stamped { value: value()?, generation: self.next };
        // If it fails, another writer has made the exchange.
        memory.exchange_cell(target, seen, new)?;
        Ok(())
    }

    /// Copies rows. Returns the place behind the last.
    #[inline(never)]
    pub(crate) fn rows(&self, mut from: u64, mut to: u64, len: u64) -> Result<u64, Error> {
        for _ in 0..len {
            for column in 0..COLUMNS as u64 {
                let source = from.wrapping_add(column * CELL);
                self.cell(to.wrapping_add(column * CELL), || Ok(self.area.memory.load(source)?))?;
            }
            (from, to) = (from.wrapping_add(ROW_SIZE), to.wrapping_add(ROW_SIZE));
        }
        Ok(to)
    }

    /// Writes a row. Returns the place behind it.
    #[inline(always)]
    pub(crate) fn row(&self, to: u64, row: &Row) -> Result<u64, Error> {
        for column in 0..COLUMNS {
            self.cell(to.wrapping_add(column as u64 * CELL), || Ok(row.column(column)))?;
        }
        Ok(to.wrapping_add(ROW_SIZE))
    }

    /// Makes the other side of a chunk the one that is in use, with so many rows.
    #[inline(always)]
    pub(crate) fn turn(&self, chunk: &Chunk, rows: u64) -> Result<(), Error> {
        let fill = fill(rows, chunk.count, chunk.side ^ 1, self.next);
        self.cell(self.area.address.wrapping_add(chunk.place), || Ok(fill))
    }

    /// Copies ranges, with the chunk at `new` for the one at `old`. Returns the place behind the
    /// last.
    #[inline(never)]
    pub(crate) fn ranges(
        &self,
        mut from: u64,
        mut to: u64,
        len: u64,
        old: u64,
        new: u64,
    ) -> Result<u64, Error> {
        for _ in 0..len {
            self.cell(to, || Ok(self.area.memory.load(from)?))?;
            self.cell(to.wrapping_add(CELL), || {
                let chunk = self.area.memory.load(from.wrapping_add(CELL))?;
                Ok(if chunk == old { new } else { chunk })
            })?;
            (from, to) = (from.wrapping_add(RANGE_SIZE), to.wrapping_add(RANGE_SIZE));
        }
        Ok(to)
    }

    /// Writes a range. Returns the place behind it.
    #[inline(never)]
    pub(crate) fn range(&self, to: u64, first: u64, chunk: u64) -> Result<u64, Error> {
        self.cell(to, || Ok(first))?;
        self.cell(to.wrapping_add(CELL), || Ok(chunk))?;
        Ok(to.wrapping_add(RANGE_SIZE))
    }
}
