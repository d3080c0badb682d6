//! Areas and tables that no writer has made: random words, and good areas with words changed.
//!
//! # Invariants
//!
//! 1. Whatever the memory holds, no call panics, takes more steps than a bound that was computed
//!    from the constants of the format, or finds a landing outside the text that it says it belongs
//!    to.

#[path = "arena/mod.rs"]
mod arena;

use arena::{Arena, BASE, Free, Hook, Thread};
use liblinux_abi::image::fixup::{
    Dso, Hit, KIND_SHIFT, MAGIC, MAX_CAPACITY, MOVE, SEALS, TRIES, area_size,
};
use liblinux_fixup::{Error, Fault, lookup, registry};
use proptest::prelude::Rng as _;
use proptest::test_runner::{RngAlgorithm, TestRng};
use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

/// Bytes of the memory: small, so that random addresses hit something.
const MEMORY: u64 = 4 << 10;

/// How many areas.
const AREAS: usize = 1_200_000;

/// The most accesses of a lookup: header, search, row, table, entry and fingerprint, for each try
/// in each area.
const READER_STEPS: u64 = (SEALS as u64 + 1) * (2 + TRIES as u64 * (5 + 17 + 4 + 33 + 4 + 24));

/// The most accesses of a writer in memory that no other thread changes: some rounds, each at most
/// a whole buffer of this memory, a table in it, and the patience with a proposer that is dead.
const WRITER_STEPS: u64 = (SEALS as u64 + 1) * 32 * MEMORY;

/// Counts, and stops a call that takes too long.
struct Bounded {
    left: Cell<u64>,
}

impl Hook for Bounded {
    fn step(&self) -> Result<(), Fault> {
        let left = self.left.get();
        assert!(left > 0, "the call takes longer than it may");
        self.left.set(left - 1);
        Ok(())
    }
}

fn bounded(arena: &Arc<Arena>, steps: u64) -> Thread<Bounded> {
    arena.thread(Bounded { left: Cell::new(steps) })
}

/// A good area with three DSOs; its address, and theirs.
fn good() -> (Arc<Arena>, u64, [Dso; 3]) {
    let arena = Arena::new(MEMORY);
    let area = arena.area(6);
    let dsos = [1, 2, 3].map(|mark| arena.dso(mark));
    for dso in dsos {
        registry::register(&arena.thread(Free), area, dso).expect("there is room");
    }
    (arena, area, dsos)
}

/// Random numbers, and words that are likely to matter.
struct Chance(TestRng);

impl Chance {
    fn below(&mut self, end: u64) -> u64 {
        self.0.next_u64() % end
    }

    fn word(&mut self, dsos: &[Dso; 3]) -> u64 {
        match self.below(12) {
            0 => self.below(8),
            1 => MAGIC,
            2 => u64::MAX - self.below(3),
            3 => BASE + self.below(MEMORY),
            4 => (BASE + self.below(MEMORY / 64) * 64) | MOVE << KIND_SHIFT,
            5 => dsos[self.below(3) as usize].text_start | self.below(5) << KIND_SHIFT,
            6 => self.below(64) | self.below(64) << 32,
            7 => self.below(1 << 20) | self.below(MAX_CAPACITY) << 32,
            8 => 1 << self.below(64),
            9 => u64::from(self.0.next_u32()),
            _ => self.0.next_u64(),
        }
    }
}

/// Judges a hit by what the area says about itself.
fn judge(hit: Hit, ip: u64, arena: &Arc<Arena>) {
    let in_some_text = (BASE..BASE + MEMORY).step_by(16).any(|row| {
        // A column of starts holds it, and some sizes cover both places.
        arena.word(row).is_ok_and(|word| word.load(Relaxed) == hit.text_start)
    });
    assert!(in_some_text, "{hit:x?} is of a text that no cell has");
    assert!(hit.landing >= hit.text_start && hit.landing - hit.text_start < 1 << 32, "{hit:x?}");
    assert!(ip >= hit.text_start && ip - hit.text_start < 1 << 32, "{hit:x?} for {ip:#x}");
    assert!(hit.flags <= 1 && hit.landing < 1 << 56, "{hit:x?}");
}

#[test]
fn a_million_areas_do_no_harm() {
    let mut chance = Chance(TestRng::deterministic_rng(RngAlgorithm::XorShift));
    let (original, area, dsos) = good();
    let words = MEMORY / 8;
    let (mut hits, mut changed, mut errors) = (0, 0, [0_u32; 6]);
    let memory = original.fork();
    for round in 0..AREAS {
        // Mostly a good memory with some words changed, sometimes no good word at all.
        let changes = if round % 16 == 0 { words } else { 1 + chance.below(6) };
        let mut places = Vec::with_capacity(8);
        for change in 0..changes {
            let place = if changes == words { change } else { chance.below(words) };
            let value = chance.word(&dsos);
            memory.set(BASE + 8 * place, value);
            places.push(place);
        }
        if changes == words && round % 32 == 0 {
            memory.set(area, MAGIC);
            memory.set(area + 16, 1 + chance.below(8));
        }
        for ip in [dsos[0].text_start + 8, dsos[1].text_start + 20, BASE + chance.below(MEMORY)] {
            match lookup::lookup(&bounded(&memory, READER_STEPS), area, ip) {
                Ok(hit) => {
                    judge(hit, ip, &memory);
                    hits += 1;
                }
                Err(error) => errors[kind(error)] += 1,
            }
        }
        if round % 8 == 0 {
            let dso = dsos[chance.below(3) as usize];
            let thread = bounded(&memory, WRITER_STEPS);
            let outcome = match round / 8 % 3 {
                0 => registry::register(&thread, area, dso),
                1 => registry::unregister(&thread, area, dso.text_start),
                _ => {
                    registry::grow(&thread, area, BASE + MEMORY / 2, area_size(8).expect("a size"))
                }
            };
            match outcome {
                Ok(()) => changed += 1,
                Err(error) => errors[kind(error)] += 1,
            }
            // A writer changes anything.
            places = (0..words).collect();
        }
        for place in places {
            let address = BASE + 8 * place;
            memory.set(address, original.word(address).expect("memory").load(Relaxed));
        }
    }
    println!("{AREAS} areas: {hits} hits, {changed} changes, errors {errors:?}");
    // Both sides were seen, and every kind of error but one: no writer overtakes a reader here.
    assert!(hits > AREAS / 2 && changed > AREAS / 40, "{hits} hits, {changed} changes");
    let kinds = [Error::FAULT, Error::INVALID, Error::EXISTS, Error::ABSENT];
    assert!(kinds.iter().all(|error| errors[kind(*error)] > 100), "{errors:?}");
}

fn kind(error: Error) -> usize {
    let all =
        [Error::FAULT, Error::INVALID, Error::EXISTS, Error::FULL, Error::ABSENT, Error::OVERTAKEN];
    all.iter().position(|known| *known == error).expect("a known error")
}

#[test]
fn areas_that_lead_in_a_circle_come_to_an_end() {
    let arena = Arena::new(MEMORY);
    let [first, second] = [arena.area(2), arena.area(2)];
    for (from, to) in [(first, second), (second, first)] {
        arena.set(from + 64, to | MOVE << KIND_SHIFT);
        arena.set(from + 72, 2);
    }
    let dso = arena.dso(1);
    let found = lookup::lookup(&bounded(&arena, READER_STEPS), first, dso.text_start + 8);
    assert_eq!(found, Err(Error::INVALID));
    assert_eq!(registry::register(&bounded(&arena, WRITER_STEPS), first, dso), Err(Error::INVALID));
}
