// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Reading the registry in user space, as the kernel does for an address.
//!
//! The kernel patch follows the same steps with accesses of its own, and differs in one: it
//! recognises a replaced text by the mark on the mapping, and a lookup by the
//! [`fingerprint`].
//!
//! # Invariants
//!
//! 1. At most [`SEALS`] areas are visited, in each at most [`TRIES`] times, and a visit is one
//!    search: of 14 ranges, 6 rows and 32 entries at most.
//! 2. An answer belongs to one generation: `current` was the same before the first row was read and
//!    after the last.

use crate::area::{Area, Row};
use crate::directory::Counts;
use crate::error::Error;
use crate::memory::{Memory, fingerprint};
use crate::table;
use liblinux_abi::image::fixup::{Hit, SEALS, TRIES};

/// The outcome of one visit of an area.
enum Visit {
    /// There is a fixup.
    Hit(Hit),
    /// There is none.
    Miss,
    /// A writer was at work meanwhile.
    Overtaken,
    /// The registry is in another area now.
    Moved(u64),
}

/// Finds the fixup for an address.
///
/// `ABSENT` if there is none, `OVERTAKEN` if writers did not leave the time to look, `INVALID` if
/// it is not an area, or not well formed, `FAULT` if it is not accessible.
#[inline]
pub fn lookup<M: Memory>(memory: &M, area: u64, address: u64) -> Result<Hit, Error> {
    let mut place = area;
    for _ in 0..SEALS + 1 {
        let area = Area::open(memory, place)?;
        let mut tries = TRIES;
        loop {
            match visit(&area, address)? {
                Visit::Hit(hit) => return Ok(hit),
                Visit::Miss => return Err(Error::ABSENT),
                Visit::Moved(target) => {
                    place = target;
                    break;
                }
                Visit::Overtaken if tries == 1 => return Err(Error::OVERTAKEN),
                Visit::Overtaken => tries -= 1,
            }
        }
    }
    Err(Error::INVALID)
}

#[inline(always)]
fn visit<M: Memory>(area: &Area<'_, M>, address: u64) -> Result<Visit, Error> {
    let memory = area.memory;
    let generation = area.current()?;
    let counts = area.counts(generation);
    if let Some(target) = area.sealed(generation)? {
        return Ok(Visit::Moved(target));
    }
    let found = counts.and_then(|counts| row(area, generation, counts, address));
    // Pairs with the exchange that commits a generation: a writer changes what is in use only after
    // `generation + 1` was committed, so the values that were read before this load belong to
    // `generation`, or the load shows a later one.
    if area.current()? != generation {
        return Ok(Visit::Overtaken);
    }
    let Some(row) = found? else { return Ok(Visit::Miss) };
    if !row.covers(address) || row.count() == 0 {
        return Ok(Visit::Miss);
    }
    // Where table or text are gone, the DSO is gone.
    let Ok(Some(fixup)) = table::search(memory, &row, address) else { return Ok(Visit::Miss) };
    if fingerprint::fingerprint(memory, &row) != Ok(row.fingerprint) {
        return Ok(Visit::Miss);
    }
    Ok(Visit::Hit(Hit {
        landing: fixup.landing,
        flags: fixup.flags.into(),
        text_start: row.text_start,
        entry: fixup.entry,
    }))
}

/// The row that may have an address.
#[inline(always)]
fn row<M: Memory>(
    area: &Area<'_, M>,
    generation: u64,
    counts: Counts,
    address: u64,
) -> Result<Option<Row>, Error> {
    let range = area.range(counts, address)?;
    let chunk = area.chunk(generation, counts, range)?;
    match area.rank_in(&chunk, address)?.checked_sub(1) {
        None => Ok(None),
        Some(index) => Ok(Some(area.row(&chunk, index)?)),
    }
}
