// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Making the next generation: an operation that was proposed is carried out by every writer that
//! comes across it.
//!
//! # Invariants
//!
//! 1. The content of generation `g + 1` is a function of the operation's cells of generation `g +
//!    1` and of the buffer of `g`. None of them changes before `g + 1` is committed, so every
//!    writer that builds it writes the same values.
//! 2. A cell of the new buffer is exchanged from what was seen before its source was read. Had the
//!    source changed by then, `g + 1` would have been committed, and so the cell have its
//!    generation: either it was seen, or the exchange fails.
//! 3. A generation is committed only when each of its cells has been seen to be of it.

use crate::area::{Area, Row, stamp};
use crate::error::Error;
use crate::memory::{Fault, Memory, Stamped};
use liblinux_abi::image::fixup::{
    ABORT, COLUMNS, FINGERPRINT, KIND_SHIFT, MOVE, REGISTER, SIZES, START, TABLE, UNREGISTER,
};

/// How often a helping writer pauses before it takes a proposer for dead. If the proposer was
/// merely interrupted, both of them lose a generation.
const PATIENCE: u32 = 64;

/// The cells of an operation but the first, which is proposed before them.
const REST: [usize; 3] = [TABLE, SIZES, FINGERPRINT];

/// A change of a registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operation {
    /// Adds a row.
    Register(Row),
    /// Removes the row of the text that starts here.
    Unregister(u64),
    /// Seals the area: the registry continues at this address.
    Move(u64),
}

/// The outcome of a proposal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was carried out.
    Done,
    /// It was not, and the registry may be another by now.
    Lost,
}

/// A new buffer, by the differences to the old one.
#[derive(Clone, Copy, Debug)]
struct Plan {
    /// How many rows it has.
    count: u64,
    /// The first row that differs.
    at: u64,
    /// Where the rows from `at` on come from, relative to their place; `at` itself is new if that
    /// is -1.
    shift: i64,
    /// The new row.
    row: Row,
}

impl Operation {
    /// Its first cell's value.
    #[inline(always)]
    const fn first(&self) -> u64 {
        match self {
            Self::Register(row) => row.text_start | REGISTER << KIND_SHIFT,
            Self::Unregister(start) => *start | UNREGISTER << KIND_SHIFT,
            Self::Move(area) => *area | MOVE << KIND_SHIFT,
        }
    }
}

/// Proposes an operation for the generation after `generation`, which the caller looked at to
/// decide on it, and carries it out. `seen` is what the operation's first cell was before the
/// caller looked.
#[inline]
pub fn perform<M: Memory>(
    area: &Area<'_, M>,
    generation: u64,
    seen: Stamped,
    operation: &Operation,
) -> Result<Outcome, Error> {
    let next = generation.wrapping_add(1);
    let first = Stamped { value: operation.first(), generation: next };
    // Decides the operation. Pairs with the load of this cell by helping writers. `generation` is
    // still the current one: the next one could not have been committed without an exchange of this
    // cell.
    if !area.memory.exchange_cell(area.operation_address(START), seen, first)? {
        return Ok(Outcome::Lost);
    }
    match operation {
        Operation::Move(_) => return Ok(Outcome::Done),
        Operation::Unregister(_) => {}
        Operation::Register(row) => {
            for column in REST {
                let value = row.column(column);
                if !fill(area, next, column, value)? {
                    complete(area, generation)?;
                    return Ok(Outcome::Lost);
                }
            }
        }
    }
    complete(area, generation)?;
    Ok(Outcome::Done)
}

/// Gives a cell of the operation a value for generation `next`; false if it has one, or the
/// generation is over.
#[inline(always)]
fn fill<M: Memory>(
    area: &Area<'_, M>,
    next: u64,
    column: usize,
    value: u64,
) -> Result<bool, Error> {
    let address = area.operation_address(column);
    let Some(seen) = area.cell(address)? else { return Ok(false) };
    if seen.generation >= next {
        return Ok(false);
    }
    Ok(area.memory.exchange_cell(address, seen, Stamped { value, generation: next })?)
}

