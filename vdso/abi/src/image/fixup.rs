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
//! An area is a header, a *directory* and *chunks*. A chunk has up to [`CHUNK_ROWS`] rows, a row is
//! a text's start, table, sizes and fingerprint. The directory says which chunk has the texts of
//! which addresses. Both exist in two *sides*, so that the next generation is written beside what
//! readers of the committed one look at. A change writes one side of one chunk: the cost of a
//! registration does not grow with the registry, except that a chunk which becomes full is split in
//! two and two that have become small are merged, which writes one side of the directory.
//!
//! Sides lie beside each other, row by row, so an area for a few DSOs is cut behind the rows that
//! it has room for and fits into a page.
//!
//! # Invariants
//!
//! 1. `counts[g & 1]` belongs to generation `g` while [`Area::current_generation`] is `g`: how many
//!    rows and chunks there are, and which side of the directory is in use.
//! 2. The first `chunks` ranges of that side are in the order of their addresses, and their chunks
//!    are the first ones of the area, in any order. The first range begins at 0.
//! 3. A chunk's [`Chunk::fill`] says which of its two sides was written last, for which
//!    generation, and how many rows both have. That side is in use, unless it was written for
//!    generation `g + 1`: then the other one is. All cells of a side have the generation's stamp
//!    that it was written for.
//! 4. Rows ascend by start and texts are disjoint, over all ranges in their order. A text lies
//!    within the addresses of its range, so one chunk has the answer for an address.
//! 5. Two neighbouring ranges have [`CHUNK_ROWS`] / 2 rows or more together, and every range but an
//!    only one has a row. So `n` chunks have at least `n / 2 * CHUNK_ROWS / 2` rows (both divisions
//!    round down), and [`slots`] is enough for as many rows as the area has room for.
//! 6. A cell changes by a 16-byte compare-and-exchange alone, and always to a later generation.
//! 7. The committed generation grows by one at a time. `operation[0]` of the next one says how it
//!    is made; a [`MOVE`] there is never committed, and so seals the area for good.
//! 8. In a table, entries ascend by start, are not empty, do not overlap, lie in their text and
//!    land in it. Offsets of an entry are relative to the address of their own field, as in the
//!    kernel's `__ex_table`.
//! 9. Nothing here changes once an image has been released: areas outlive images, by fork and by
//!    checkpoints.

mod area;

