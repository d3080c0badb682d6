// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! An area, as it is found: checked as far as its header goes, and cells by their place.
//!
//! # Invariants
//!
//! 1. Offsets are computed from a capacity that was checked once, when the area was opened: no
//!    later change of the header makes an access outside `area_size(capacity)` bytes.

use crate::error::Error;
use crate::memory::{Fault, Memory, Stamped};
use core::mem::{offset_of, size_of};
use liblinux_abi::image::fixup::{
    ALIGN, Area as Header, Cell, FIRST_GENERATION, HEADER_SIZE, KIND_SHIFT, LAST_GENERATION, MAGIC,
    MAX_CAPACITY, MOVE, SIZES, START, TABLE, USER_END, area_size,
};

/// An area of which the header was read.
#[derive(Clone, Copy, Debug)]
pub struct Area<'m, M> {
    /// The memory that it is in.
    pub memory: &'m M,
    /// Its address.
    pub address: u64,
    /// How many DSOs it has room for, 1 to [`MAX_CAPACITY`].
    pub capacity: u64,
}

/// One row: a DSO's registration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// First address of the text.
    pub text_start: u64,
    /// Address of the table.
    pub table: u64,
    /// See `liblinux_abi::image::fixup::sizes`.
    pub sizes: u64,
    /// See [`crate::memory::fingerprint`].
    pub fingerprint: u64,
}

impl Row {
    /// Bytes of the text.
    #[inline(always)]
    pub const fn text_len(&self) -> u64 {
        self.sizes & 0xffff_ffff
    }

    /// The first address behind the text; anything where the row was overwritten meanwhile.
    #[inline(always)]
    pub const fn end(&self) -> u64 {
        self.text_start.wrapping_add(self.text_len())
    }

    /// Entries of the table.
    #[inline(always)]
    pub const fn count(&self) -> u64 {
        self.sizes >> 32
    }

    /// The value of a cell.
    #[inline(always)]
    pub const fn column(&self, column: usize) -> u64 {
        match column {
            START => self.text_start,
            TABLE => self.table,
            SIZES => self.sizes,
            _ => self.fingerprint,
        }
    }

    /// Changes the value of a cell.
    #[inline(always)]
    pub const fn set_column(&mut self, column: usize, value: u64) {
        match column {
            START => self.text_start = value,
            TABLE => self.table = value,
            SIZES => self.sizes = value,
            _ => self.fingerprint = value,
        }
    }

    /// Whether the text has this address.
    #[inline(always)]
    pub const fn covers(&self, address: u64) -> bool {
        address.wrapping_sub(self.text_start) < self.text_len()
    }
}

impl<'m, M: Memory> Area<'m, M> {
    /// Opens the area at an address; `INVALID` if it is not one, `FAULT` if it is not accessible.
    #[inline(always)]
    pub fn open(memory: &'m M, address: u64) -> Result<Self, Error> {
        check_place(address)?;
        let magic = memory.load(address.wrapping_add(offset_of!(Header, magic) as u64))?;
        let capacity =
            memory.load_half(address.wrapping_add(offset_of!(Header, capacity) as u64))?;
        let capacity = u64::from(capacity);
        if magic != MAGIC || capacity == 0 || capacity > MAX_CAPACITY {
            return Err(Error::INVALID);
        }
        Ok(Self { memory, address, capacity })
    }

    /// Its size in bytes.
    #[inline(always)]
    pub fn size(&self) -> u64 {
        area_size(self.capacity).unwrap_or(HEADER_SIZE)
    }

    /// The committed generation. A reader's loads of its counts, ranges and rows come after this
    /// load.
    ///
    /// Pairs with the exchange that commits a generation: its cells were written before.
    #[inline(always)]
    pub fn current(&self) -> Result<u64, Fault> {
        self.memory.load(self.current_address())
    }

    /// As [`Area::current`]; `INVALID` for a value that no writer can have left.
    #[inline(always)]
    pub fn writable_generation(&self) -> Result<u64, Error> {
        let generation = self.current()?;
        if !(FIRST_GENERATION..=LAST_GENERATION - 2).contains(&generation) {
            return Err(Error::INVALID);
        }
        Ok(generation)
    }

    /// Address of the committed generation.
    #[inline(always)]
    pub fn current_address(&self) -> u64 {
        self.address.wrapping_add(offset_of!(Header, current_generation) as u64)
    }

    /// Address of a generation's counts.
    #[inline(always)]
    pub fn counts_address(&self, generation: u64) -> u64 {
        let offset =
            offset_of!(Header, counts) as u64 + (generation & 1) * size_of::<Cell>() as u64;
        self.address.wrapping_add(offset)
    }

    /// Address of a cell of the operation.
    #[inline(always)]
    pub fn operation_address(&self, column: usize) -> u64 {
        self.address
            .wrapping_add((offset_of!(Header, operation) + column * size_of::<Cell>()) as u64)
    }

    /// A cell, as it was at one moment; none if it changed meanwhile.
    #[inline(always)]
    pub fn cell(&self, address: u64) -> Result<Option<Stamped>, Fault> {
        let generation = self.memory.load(stamp(address))?;
        let value = self.memory.load(address)?;
        // Every change of a cell changes its generation, so between two equal ones the value is its
        // own.
        let again = self.memory.load(stamp(address))?;
        Ok((generation == again).then_some(Stamped { value, generation }))
    }

    /// Where the registry went, if this area is sealed at `generation`.
    #[inline(always)]
    pub fn sealed(&self, generation: u64) -> Result<Option<u64>, Error> {
        let operation = self.operation_address(START);
        let pending = self.memory.load(stamp(operation))?;
        if pending != generation.wrapping_add(1) {
            return Ok(None);
        }
        let value = self.memory.load(operation)?;
        // A value of a later generation than `pending` would be a move as well, and one that was
        // decided.
        Ok((value >> KIND_SHIFT == MOVE).then_some(value & !(MOVE << KIND_SHIFT)))
    }
}

/// Address of the generation of the cell at an address.
#[inline(always)]
pub const fn stamp(cell: u64) -> u64 {
    cell.wrapping_add(offset_of!(Cell, generation) as u64)
}

/// Whether an area can be at this address: `FAULT` where a process has no memory, `INVALID` where
/// it is not aligned.
#[inline(always)]
pub fn check_place(address: u64) -> Result<(), Error> {
    if address == 0 || address >= USER_END {
        return Err(Error::FAULT);
    }
    if address & (ALIGN - 1) != 0 {
        return Err(Error::INVALID);
    }
    Ok(())
}
