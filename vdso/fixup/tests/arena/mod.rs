//! A process's memory in an array: areas, texts and tables, and threads that access it step by
//! step.
//!
//! # Invariants
//!
//! 1. A step is one access, made as a whole: between two steps a [`Hook`] decides what happens.
//!    Threads of a scheduler switch there and nowhere else, so no access needs to be atomic for the
//!    processor.
//! 2. Order is sequential. That is what x86-64 gives this algorithm: it publishes by locked
//!    instructions alone, and plain stores are made only to an area that no other thread knows.

#![allow(dead_code, reason = "each test file uses some of it")]

mod thread;

use liblinux_abi::image::fixup::{
    CHUNK_ROWS, Dso, FILL_STAMP_SHIFT, PLAIN, SIZES, START, TABLE, area_size, chunk, chunk_rows,
    range, row, slots,
};
use liblinux_abi::image::layout::PAGE_SIZE;
use liblinux_fixup::{Error, Fault, lookup, registry};
use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::sync::atomic::AtomicU64;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex};

pub(crate) use thread::{Free, Hook, Thread};

/// Where the memory starts.
pub(crate) const BASE: u64 = 0x10_0000;

/// Bytes of a page.
pub(crate) const PAGE: u64 = PAGE_SIZE as u64;

/// Bytes of a DSO's text.
pub(crate) const TEXT_LEN: u64 = 64;

/// Bytes for a DSO: text and a table of two entries.
const DSO_LEN: u64 = TEXT_LEN + 32;

/// The numbers of the pages that have a byte of these.
pub(crate) fn pages(start: u64, len: u64) -> RangeInclusive<u64> {
    start / PAGE..=(start + len - 1) / PAGE
}

/// The memory, and the kernel's facts.
#[derive(Debug)]
pub(crate) struct Arena {
    words: Vec<AtomicU64>,
    attached: AtomicU64,
    /// The pages that are marked, by their numbers.
    marks: Mutex<BTreeSet<u64>>,
    /// The kernel's answer to a request to mark a text.
    unmarkable: Mutex<Option<Error>>,
    /// A filter's answer in the kernel's place.
    refusal: Mutex<Option<Error>>,
    /// How many bytes are taken, from the start.
    taken: AtomicU64,
}

impl Arena {
    pub(crate) fn new(len: u64) -> Arc<Self> {
        let words = (0..len / 8).map(|_| AtomicU64::new(0)).collect();
        Arc::new(Self {
            words,
            attached: AtomicU64::new(0),
            marks: Mutex::default(),
            unmarkable: Mutex::default(),
            refusal: Mutex::default(),
            taken: AtomicU64::new(0),
        })
    }

    /// The memory of a child of this process.
    pub(crate) fn fork(&self) -> Arc<Self> {
        let copy = |word: &AtomicU64| AtomicU64::new(word.load(Relaxed));
        let words = self.words.iter().map(copy).collect();
        let marks = Mutex::new(self.marks());
        let unmarkable = Mutex::new(*self.unmarkable.lock().expect("never poisoned"));
        let refusal = Mutex::new(*self.refusal.lock().expect("never poisoned"));
        let (attached, taken) = (copy(&self.attached), copy(&self.taken));
        Arc::new(Self { words, attached, marks, unmarkable, refusal, taken })
    }

    /// New memory, aligned for an area.
    pub(crate) fn take(&self, len: u64) -> u64 {
        let at = self.taken.fetch_add(len.next_multiple_of(64), Relaxed);
        assert!(at + len <= 8 * self.words.len() as u64, "the arena is full");
        BASE + at
    }

    pub(crate) fn word(&self, address: u64) -> Result<&AtomicU64, Fault> {
        let offset = address.wrapping_sub(BASE);
        let word = usize::try_from(offset / 8).ok().and_then(|index| self.words.get(index));
        word.filter(|_| offset % 8 == 0).ok_or(Fault)
    }

    pub(crate) fn set(&self, address: u64, value: u64) {
        self.word(address).expect("memory").store(value, Relaxed);
    }

    /// Which area the kernel has.
    pub(crate) fn attached(&self) -> u64 {
        self.attached.load(Relaxed)
    }

    /// The marked pages.
    pub(crate) fn marks(&self) -> BTreeSet<u64> {
        self.marks.lock().expect("never poisoned").clone()
    }

    /// Maps anew the pages that have a byte of these: their content stays, and their marks are
    /// lost.
    pub(crate) fn map_anew(&self, start: u64, len: u64) {
        self.marks.lock().expect("never poisoned").retain(|page| !pages(start, len).contains(page));
    }

    /// Has the kernel fail to mark texts from now on.
    pub(crate) fn fail_marks(&self, error: Error) {
        *self.unmarkable.lock().expect("never poisoned") = Some(error);
    }

    /// The process when only its memory is restored.
    pub(crate) fn forget(&self) {
        self.attached.store(0, Relaxed);
        self.marks.lock().expect("never poisoned").clear();
    }

    /// Has a filter answer for the kernel from now on.
    pub(crate) fn refuse(&self, error: Error) {
        *self.refusal.lock().expect("never poisoned") = Some(error);
    }

    fn refusal(&self) -> Result<(), Error> {
        self.refusal.lock().expect("never poisoned").map_or(Ok(()), Err)
    }

    /// A new area that is attached.
    pub(crate) fn area(self: &Arc<Self>, capacity: u64) -> u64 {
        let size = area_size(capacity).expect("a size");
        let area = self.take(size);
        registry::init(&self.thread(Free), area, size, capacity).expect("a new area");
        self.attached.store(area, Relaxed);
        area
    }

