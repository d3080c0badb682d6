//! What a call of the registry is given: a page with areas, texts, tables and a signal's context.

use crate::walk::{PAGE_FAULT, PAGES, REFUSED, Walk};
use liblinux_abi::arch::x86_64::exception::SI_KERNEL;
use liblinux_abi::arch::x86_64::signal;
use liblinux_abi::image::fixup::{
    ABORT, Cell, Dso, FILL_SIDE_SHIFT, FRAME, KIND_SHIFT, MAGIC, MAX_CAPACITY, MOVE, PLAIN,
    area_size, chunk, row,
};
use liblinux_abi::image::layout::PAGE_SIZE;
use liblinux_abi::kernel::datapage::FRAMES;
use std::os::unix::fs::FileExt as _;

/// DSOs that an area has room for.
pub(super) const CAPACITY: u64 = 3;

/// Where things are in the page.
pub(super) const LARGER: usize = 1024;
const TEXTS: usize = 2048;
pub(super) const ARGUMENT: usize = 3072;
pub(super) const CONTEXT: usize = 3200;
pub(super) const SIGINFO: usize = 3600;
pub(super) const OUT: usize = 3800;

/// Offsets in an area of the words that decide the most: generation, capacity, counts, operation.
const HEADER_WORDS: [usize; 15] = [0, 8, 16, 32, 40, 48, 56, 64, 72, 80, 88, 96, 104, 112, 120];

/// A sequence of numbers: Marsaglia's xorshift.
pub(super) struct Chance(pub(super) u64);

impl Chance {
    pub(super) fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }

    pub(super) fn of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len() as u64) as usize]
    }
}

/// The contents of the page.
#[derive(Clone)]
pub(super) struct Scene {
    pub(super) address: u64,
    words: Vec<u64>,
}

impl Scene {
    /// Two DSOs are registered, by the image itself, and a third one can be.
    pub(super) fn new(walk: &mut Walk<'_>, registered: usize) -> Self {
        let address = walk.page() as u64;
        let mut scene = Self { address, words: vec![0; PAGE_SIZE / 8] };
        (0..4).for_each(|index| scene.write_dso(index));
        let size = area_size(CAPACITY).expect("a size");
        scene.made(walk, "__vdso_fixup_init", &[address, size, CAPACITY]);
        for index in 0..registered {
            scene.write_argument(index);
            scene.made(walk, "__vdso_fixup_register", &[address, address + ARGUMENT as u64]);
        }
        scene.set(CONTEXT + signal::CS, 0x33);
        scene.set(CONTEXT + signal::RIP, scene.dso(0).text_start + 4);
        scene.raised(11, 1, PAGE_FAULT);
        scene
    }

    /// The signal, its code, and the exception that the context tells of.
    pub(super) fn raised(&mut self, signal: u64, code: u32, trap: u64) {
        self.set(SIGINFO, signal);
        self.set(SIGINFO + signal::SI_CODE, code.into());
        self.set(CONTEXT + signal::TRAP_NUMBER, trap);
    }

    /// A general protection fault, as an emulator without a resume flag reports it. The
    /// floating-point state is in the page, and extended or not; below the stack pointer is the
    /// page as well, or nothing.
    pub(super) fn raised_without_flag(&mut self, magic: u32, stack: u64) {
        self.raised(11, SI_KERNEL, 13);
        self.set(CONTEXT + signal::FLAGS, 0x202);
        self.set(CONTEXT + signal::FPSTATE, self.address + CONTEXT as u64);
        let state = CONTEXT + signal::FPSTATE_MAGIC_AT;
        self.set(state, u64::from(magic) | 600 << 32);
        self.set(CONTEXT + signal::RSP, stack);
    }

    /// The same, where the registry has moved on.
    pub(super) fn sealed(walk: &mut Walk<'_>) -> Self {
        let mut scene = Self::new(walk, 2);
        let (area, larger) = (scene.address, scene.address + LARGER as u64);
        let size = area_size(CAPACITY + 1).expect("a size");
        scene.made(walk, "__vdso_fixup_grow", &[area, larger, size]);
        scene
    }

