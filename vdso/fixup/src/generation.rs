// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Making the next generation: an operation that was proposed is carried out by every writer that
//! comes across it.
//!
//! # Invariants
//!
//! 1. The content of generation `g + 1` is a function of the operation's cells of generation `g +
//!    1` and of what is in use at `g`. None of them changes before `g + 1` is committed, so every
//!    writer that builds it writes the same values. A writer that was overtaken while it looked
//!    finds another committed generation behind that, and writes nothing.
//! 2. A cell is exchanged from what was seen before its source was read. Had the source changed by
//!    then, `g + 1` would have been committed, and so the cell have its generation: either it was
//!    seen, or the exchange fails.
//! 3. A generation is committed only when each of its cells has been seen to be of it.

use crate::area::{Area, Row, stamp};
use crate::build::Builder;
use crate::change;
use crate::directory::Counts;
use crate::error::Error;
use crate::memory::{Memory, Stamped};
use liblinux_abi::image::fixup::{
    ABORT, FINGERPRINT, KIND_SHIFT, MOVE, REGISTER, SIZES, START, TABLE, UNREGISTER,
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
///
/// `INVALID` for an area that no writer has left like this.
#[inline(never)]
pub fn complete<M: Memory>(area: &Area<'_, M>, generation: u64) -> Result<(), Error> {
    let builder = Builder { area, generation, next: generation.wrapping_add(1) };
    let built = build(&builder).and_then(|counts| {
        builder.cell(area.counts_address(builder.next), || Ok(counts.0))?;
        // Commits. Pairs with the reader's loads of `current`: all cells were exchanged before.
        area.memory.exchange(area.current_address(), generation, builder.next)?;
        Ok(())
    });
    match built {
        Ok(()) => Ok(()),
        // Anything may have been found then, and there is nothing more to do.
        Err(_) if area.current()? != generation => Ok(()),
        Err(Error::OVERTAKEN) => Err(Error::INVALID),
        Err(error) => Err(error),
    }
}

/// Writes the next generation, but for its counts, which this returns.
#[inline(always)]
fn build<M: Memory>(builder: &Builder<'_, '_, M>) -> Result<Counts, Error> {
    let Builder { area, generation, next } = *builder;
    let Some(first) = area.cell(area.operation_address(START))? else {
        return Err(Error::OVERTAKEN);
    };
    if first.generation != next {
        return Err(Error::OVERTAKEN);
    }
    let start = first.value & ((1 << KIND_SHIFT) - 1);
    match first.value >> KIND_SHIFT {
        REGISTER => {}
        UNREGISTER => return change::remove(builder, start),
        _ => return Err(Error::INVALID),
    }
    let mut row = Row { text_start: start, table: 0, sizes: 0, fingerprint: 0 };
    for column in REST {
        match decided(area, next, column)? {
            None => return Err(Error::OVERTAKEN),
            // Its proposer will not get past this cell.
            Some(ABORT) => {
                let counts = area.counts(generation)?;
                builder.still()?;
                return Ok(counts);
            }
            Some(value) => row.set_column(column, value),
        }
    }
    change::add(builder, &row)
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