/// Carries out the operation that is pending at `generation`, however far others have come with it.
/// Afterwards the generation is over, unless the area is sealed.
#[inline]
pub fn complete<M: Memory>(area: &Area<'_, M>, generation: u64) -> Result<(), Error> {
    let next = generation.wrapping_add(1);
    let Some(plan) = plan(area, generation)? else { return overtaken(area, generation) };
    for row in 0..plan.count {
        for column in 0..COLUMNS {
            let target = area.cell_address(next, column, row);
            let seen = area.memory.load(stamp(target))?;
            if seen == next {
                continue;
            }
            if seen > next {
                return overtaken(area, generation);
            }
            let seen = Stamped { value: area.memory.load(target)?, generation: seen };
            let value = if row < plan.at {
                area.memory.load(area.cell_address(generation, column, row))?
            } else if row == plan.at && plan.shift < 0 {
                plan.row.column(column)
            } else {
                let source = row.wrapping_add_signed(plan.shift);
                area.memory.load(area.cell_address(generation, column, source))?
            };
            // If it fails, another writer has made the exchange.
            area.memory.exchange_cell(target, seen, Stamped { value, generation: next })?;
        }
    }
    let counts = area.count_address(next);
    let seen = area.memory.load(stamp(counts))?;
    if seen > next {
        return overtaken(area, generation);
    }
    if seen < next {
        let seen = Stamped { value: area.memory.load(counts)?, generation: seen };
        area.memory.exchange_cell(counts, seen, Stamped { value: plan.count, generation: next })?;
    }
    // Commits. Pairs with the reader's loads of `current`: all cells above were exchanged before.
    area.memory.exchange(area.current_address(), generation, next)?;
    Ok(())
}

/// The new buffer; none if the generation is over.
#[inline(always)]
fn plan<M: Memory>(area: &Area<'_, M>, generation: u64) -> Result<Option<Plan>, Error> {
    let next = generation.wrapping_add(1);
    let Some(first) = area.cell(area.operation_address(START))? else { return Ok(None) };
    if first.generation != next {
        return Ok(None);
    }
    let start = first.value & ((1 << KIND_SHIFT) - 1);
    let mut row = Row { text_start: start, table: 0, sizes: 0, fingerprint: 0 };
    let (mut is_addition, mut is_aborted) = (false, false);
    match first.value >> KIND_SHIFT {
        REGISTER => {
            is_addition = true;
            for column in REST {
                match decided(area, next, column)? {
                    None => return Ok(None),
                    // Its proposer will not get past this cell.
                    Some(ABORT) => {
                        is_aborted = true;
                        break;
                    }
                    Some(value) => row.set_column(column, value),
                }
            }
        }
        UNREGISTER => {}
        _ => return Err(Error::INVALID),
    }
    let count = match area.count(generation) {
        Err(Error::INVALID) => return Ok(None),
        count => count?,
    };
    let nothing = Plan { count, at: count, shift: 0, row };
    if is_aborted || (is_addition && count == area.capacity) {
        return Ok(Some(nothing));
    }
    let rank = rank(area, generation, count, start)?;
    if is_addition {
        return Ok(Some(Plan { count: count + 1, at: rank, shift: -1, row }));
    }
    if rank == 0 || area.memory.load(area.cell_address(generation, START, rank - 1))? != start {
        return Ok(Some(nothing));
    }
    Ok(Some(Plan { count: count - 1, at: rank - 1, shift: 1, row }))
}

/// The value of a cell of the operation. If there is none after a while, its proposer is taken for
/// dead, and the value is [`ABORT`]. None if the generation is over.
#[inline(always)]
fn decided<M: Memory>(area: &Area<'_, M>, next: u64, column: usize) -> Result<Option<u64>, Error> {
    let address = area.operation_address(column);
    let mut patience = PATIENCE;
    loop {
        let Some(seen) = area.cell(address)? else { continue };
        if seen.generation == next {
            return Ok(Some(seen.value));
        }
        if seen.generation > next {
            return Ok(None);
        }
        if patience > 0 {
            patience -= 1;
            area.memory.pause();
            continue;
        }
        // If it fails, the cell was filled meanwhile.
        let abort = Stamped { value: ABORT, generation: next };
        if area.memory.exchange_cell(address, seen, abort)? {
            return Ok(Some(ABORT));
        }
        // The cell has changed, and so is not of an earlier generation any more.
        let seen = area.memory.load(stamp(address))?;
        if seen < next {
            return Err(Error::INVALID);
        }
    }
}

/// [`Area::rank`], once for all writers.
#[inline(never)]
pub(crate) fn rank<M: Memory>(
    area: &Area<'_, M>,
    generation: u64,
    count: u64,
    address: u64,
) -> Result<u64, Fault> {
    area.rank(generation, count, address)
}

/// The answer to finding that a generation is over: there is nothing more to do. `INVALID` if it is
/// not over, so that no caller loops for ever on an area that no writer has left like this.
#[inline]
fn overtaken<M: Memory>(area: &Area<'_, M>, generation: u64) -> Result<(), Error> {
    if area.current()? == generation { Err(Error::INVALID) } else { Ok(()) }
}