    /// The same, where it moved to this address.
    pub(super) fn leads_to(&self, target: u64) -> Self {
        let mut scene = self.clone();
        scene.set(64, target | MOVE << KIND_SHIFT);
        scene
    }

    /// Where an operation is pending, by a writer that stopped when so many of its cells were
    /// written.
    pub(super) fn pending(&self, kind: u64, cells: usize) -> Self {
        let mut scene = self.clone();
        let dso = self.dso(2);
        let next = self.get(8) + 1;
        let values =
            [dso.text_start | kind << KIND_SHIFT, dso.table, dso.text_len | dso.count << 32, 7];
        for (cell, value) in values.into_iter().take(cells).enumerate() {
            scene.set(64 + 16 * cell, value);
            scene.set(72 + 16 * cell, next);
        }
        scene
    }

    /// Makes a call that succeeds, and keeps what it did to the page.
    pub(super) fn made(&mut self, walk: &mut Walk<'_>, name: &str, arguments: &[u64]) {
        self.put(walk);
        assert_eq!(
            walk.call_to(name, arguments, &|stepper| self.put_by(stepper), &|_| REFUSED),
            Some(0),
            "{name}"
        );
        let mut bytes = vec![0; 8 * self.words.len()];
        walk.stepper.memory().read_exact_at(&mut bytes, self.address).expect("the page");
        self.words = bytes.as_chunks().0.iter().map(|word| u64::from_ne_bytes(*word)).collect();
    }

    /// With more pages, which are zero.
    pub(super) fn extended(&self) -> Self {
        let mut words = self.words.clone();
        words.resize(PAGES * PAGE_SIZE / 8, 0);
        Self { address: self.address, words }
    }

    pub(super) fn set(&mut self, offset: usize, value: u64) {
        self.words[offset / 8] = value;
    }

    /// Bytes of the pages.
    pub(super) fn size(&self) -> usize {
        8 * self.words.len()
    }

    pub(super) fn get(&self, offset: usize) -> u64 {
        self.words[offset / 8]
    }

    /// Where a cell of a row is: of the side that is in use, or of the other one.
    pub(super) fn cell(&self, is_used: bool, index: u64, column: usize) -> usize {
        let chunk = chunk(CAPACITY, 0);
        // No scene has a chunk of the next generation.
        let side = (self.get(chunk as usize) >> FILL_SIDE_SHIFT & 1) ^ u64::from(!is_used);
        (chunk + row(side, index)) as usize + column * size_of::<Cell>()
    }

    pub(super) fn put(&self, walk: &Walk<'_>) {
        self.put_by(&walk.stepper);
    }

    pub(super) fn put_by(&self, stepper: &liblinux_tests::arch::stepper::Stepper<'_>) {
        let bytes: Vec<u8> = self.words.iter().flat_map(|word| word.to_ne_bytes()).collect();
        stepper.write(self.address as usize, &bytes);
    }

    /// Texts of several lengths and alignments.
    pub(super) fn dso(&self, index: usize) -> Dso {
        let place = self.address + (TEXTS + 160 * index) as u64;
        let (skip, text_len) = [(0, 64), (3, 60), (5, 8), (0, 64)][index];
        Dso { text_start: place + skip, text_len, table: place + 96, count: 2 }
    }

    /// The table of a DSO: the byte at 4, plainly, and the two at 6, both to 2. That of the second
    /// DSO has a landing with a frame.
    pub(super) fn write_dso(&mut self, index: usize) {
        let dso = self.dso(index);
        let kind = if index == 1 && FRAMES { FRAME } else { 0 };
        for (entry, (start, len, flags)) in [(4, 1, PLAIN), (6, 2, kind)].into_iter().enumerate() {
            let at = dso.table + 16 * entry as u64;
            let relative = |field: u64, target: u64| {
                (dso.text_start + target).wrapping_sub(field) & 0xffff_ffff
            };
            let offset = (at - self.address) as usize;
            self.set(offset, relative(at, start) | len << 32);
            self.set(offset + 8, relative(at + 8, 2) | u64::from(flags) << 32);
        }
        self.set(TEXTS + 160 * index, 0x9090_9090_9090_9090);
    }