    /// A DSO with two fixups: of the 4 bytes at 8 to 40, and of the 8 bytes at 16 to 48, which is
    /// plain.
    pub(crate) fn dso(&self, mark: u64) -> Dso {
        let text_start = self.take(DSO_LEN);
        let table = text_start + TEXT_LEN;
        self.set(text_start, mark);
        self.set(text_start + TEXT_LEN - 8, !mark);
        let entry = |place: u64, start: u64, len: u64, landing: u64, flags: u32| {
            let offset = |field: u64, target: u64| {
                u64::from((text_start + target).wrapping_sub(field) as u32)
            };
            self.set(place, offset(place, start) | len << 32);
            self.set(place + 8, offset(place + 8, landing) | u64::from(flags) << 32);
        };
        entry(table, 8, 4, 40, 0);
        entry(table + 16, 16, 8, 48, PLAIN);
        Dso { text_start, text_len: TEXT_LEN, table, count: 2 }
    }

    /// The starts of the texts in an area, as the kernel sees them: it does not follow a registry
    /// that moved. Fails if the area is not in order, or has a row that is none of these DSOs.
    pub(crate) fn starts(&self, area: u64, known: &[Dso]) -> Vec<u64> {
        let load = |address: u64| self.word(address).expect("the area").load(Relaxed);
        let (current, capacity) = (load(area + 8), load(area + 16) & 0xffff_ffff);
        let counts = load(area + 32 + 16 * (current & 1));
        assert_eq!(load(area + 40 + 16 * (current & 1)), current, "the counts' generation");
        let (count, chunks, side) = (counts & 0xffff_ffff, counts << 1 >> 33, counts >> 63);
        assert!(count <= capacity, "{count} DSOs in room for {capacity}");
        assert!((1..=slots(capacity)).contains(&chunks), "{chunks} chunks");
        let limits: Vec<[u64; 2]> = (0..chunks)
            .map(|index| [0, 16].map(|word| load(area + range(index, side) + word)))
            .collect();
        assert_eq!(limits[0][0], 0, "where the first range begins");
        let mut used: Vec<u64> = limits.iter().map(|[_, chunk]| *chunk).collect();
        used.sort_unstable();
        let first = (0..chunks).map(|slot| chunk(capacity, slot));
        assert!(used.into_iter().eq(first), "the chunks in use are not the first ones");
        let (mut end, mut before, mut starts) = (0, CHUNK_ROWS, Vec::new());
        for (index, [first, place]) in limits.iter().enumerate() {
            let chunk = area + place;
            let fill = load(chunk);
            // The side that was written last, unless that is of the next generation.
            let is_next = fill >> FILL_STAMP_SHIFT == current + 1;
            let side = (fill >> 12 & 1) ^ u64::from(is_next);
            let rows = if is_next { fill >> 6 } else { fill } & 63;
            let written = load(chunk + row(side, 0) + 8);
            assert!(is_next || rows == 0 || written == fill >> FILL_STAMP_SHIFT);
            assert!(rows <= chunk_rows(capacity), "{rows} rows in a chunk");
            assert!(chunks == 1 || rows > 0, "a range without rows");
            assert!(before + rows >= CHUNK_ROWS / 2, "{before} and {rows} rows are not merged");
            before = rows;
            assert!(index == 0 || end <= *first, "a text reaches into range {index}");
            for index in 0..rows {
                let column = |column: usize| {
                    let place = chunk + row(side, index) + 16 * column as u64;
                    assert_eq!(load(place + 8), written, "the stamp of row {index} of {place:#x}");
                    load(place)
                };
                let (start, table, sizes) = (column(START), column(TABLE), column(SIZES));
                assert!(start >= end.max(*first), "row {index} of {place:#x} is not in order");
                end = start + (sizes & 0xffff_ffff);
                let is_known = known.iter().any(|dso| {
                    let lengths = dso.text_len | dso.count << 32;
                    (dso.text_start, dso.table, lengths) == (start, table, sizes)
                });
                assert!(is_known, "row {index} of {place:#x} was never registered: {start:#x}");
                starts.push(start);
            }
        }
        assert_eq!(starts.len() as u64, count, "rows");
        starts
    }

    /// A thread of the process.
    pub(crate) fn thread<H: Hook>(self: &Arc<Self>, hook: H) -> Thread<H> {
        Thread { arena: Arc::clone(self), hook }
    }

    /// Whether a DSO is found, after looking at both fixups and beside them.
    pub(crate) fn finds<H: Hook>(
        self: &Arc<Self>,
        thread: &Thread<H>,
        area: u64,
        dso: &Dso,
    ) -> bool {
        let at = |offset: u64| lookup::lookup(thread, area, dso.text_start + offset);
        let first = at(8);
        let plain = at(23);
        for miss in [0, 7, 12, 15, 24, 63] {
            assert!(matches!(at(miss), Err(Error::ABSENT | Error::OVERTAKEN)), "a fixup at {miss}");
        }
        match first {
            Ok(hit) => {
                assert_eq!((hit.landing, hit.flags), (dso.text_start + 40, 0));
                assert_eq!((hit.text_start, hit.entry), (dso.text_start, dso.table));
            }
            Err(error) => assert_eq!(error, Error::ABSENT),
        }
        if let Ok(hit) = plain {
            assert_eq!(
                (hit.landing, hit.flags, hit.entry),
                (dso.text_start + 48, 1, dso.table + 16)
            );
        }
        first.is_ok()
    }
}
