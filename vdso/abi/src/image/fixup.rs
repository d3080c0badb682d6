// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Exception fixups: the area that holds a process's registry, the tables of its DSOs, and the
//! arguments of callers.
//!
//! A *fixup* says: if an instruction of this range raises an exception, continue there. A DSO has a
//! table of them, and a process lists the tables in an *area* of memory of its own, which the image
//! writes and reads and the kernel reads before it delivers a signal. So the layouts below belong
//! to three parties: the image (`vdso/fixup` has the algorithms), the kernel
//! (`arch/x86/include/uapi/asm/vdso_fixup.h` of the series) and programs
//! (`vdso/client/include/liblinux/fixup.h`, which `cargo xtask bless` makes from [`STRUCTURES`] and
//! [`CONSTANTS`]).
//!
//! An area is a header, then two *buffers*. A buffer is four *columns* of as many [`Cell`]s as the
//! area has room for DSOs: where texts start, where their tables are, their sizes, their
//! fingerprints. Columns and not rows, so that a search touches nothing but starts.
//!
//! # Invariants
//!
//! 1. The buffer of generation `g` is number `g & 1`. While [`Area::current_generation`] is `g`,
//!    its first `counts[g & 1].value` rows are the registry: ascending by start, texts disjoint,
//!    all cells of generation `g`.
//! 2. A cell changes by a 16-byte compare-and-exchange alone, and always to a later generation.
//! 3. The committed generation grows by one at a time. `operation[0]` of the next one says how it
//!    is made; a [`MOVE`] there is never committed, and so seals the area for good.
//! 4. In a table, entries ascend by start, are not empty, do not overlap, lie in their text and
//!    land in it. Offsets of an entry are relative to the address of their own field, as in the
//!    kernel's `__ex_table`.
//! 5. Nothing here changes once an image has been released: areas outlive images, by fork and by
//!    checkpoints.

use crate::image::structure::structures;
use core::mem::{align_of, offset_of, size_of};

structures! {
    /// A value, and the generation that it was written for.
    #[repr(C, align(16))]
    Cell as "vdso_fixup_cell" {
        /// The value.
        value: u64,
        /// The generation.
        generation: u64,
    }
    /// The header of an area; two buffers of four columns follow.
    #[repr(C, align(64))]
    Area as "vdso_fixup_area" {
        /// VDSO_FIXUP_MAGIC.
        magic: u64,
        /// The committed generation; starts at 1. Not just current, which is a macro in the kernel.
        current_generation: u64,
        /// How many DSOs it has room for, 1 to VDSO_FIXUP_MAX_CAPACITY.
        capacity: u32,
        /// Zero.
        reserved0: u32,
        /// Zero.
        reserved1: u64,
        /// How many DSOs each buffer has.
        counts: [Cell; 2],
        /// The operation that makes the next generation: start and kind, table, sizes, fingerprint.
        operation: [Cell; 4],
    }
    /// An entry of a table.
    #[repr(C)]
    Entry as "vdso_fixup_entry" {
        /// First address that is covered, relative to this field.
        start: i32,
        /// Bytes that are covered.
        len: u32,
        /// Where to continue, relative to this field.
        landing: i32,
        /// VDSO_FIXUP_PLAIN or 0.
        flags: u32,
    }
    /// A text and its table, as they are registered.
    #[repr(C)]
    Dso as "vdso_fixup_dso" {
        /// First address of the text.
        text_start: u64,
        /// Bytes of the text, less than 4 GiB.
        text_len: u64,
        /// Address of the table, a multiple of 4.
        table: u64,
        /// Entries of the table.
        count: u64,
    }
    /// The answer of a lookup.
    #[repr(C)]
    Hit as "vdso_fixup_hit" {
        /// Where to continue.
        landing: u64,
        /// Flags of the entry.
        flags: u64,
        /// Start of the text that was registered.
        text_start: u64,
        /// Address of the entry.
        entry: u64,
    }
    /// The area that the kernel has.
    #[repr(C)]
    Attached as "vdso_fixup_attached" {
        /// Its address.
        area: u64,
        /// Its size in bytes.
        size: u64,
    }
}

/// A constant, for the C header.
#[derive(Clone, Copy, Debug)]
pub struct Constant {
    /// Its name in C.
    pub name: &'static str,
    /// Its value.
    pub value: u64,
    /// Its description.
    pub about: &'static str,
}