    pub(super) fn write_argument(&mut self, index: usize) {
        let Dso { text_start, text_len, table, count } = self.dso(index);
        for (word, value) in [text_start, text_len, table, count].into_iter().enumerate() {
            self.set(ARGUMENT + 8 * word, value);
        }
    }

    /// A word that is likely to matter somewhere.
    pub(super) fn word(&self, chance: &mut Chance) -> u64 {
        let dso = self.dso(chance.below(4) as usize);
        let generation = self.get(8);
        match chance.below(14) {
            0..3 => generation.wrapping_add(chance.below(4)),
            3 => chance.below(5),
            4 => dso.text_start | (1 + chance.below(4)) << KIND_SHIFT,
            5 => (self.address + chance.of(&[LARGER as u64, 0])) | MOVE << KIND_SHIFT,
            6 => dso.table,
            7 => dso.text_len | dso.count << 32,
            8 => ABORT,
            9 => MAGIC,
            10 => chance.of(&[1, 2, CAPACITY, MAX_CAPACITY, MAX_CAPACITY + 1, u64::MAX - 1]),
            11 => dso.text_start,
            12 => self.get(chance.below(PAGE_SIZE as u64 / 8) as usize * 8),
            _ => 0,
        }
    }

    /// A place in one of the areas; rarely, anywhere.
    pub(super) fn place(&self, chance: &mut Chance) -> usize {
        match chance.below(8) {
            0..5 => chance.of(&HEADER_WORDS),
            5 => LARGER + chance.of(&HEADER_WORDS),
            6 => chance.below(area_size(CAPACITY).expect("a size") / 8) as usize * 8,
            _ => TEXTS + chance.below((PAGE_SIZE - TEXTS) as u64 / 8) as usize * 8,
        }
    }

    /// A call of an entry, with arguments that are good or nearly so.
    pub(super) fn call(&mut self, chance: &mut Chance) -> (&'static str, Vec<u64>) {
        let (area, larger) = (self.address, self.address + LARGER as u64);
        let size = area_size(chance.of(&[CAPACITY, CAPACITY + 1, CAPACITY - 1])).expect("a size");
        let dso = chance.below(4) as usize;
        let text = self.dso(dso).text_start;
        match chance.below(16) {
            0..6 => {
                self.write_argument(dso);
                if chance.below(32) == 0 {
                    // More than there can be.
                    [8, 24].into_iter().for_each(|word| self.set(ARGUMENT + word, u32::MAX.into()));
                }
                if chance.below(8) == 0 {
                    self.set(ARGUMENT + 8 * chance.below(4) as usize, self.word(chance));
                }
                (
                    "__vdso_fixup_register",
                    vec![chance.of(&[area, area, area, area + 8]), area + ARGUMENT as u64],
                )
            }
            6..8 => ("__vdso_fixup_unregister", vec![area, chance.of(&[text, text, 1 << 60])]),
            8..10 => {
                let target = chance.of(&[larger, larger, area, area + 64, 0, 8]);
                ("__vdso_fixup_grow", vec![area, target, chance.of(&[size, size, 0, u64::MAX])])
            }
            10..13 => (
                "__vdso_fixup_lookup",
                vec![area, text + chance.of(&[4, 6, 9, 80]), area + OUT as u64],
            ),
            13 => {
                let at = chance.of(&[area, area, area + 8, 0]);
                ("__vdso_fixup_init", vec![at, size, chance.of(&[CAPACITY, CAPACITY, 0, u64::MAX])])
            }
            _ => {
                self.set(CONTEXT + signal::RIP, text + chance.of(&[4, 6, 9]));
                let raised =
                    [(11, 1, 14), (11, 1, 14), (4, 2, 6), (5, 1, 3), (7, 5, 14), (11, 0, 14)];
                let (signal, code, trap) = chance.of(&raised);
                self.raised(signal, code, trap);
                let places = [SIGINFO, CONTEXT].map(|offset| area + offset as u64);
                (
                    "__vdso_fixup_dispatch",
                    vec![chance.of(&[area, area, 0, 8]), places[0], places[1]],
                )
            }
        }
    }
}