pub use area::{
    SLOT_SIZE, area_capacity, area_size, chunk, chunk_rows, counts, fill, range, row, slots,
};

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
    /// The header of an area; the directory follows, which has two sides, and the chunks.
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
        /// How much there is, by the generation's lowest bit: DSOs in the lower half, chunks from
        /// bit VDSO_FIXUP_CHUNKS_SHIFT, and the directory's side from VDSO_FIXUP_SIDE_SHIFT.
        counts: [Cell; 2],
        /// The operation that makes the next generation: start and kind, table, sizes, fingerprint.
        operation: [Cell; 4],
    }
    /// One side of a directory's entry: from which address, and up to the next one's, texts are in
    /// which chunk.
    #[repr(C)]
    Range as "vdso_fixup_range" {
        /// The first address.
        first: Cell,
        /// Bytes from the start of the area to the chunk.
        chunk: Cell,
    }
    /// One side of a chunk's row: a DSO.
    #[repr(C, align(64))]
    Row as "vdso_fixup_row" {
        /// Where its text starts.
        start: Cell,
        /// Where its table is.
        table: Cell,
        /// Bytes of its text in the lower half, entries of its table in the upper half.
        sizes: Cell,
        /// A number made from its text and table, which the kernel does not read.
        fingerprint: Cell,
    }
    /// The header of a chunk; its rows follow, both sides of each.
    #[repr(C, align(64))]
    Chunk as "vdso_fixup_chunk" {
        /// Rows of the side that was written last, of the other one above VDSO_FIXUP_FILL_SHIFT,
        /// the side above VDSO_FIXUP_FILL_SIDE_SHIFT, and above VDSO_FIXUP_FILL_STAMP_SHIFT the
        /// generation. One word, so that a reader sees them all at one moment.
        fill: Cell,
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
        /// 0, VDSO_FIXUP_PLAIN or VDSO_FIXUP_FRAME.
        flags: u32,
    }
    /// What a landing of kind VDSO_FIXUP_FRAME finds at rdi and rsp, aligned to 16 bytes: the
    /// registers that the exception found, in the order in which a kernel has them, and what its
    /// signal would have told.
    #[repr(C)]
    Frame as "vdso_fixup_frame" {
        /// A register.
        r15: u64,
        /// A register.
        r14: u64,
        /// A register.
        r13: u64,
        /// A register.
        r12: u64,
        /// A register.
        rbp: u64,
        /// A register.
        rbx: u64,
        /// A register.
        r11: u64,
        /// A register.
        r10: u64,
        /// A register.
        r9: u64,
        /// A register.
        r8: u64,
        /// A register.
        rax: u64,
        /// A register.
        rcx: u64,
        /// A register.
        rdx: u64,
        /// A register.
        rsi: u64,
        /// A register.
        rdi: u64,
        /// 0 if the kernel wrote the frame, the landing if fixup_dispatch did.
        via: u64,
        /// Address of the instruction, from here on to ss as iretq takes them.
        ip: u64,
        /// Code segment.
        cs: u64,
        /// rflags.
        flags: u64,
        /// Stack pointer.
        sp: u64,
        /// Stack segment.
        ss: u64,
        /// The exception's number.
        trap: u64,
        /// Its error code, or 0.
        error: u32,
        /// The signal that would have come.
        signal: u32,
        /// The address of a page fault, 0 for other exceptions.
        address: u64,
        /// The signal's si_code.
        code: u32,
        /// Its si_pkey if the code is SEGV_PKUERR, or 0.
        pkey: u32,
        /// Zero.
        reserved: u64,
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
    /// First word of an area: the bytes "LLFIXUP2".
    MAGIC: u64 = u64::from_le_bytes(*b"LLFIXUP2"), "VDSO_FIXUP_MAGIC";
    /// Flag of an entry: the landing changes rip alone.
    PLAIN: u32 = 1, "VDSO_FIXUP_PLAIN";
    /// Flag of an entry: the landing finds all registers in a frame, whose address is in rdi and
    /// rsp.
    FRAME: u32 = 2, "VDSO_FIXUP_FRAME";
    /// Bits of rsi at a landing that hold the error code; above them is the number of the signal
    /// that would have come.
    SIGNAL_SHIFT: u32 = 32, "VDSO_FIXUP_SIGNAL_SHIFT";
    /// The most DSOs that an area has room for.
    MAX_CAPACITY: u64 = 65536, "VDSO_FIXUP_MAX_CAPACITY";
    /// Alignment of an area in bytes.
    ALIGN: u64 = align_of::<Area>() as u64, "VDSO_FIXUP_ALIGN";
    /// Bytes of an area in front of its directory.
    HEADER_SIZE: u64 = size_of::<Area>() as u64, "VDSO_FIXUP_HEADER_SIZE";
    /// Bytes of a range, both sides.
    RANGE_SIZE: u64 = 2 * size_of::<Range>() as u64, "VDSO_FIXUP_RANGE_SIZE";
    /// Bytes of a row, both sides.
    ROW_SIZE: u64 = 2 * size_of::<Row>() as u64, "VDSO_FIXUP_ROW_SIZE";
    /// The most rows of a chunk.
    CHUNK_ROWS: u64 = 32, "VDSO_FIXUP_CHUNK_ROWS";
    /// Bytes of a chunk with all of its rows.
    CHUNK_SIZE: u64 = size_of::<Chunk>() as u64 + ROW_SIZE * CHUNK_ROWS, "VDSO_FIXUP_CHUNK_SIZE";
    /// For so many DSOs more, an area has room for another chunk: each is a quarter full or more.
    SLOT_ROWS: u64 = CHUNK_ROWS / 4, "VDSO_FIXUP_SLOT_ROWS";
    /// Bit of a generation's counts from which on they hold the number of chunks.
    CHUNKS_SHIFT: u32 = 32, "VDSO_FIXUP_CHUNKS_SHIFT";
    /// Bit of a generation's counts that is the directory's side.
    SIDE_SHIFT: u32 = 63, "VDSO_FIXUP_SIDE_SHIFT";
    /// Bit of a chunk's fill from which on it holds the rows of the side that was not written last.
    FILL_SHIFT: u32 = 6, "VDSO_FIXUP_FILL_SHIFT";
    /// Bit of a chunk's fill that is the side that was written last.
    FILL_SIDE_SHIFT: u32 = 12, "VDSO_FIXUP_FILL_SIDE_SHIFT";
    /// Bit of a chunk's fill from which on it holds the generation that this was written for.
    FILL_STAMP_SHIFT: u32 = 13, "VDSO_FIXUP_FILL_STAMP_SHIFT";
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

/// Cells of a row and of an operation: start, table, sizes, fingerprint.
pub const COLUMNS: usize = 4;

/// Cell of a text's start. In the operation, [`KIND_SHIFT`] bits above it hold the kind.
pub const START: usize = 0;
/// Cell of a table's address.
pub const TABLE: usize = 1;
/// Cell of a text's length, and in the upper half the number of the table's entries.
pub const SIZES: usize = 2;
/// Cell of a fingerprint.
pub const FINGERPRINT: usize = 3;

/// The last generation. At one a microsecond it is reached after 71 years.
pub const LAST_GENERATION: u64 = (1 << (u64::BITS - FILL_STAMP_SHIFT)) - 1;

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

/// Index in `export::PRIVATE` of `fixup_return(frame, resume)`.
pub const PRIVATE_RETURN: u32 = 4;

/// Whether an entry may have these flags. A landing is of one kind. An image for a kernel line
/// without frames refuses those that want one: the kernel would not find them.
pub const fn are_flags(flags: u32) -> bool {
    flags == 0 || flags == PLAIN || flags == FRAME && crate::kernel::datapage::FRAMES
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
    assert!(size_of::<Frame>() == 208 && offset_of!(Frame, via) == 120);
    assert!(offset_of!(Frame, ip) == 128 && offset_of!(Frame, trap) == 168);
    assert!(HEADER_SIZE == 128 && RANGE_SIZE == 64 && ROW_SIZE == 128);
    assert!(size_of::<Row>() == COLUMNS * size_of::<Cell>());
    assert!(offset_of!(Row, fingerprint) == FINGERPRINT * size_of::<Cell>());
    assert!(size_of::<Chunk>() == 64 && CHUNK_SIZE == 64 + CHUNK_ROWS * ROW_SIZE);
    assert!(CHUNK_ROWS % 4 == 0 && CHUNK_ROWS < 1 << FILL_SHIFT);
    assert!(FILL_SIDE_SHIFT == 2 * FILL_SHIFT && FILL_STAMP_SHIFT == FILL_SIDE_SHIFT + 1);
};
