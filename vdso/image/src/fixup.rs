// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Exception fixups: the entries round `liblinux-fixup`, which has the algorithms.
//!
//! Every pointer that a caller gives is an address to be accessed with care, so they are numbers
//! here. Calls that only the kernel can answer are in [`crate::arch`], with the slots.
//!
//! # Invariants
//!
//! 1. Memory of the caller is accessed through `arch::memory::User` alone.

use crate::arch::memory::User;
use crate::arch::{
    code_segment, decline_sites, frame_entry, own_fixups, shadow_stack, stack_segment,
};
use core::mem::offset_of;
use liblinux_abi::image::fixup::{self, Dso, Hit, sizes};
use liblinux_abi::kernel::errno::EINVAL;
use liblinux_fixup::area::Row;
use liblinux_fixup::context::{self, Image};
use liblinux_fixup::{Error, Fault, Memory as _, lookup, registry};

/// The result of an entry that has no value to return.
#[inline(always)]
pub(crate) fn done(outcome: Result<(), Error>) -> isize {
    match outcome {
        Ok(()) => 0,
        Err(error) => error.code(),
    }
}

/// Bytes of an area for so many DSOs.
pub extern "C" fn area_size(capacity: u64) -> isize {
    match fixup::area_size(capacity) {
        Some(size) => size as isize,
        None => -EINVAL,
    }
}

/// Makes an empty area.
pub extern "C" fn init(area: u64, size: u64, capacity: u64) -> isize {
    done(registry::init(&User, area, size, capacity))
}

/// Adds a DSO.
pub extern "C" fn register(area: u64, dso: u64) -> isize {
    done(read_dso(dso).map_err(Error::from).and_then(|dso| registry::register(&User, area, dso)))
}

/// Removes a DSO.
pub extern "C" fn unregister(area: u64, text_start: u64) -> isize {
    done(registry::unregister(&User, area, text_start))
}

/// Moves the registry to a larger area.
pub extern "C" fn grow(old: u64, new: u64, size: u64) -> isize {
    done(registry::grow(&User, old, new, size))
}

/// Finds the fixup for an address.
pub extern "C" fn lookup(area: u64, ip: u64, hit: u64) -> isize {
    done(lookup::lookup(&User, area, ip).and_then(|found| Ok(write_hit(hit, found)?)))
}

/// Applies the fixup for the interrupted instruction to a signal's context.
pub extern "C" fn dispatch(area: u64, siginfo: u64, context: u64) -> isize {
    let [text, text_end, table, table_end] = own_fixups();
    let count = (table_end - table) / size_of::<fixup::Entry>() as u64;
    let own = Row {
        text_start: text,
        table,
        sizes: sizes((text_end - text) as u32, count as u32),
        fingerprint: 0,
    };
    let image = Image {
        code_segment: code_segment(),
        stack_segment: stack_segment(),
        shadow_stack: shadow_stack(),
        own,
        enter: frame_entry(),
        decline: decline_sites(),
    };
    match context::dispatch(&User, &image, area, siginfo, context) {
        Ok(handled) => handled.into(),
        Err(error) => error.code(),
    }
}

/// Reads the argument of `register`.
#[inline(always)]
fn read_dso(dso: u64) -> Result<Dso, Fault> {
    let field = |offset: usize| User.load(dso.wrapping_add(offset as u64));
    Ok(Dso {
        text_start: field(offset_of!(Dso, text_start))?,
        text_len: field(offset_of!(Dso, text_len))?,
        table: field(offset_of!(Dso, table))?,
        count: field(offset_of!(Dso, count))?,
    })
}

/// Writes the result of `lookup`.
#[inline(always)]
fn write_hit(target: u64, hit: Hit) -> Result<(), Fault> {
    let field = |offset: usize, value| User.store(target.wrapping_add(offset as u64), value);
    field(offset_of!(Hit, landing), hit.landing)?;
    field(offset_of!(Hit, flags), hit.flags)?;
    field(offset_of!(Hit, text_start), hit.text_start)?;
    field(offset_of!(Hit, entry), hit.entry)
}
