// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Where things are in an area, and how large it is.
//!
//! ```text
//! offset 0                   header                     HEADER_SIZE
//!        128                 range 0, side 0 and side 1 RANGE_SIZE
//!        128 + 64            range 1 ...
//!        chunk(capacity, 0)  chunk 0: its header, then  CHUNK_SIZE
//!                            row 0, side 0 and side 1   ROW_SIZE
//!                            row 1 ...
//!        chunk(capacity, 1)  chunk 1 ...
//! ```
//!
//! An area has as many ranges as chunks. One for up to [`CHUNK_ROWS`] DSOs has one chunk, and ends
//! behind the last row that it has room for.

use crate::image::fixup::{
    CHUNK_ROWS, CHUNK_SIZE, CHUNKS_SHIFT, Chunk, FILL_SHIFT, FILL_SIDE_SHIFT, FILL_STAMP_SHIFT,
    HEADER_SIZE, MAX_CAPACITY, RANGE_SIZE, ROW_SIZE, Range, Row, SIDE_SHIFT, SLOT_ROWS,
};
use core::mem::size_of;

/// Bytes of an area for each chunk: a range and the chunk.
pub const SLOT_SIZE: u64 = RANGE_SIZE + CHUNK_SIZE;

/// How many chunks an area for so many DSOs has room for: see invariant 5 of the format. The
/// directory has room for as many ranges.
pub const fn slots(capacity: u64) -> u64 {
    // Without a branch: else the compiler makes two copies of what follows, of which one has paths
    // that no area takes.
    let several = ((capacity > CHUNK_ROWS) as u64).wrapping_neg();
    ((capacity / SLOT_ROWS) & several) + 1
}

/// The most rows of a chunk of an area for so many DSOs.
pub const fn chunk_rows(capacity: u64) -> u64 {
    if capacity < CHUNK_ROWS { capacity } else { CHUNK_ROWS }
}

/// Bytes of an area for so many DSOs; none if no area can have as many.
pub const fn area_size(capacity: u64) -> Option<u64> {
    if capacity == 0 || capacity > MAX_CAPACITY {
        return None;
    }
    let slots = slots(capacity);
    // An only chunk has no more rows than the area.
    let missing = ROW_SIZE * (CHUNK_ROWS - chunk_rows(capacity));
    Some(HEADER_SIZE + slots * SLOT_SIZE - missing)
}

/// The most DSOs for which an area of so many bytes has room; 0 if it has none for one.
pub const fn area_capacity(size: u64) -> u64 {
    let rows = match size.checked_sub(HEADER_SIZE + RANGE_SIZE + size_of::<Chunk>() as u64) {
        Some(left) => left / ROW_SIZE,
        None => return 0,
    };
    let slots = (size - HEADER_SIZE) / SLOT_SIZE;
    if slots < self::slots(CHUNK_ROWS + 1) {
        return if rows < CHUNK_ROWS { rows } else { CHUNK_ROWS };
    }
    let most = self::slots(MAX_CAPACITY);
    let slots = if slots < most { slots } else { most };
    let capacity = slots * SLOT_ROWS - 1;
    if capacity < MAX_CAPACITY { capacity } else { MAX_CAPACITY }
}

/// The value of a generation's counts.
pub const fn counts(rows: u64, chunks: u64, side: u64) -> u64 {
    rows | chunks << CHUNKS_SHIFT | side << SIDE_SHIFT
}

/// Offset in an area of one side of a range.
pub const fn range(index: u64, side: u64) -> u64 {
    HEADER_SIZE + index * RANGE_SIZE + side * size_of::<Range>() as u64
}

/// Offset in an area of a chunk, by its number.
pub const fn chunk(capacity: u64, slot: u64) -> u64 {
    HEADER_SIZE + slots(capacity) * RANGE_SIZE + slot * CHUNK_SIZE
}

/// Offset in a chunk of one side of a row.
pub const fn row(side: u64, index: u64) -> u64 {
    size_of::<Chunk>() as u64 + index * ROW_SIZE + side * size_of::<Row>() as u64
}

/// How full a chunk is whose side `side` was written for `generation` with so many rows, while the
/// other one has `others`.
pub const fn fill(rows: u64, others: u64, side: u64, generation: u64) -> u64 {
    rows | others << FILL_SHIFT | side << FILL_SIDE_SHIFT | generation << FILL_STAMP_SHIFT
}

const _: () = {
    /// Asserts that sizes and offsets of an area fit together.
    const fn is_consistent(capacity: u64) {
        let Some(size) = area_size(capacity) else { panic!() };
        assert!(area_capacity(size) >= capacity && area_capacity(size - 1) < capacity);
        let end = chunk(capacity, slots(capacity) - 1) + row(0, chunk_rows(capacity));
        assert!(end == size, "the last row ends with the area");
    }

    let mut bit = 0;
    while bit < 16 {
        is_consistent((1 << bit) + 1);
        is_consistent(2 << bit);
        bit += 1;
    }
};
