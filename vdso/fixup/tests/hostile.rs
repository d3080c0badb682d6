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
    CHUNK_ROWS, Dso, Hit, KIND_SHIFT, MAGIC, MAX_CAPACITY, MOVE, SEALS, TRIES, area_size, chunk,
    counts, fill, range, row, slots,
};
use liblinux_fixup::{Error, Fault, lookup, registry};
use proptest::prelude::Rng as _;
use proptest::test_runner::{RngAlgorithm, TestRng};
use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

/// Areas that are tried: DSOs that there is room for, bytes of the memory, and how many are tried.
/// One of one chunk, and one of two: the memory is small, so that random addresses hit something.
const KINDS: [(u64, u64, usize); 2] = [(6, 4 << 10, 1_200_000), (40, 64 << 10, 60_000)];

/// The most accesses of a lookup: header, ranges, chunk, rows, row, table, entry and fingerprint,
/// for each try in each area.
const READER_STEPS: u64 =
    (SEALS as u64 + 1) * (2 + TRIES as u64 * (5 + 14 + 4 + 6 + 4 + 33 + 4 + 24));

/// The most accesses of a writer in memory that no other thread changes: some rounds, each at most
/// all of this memory, a table in it, and the patience with a proposer that is dead.
const fn writer_steps(memory: u64) -> u64 {
    (SEALS as u64 + 1) * 32 * memory
}

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

/// Random numbers.
struct Chance(TestRng);

impl Chance {
    fn below(&mut self, end: u64) -> u64 {
        self.0.next_u64() % end
    }

    fn of<T: Copy>(&mut self, choices: &[T]) -> T {
        choices[self.below(choices.len() as u64) as usize]
    }
}

/// A process with a good area.
struct Scene {
    arena: Arc<Arena>,
    area: u64,
    capacity: u64,
    memory: u64,
    dsos: Vec<Dso>,
    /// Places of words that are in use: header, ranges, fills and rows.
    used: Vec<u64>,
}

impl Scene {
    /// With as many DSOs as make two chunks, if there is room.
    fn new(capacity: u64, memory: u64) -> Self {
        let arena = Arena::new(memory);
        let area = arena.area(capacity);
        let count = if capacity > CHUNK_ROWS { CHUNK_ROWS + 2 } else { 3 };
        let dsos: Vec<Dso> = (0..count).map(|mark| arena.dso(mark + 1)).collect();
        for dso in &dsos {
            registry::register(&arena.thread(Free), area, *dso).expect("there is room");
        }
        let chunks = slots(capacity).min(2);
        let mut used: Vec<u64> = (0..16).map(|word| 8 * word).collect();
        used.extend((0..chunks * 8).map(|word| range(0, 0) + 8 * word));
        for slot in 0..chunks {
            let chunk = chunk(capacity, slot);
            used.extend([chunk, chunk + 8]);
            used.extend((0..count.min(4) * 16).map(|word| chunk + row(0, 0) + 8 * word));
        }
        used.iter_mut().for_each(|place| *place += area);
        Self { arena, area, capacity, memory, dsos, used }
    }

    /// A word that is likely to matter.
    fn word(&self, chance: &mut Chance) -> u64 {
        let dso = chance.of(&self.dsos);
        match chance.below(15) {
            0 => chance.below(8),
            1 => MAGIC,
            2 => u64::MAX - chance.below(3),
            3 => BASE + chance.below(self.memory),
            4 => (BASE + chance.below(self.memory / 32) * 64) | MOVE << KIND_SHIFT,
            5 => dso.text_start | chance.below(5) << KIND_SHIFT,
            6 => chance.below(64) | chance.below(64) << 32,
            7 => chance.below(1 << 20) | chance.below(MAX_CAPACITY) << 32,
            8 => 1 << chance.below(64),
            9 => chance.0.next_u32().into(),
            10 => counts(chance.below(self.capacity + 2), chance.below(4), chance.below(2)),
            11 => {
                let rows = [chance.below(CHUNK_ROWS + 2), chance.below(CHUNK_ROWS + 2)];
                fill(rows[0], rows[1], chance.below(2), chance.below(2 * self.dsos.len() as u64))
            }
            12 => {
                chunk(self.capacity, chance.below(slots(self.capacity) + 1)) + chance.below(2) * 8
            }
            _ => chance.0.next_u64(),
        }
    }

    /// Judges a hit by what the memory says about itself.
    fn judge(&self, memory: &Arc<Arena>, hit: Hit, ip: u64) {
        // A row has its start, or the arguments of another call.
        let in_some_text = (BASE..BASE + self.memory)
            .step_by(8)
            .any(|row| memory.word(row).is_ok_and(|word| word.load(Relaxed) == hit.text_start));
        assert!(in_some_text, "{hit:x?} is of a text that no cell has");
        assert!(
            hit.landing >= hit.text_start && hit.landing - hit.text_start < 1 << 32,
            "{hit:x?}"
        );
        assert!(ip >= hit.text_start && ip - hit.text_start < 1 << 32, "{hit:x?} for {ip:#x}");
        assert!(hit.flags <= 1 && hit.landing < 1 << 56, "{hit:x?}");
    }