macro_rules! constants {
    ($($(#[doc = $about:literal])+ $name:ident: $type:ty = $value:expr, $c:literal;)+) => {
        $($(#[doc = $about])+ pub const $name: $type = $value;)+

        /// Every constant, for the C header.
        pub const CONSTANTS: &[Constant] = &[
            $(Constant { name: $c, value: $name as u64, about: concat!($($about),+) }),+
        ];
    };
}

constants! {
    /// First word of an area: the bytes "LLFIXUP1".
    MAGIC: u64 = u64::from_le_bytes(*b"LLFIXUP1"), "VDSO_FIXUP_MAGIC";
    /// Flag of an entry: the landing changes rip alone.
    PLAIN: u32 = 1, "VDSO_FIXUP_PLAIN";
    /// Bits of rsi at a landing that hold the error code; above them is the number of the signal
    /// that would have come.
    SIGNAL_SHIFT: u32 = 32, "VDSO_FIXUP_SIGNAL_SHIFT";
    /// The most DSOs that an area has room for.
    MAX_CAPACITY: u64 = 65536, "VDSO_FIXUP_MAX_CAPACITY";
    /// Alignment of an area in bytes.
    ALIGN: u64 = align_of::<Area>() as u64, "VDSO_FIXUP_ALIGN";
    /// Bytes of an area in front of its buffers.
    HEADER_SIZE: u64 = size_of::<Area>() as u64, "VDSO_FIXUP_HEADER_SIZE";
    /// Bytes of an area for each DSO that it has room for.
    DSO_SIZE: u64 = (2 * COLUMNS * size_of::<Cell>()) as u64, "VDSO_FIXUP_DSO_SIZE";
    /// The operation's kind is its first value shifted right by this; the address is what is below.
    KIND_SHIFT: u32 = 56, "VDSO_FIXUP_KIND_SHIFT";
    /// Kind of operation: adds a DSO.
    REGISTER: u64 = 1, "VDSO_FIXUP_REGISTER";
    /// Kind of operation: removes a DSO.
    UNREGISTER: u64 = 2, "VDSO_FIXUP_UNREGISTER";
    /// Kind of operation: the registry continues in the area at the address.
    MOVE: u64 = 3, "VDSO_FIXUP_MOVE";
    /// How often a reader starts again when writers overtake it.
    TRIES: u32 = 4, "VDSO_FIXUP_TRIES";
    /// Answer of fixup_marked: all pages are marked. Not 0 and not an error, which a filter may
    /// answer.
    MARKED: isize = 1, "VDSO_FIXUP_MARKED";
    /// Answer of fixup_marked: a page is not.
    UNMARKED: isize = 2, "VDSO_FIXUP_UNMARKED";
}

/// Cells of a row: start, table, sizes, fingerprint; each has a column of its own.
pub const COLUMNS: usize = 4;

/// Column and operation cell of a text's start. In the operation, [`KIND_SHIFT`] bits above it hold
/// the kind.
pub const START: usize = 0;
/// Column and operation cell of a table's address.
pub const TABLE: usize = 1;
/// Column and operation cell of a text's length, and in the upper half the number of the table's
/// entries.
pub const SIZES: usize = 2;
/// Column and operation cell of a fingerprint.
pub const FINGERPRINT: usize = 3;

/// The first generation.
pub const FIRST_GENERATION: u64 = 1;

/// The value of an operation's cell that says: nothing is done in this generation. No table, sizes
/// or fingerprint has it.
pub const ABORT: u64 = u64::MAX;

/// How many moves of a registry a caller of an old area is led through.
pub const SEALS: u32 = 16;

/// The end of the addresses that a process may have: `TASK_SIZE_MAX` of
/// `arch/x86/include/asm/page_64.h`, with five levels of page tables. All addresses in an area are
/// below it, and so leave room for the kind.
pub const USER_END: u64 = (1 << KIND_SHIFT) - crate::image::layout::PAGE_SIZE as u64;

/// Index in `export::PRIVATE` of `fixup_attach(area, size)`.
pub const PRIVATE_ATTACH: u32 = 0;
/// Index in `export::PRIVATE` of `fixup_query(out)`.
pub const PRIVATE_QUERY: u32 = 1;
/// Index in `export::PRIVATE` of `fixup_mark(start, len)`.
pub const PRIVATE_MARK: u32 = 2;
/// Index in `export::PRIVATE` of `fixup_marked(start, len)`.
pub const PRIVATE_MARKED: u32 = 3;

/// Bytes of an area for so many DSOs; none if no area can have as many.
pub const fn area_size(capacity: u64) -> Option<u64> {
    if capacity == 0 || capacity > MAX_CAPACITY {
        return None;
    }
    Some(HEADER_SIZE + DSO_SIZE * capacity)
}

/// Offset in an area of a cell: its buffer is that of `generation`.
pub const fn cell(capacity: u64, generation: u64, column: usize, row: u64) -> u64 {
    let columns = (generation & 1) * COLUMNS as u64 + column as u64;
    HEADER_SIZE + (columns * capacity + row) * size_of::<Cell>() as u64
}

/// The sizes cell of a text and its table.
pub const fn sizes(text_len: u32, count: u32) -> u64 {
    text_len as u64 | (count as u64) << 32
}

const _: () = {
    assert!(size_of::<Cell>() == 16);
    assert!(size_of::<Area>() == 128 && align_of::<Area>() == 64);
    assert!(offset_of!(Area, current_generation) == 8);
    assert!(offset_of!(Area, capacity) == 16);
    assert!(offset_of!(Area, counts) == 32);
    assert!(offset_of!(Area, operation) == 64);
    assert!(size_of::<Entry>() == 16 && align_of::<Entry>() == 4);
    assert!(size_of::<Dso>() == 32 && size_of::<Hit>() == 32 && size_of::<Attached>() == 16);
    assert!(HEADER_SIZE == 128 && DSO_SIZE == 128);
    assert!(
        cell(7, 1, FINGERPRINT, 7) == HEADER_SIZE + 7 * DSO_SIZE,
        "the last column ends with the area"
    );
};