    /// Changes words, mostly some that matter, sometimes all. Their places.
    fn spoil(&self, memory: &Arc<Arena>, chance: &mut Chance, round: usize) -> Vec<u64> {
        let words = self.memory / 8;
        if round % 16 != 0 {
            let place = |chance: &mut Chance| {
                let any = BASE + 8 * chance.below(words);
                if chance.below(2) == 0 { any } else { chance.of(&self.used) }
            };
            let mut places: Vec<u64> = (0..=chance.below(6)).map(|_| place(chance)).collect();
            for place in &places {
                memory.set(*place, self.word(chance));
            }
            if round % 16 == 1 {
                // The registry is elsewhere, or so it says.
                let target = BASE + chance.below(self.memory / 32) * 64;
                let generation = memory.word(self.area + 8).expect("memory").load(Relaxed);
                memory.set(self.area + 64, target | MOVE << KIND_SHIFT);
                memory.set(self.area + 72, generation.wrapping_add(1));
                places.extend([self.area + 64, self.area + 72]);
            }
            return places;
        }
        let places: Vec<u64> = (0..words).map(|word| BASE + 8 * word).collect();
        for place in &places {
            memory.set(*place, self.word(chance));
        }
        if round % 32 == 0 {
            memory.set(self.area, MAGIC);
            memory.set(self.area + 16, 1 + chance.below(self.capacity + 2));
        }
        places
    }

    /// Changes the registry, or tries to.
    fn change(&self, memory: &Arc<Arena>, chance: &mut Chance, round: usize) -> Result<(), Error> {
        let dso = chance.of(&self.dsos);
        let thread = bounded(memory, writer_steps(self.memory));
        match round / 16 % 3 {
            0 => registry::register(&thread, self.area, dso),
            1 => registry::unregister(&thread, self.area, dso.text_start),
            _ => {
                let size = area_size(self.capacity).expect("a size");
                let target = BASE + self.memory / 2;
                registry::grow(&thread, self.area, target, size + chance.below(2) * 128)
            }
        }
    }
}

#[test]
fn a_million_areas_do_no_harm() {
    let mut chance = Chance(TestRng::deterministic_rng(RngAlgorithm::XorShift));
    for (capacity, len, areas) in KINDS {
        let scene = Scene::new(capacity, len);
        let (mut hits, mut changed, mut errors) = (0, 0, [0_u32; 6]);
        let memory = scene.arena.fork();
        for round in 0..areas {
            let mut places = scene.spoil(&memory, &mut chance, round);
            let texts = [chance.of(&scene.dsos), chance.of(&scene.dsos)].map(|dso| dso.text_start);
            for ip in [texts[0] + 8, texts[1] + 20, BASE + chance.below(len)] {
                match lookup::lookup(&bounded(&memory, READER_STEPS), scene.area, ip) {
                    Ok(hit) => {
                        scene.judge(&memory, hit, ip);
                        hits += 1;
                    }
                    Err(error) => errors[kind(error)] += 1,
                }
            }
            if matches!(round % 16, 0 | 1 | 8) {
                match scene.change(&memory, &mut chance, round) {
                    Ok(()) => changed += 1,
                    Err(error) => errors[kind(error)] += 1,
                }
                // A writer changes anything.
                places = (0..len / 8).map(|word| BASE + 8 * word).collect();
            }
            for place in places {
                let word = scene.arena.word(place).expect("memory");
                memory.set(place, word.load(Relaxed));
            }
        }
        println!("{areas} areas: {hits} hits, {changed} changes, errors {errors:?}");
        // Both sides were seen, and every kind of error but one: no writer overtakes a reader here.
        assert!(hits > areas / 2 && changed > areas / 60, "{hits} hits, {changed} changes");
        let kinds = [Error::FAULT, Error::INVALID, Error::EXISTS, Error::ABSENT];
        assert!(kinds.iter().all(|error| errors[kind(*error)] > 100), "{errors:?}");
    }
}

fn kind(error: Error) -> usize {
    let all =
        [Error::FAULT, Error::INVALID, Error::EXISTS, Error::FULL, Error::ABSENT, Error::OVERTAKEN];
    all.iter().position(|known| *known == error).expect("a known error")
}

#[test]
fn areas_that_lead_in_a_circle_come_to_an_end() {
    let arena = Arena::new(4 << 10);
    let [first, second] = [arena.area(2), arena.area(2)];
    for (from, to) in [(first, second), (second, first)] {
        arena.set(from + 64, to | MOVE << KIND_SHIFT);
        arena.set(from + 72, 2);
    }
    let dso = arena.dso(1);
    let found = lookup::lookup(&bounded(&arena, READER_STEPS), first, dso.text_start + 8);
    assert_eq!(found, Err(Error::INVALID));
    assert_eq!(
        registry::register(&bounded(&arena, writer_steps(4 << 10)), first, dso),
        Err(Error::INVALID)
    );
}
