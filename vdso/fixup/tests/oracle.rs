//! Sequences of calls against a plain map that does the same.

#[path = "arena/mod.rs"]
mod arena;

use arena::{Arena, Free, TEXT_LEN};
use liblinux_abi::image::fixup::{Dso, area_size};
use liblinux_fixup::{Error, lookup, registry};
use proptest::prelude::*;
use std::collections::BTreeMap;

const CAPACITY: u64 = 4;

/// DSOs that a sequence has to do with.
const DSOS: usize = 7;

/// DSOs of the test with several chunks.
const MANY: u64 = 96;

/// One call, or what a program does between two.
#[derive(Clone, Debug)]
enum Step {
    /// Registers part of a DSO's text.
    Register {
        dso: usize,
        from: u64,
        len: u64,
    },
    Unregister {
        dso: usize,
        from: u64,
    },
    Lookup {
        dso: usize,
        at: u64,
    },
    /// Moves to an area for more or less.
    Grow {
        more: i64,
    },
    /// Another text takes the place of this one.
    Replace {
        dso: usize,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let dso = 0..DSOS;
    prop_oneof![
        4 => (dso.clone(), prop_oneof![3 => Just(0), 1 => 0..=8_u64], prop_oneof![3 => Just(TEXT_LEN), 1 => 49..=TEXT_LEN])
            .prop_map(|(dso, from, len)| Step::Register { dso, from, len }),
        2 => (dso.clone(), prop_oneof![3 => Just(0), 1 => 0..=8_u64]).prop_map(|(dso, from)| Step::Unregister { dso, from }),
        4 => (dso.clone(), 0..TEXT_LEN).prop_map(|(dso, at)| Step::Lookup { dso, at }),
        1 => (-1..3_i64).prop_map(|more| Step::Grow { more }),
        1 => dso.prop_map(|dso| Step::Replace { dso }),
    ]
}

/// The registry as it should be.
#[derive(Debug)]
struct Oracle {
    capacity: u64,
    /// By start: length, and whether the text is still the one that was registered.
    texts: BTreeMap<u64, (u64, bool)>,
}

impl Oracle {
    fn register(&mut self, start: u64, len: u64, is_valid: bool) -> Result<(), Error> {
        if !is_valid {
            return Err(Error::INVALID);
        }
        let overlaps = |(other, (other_len, _)): (&u64, &(u64, bool))| {
            *other < start + len && start < other + other_len
        };
        // Stale ones go, from the last that is in the way, until one is found that is not stale.
        loop {
            let found = self.texts.iter().rev().find(|(other, found)| overlaps((other, found)));
            match found.map(|(other, (_, is_fresh))| (*other, *is_fresh)) {
                None => break,
                Some((_, true)) => return Err(Error::EXISTS),
                Some((other, false)) => drop(self.texts.remove(&other)),
            }
        }
        if self.texts.len() as u64 == self.capacity {
            return Err(Error::FULL);
        }
        self.texts.insert(start, (len, true));
        Ok(())
    }

    /// The landing, from the start of the DSO.
    fn lookup(&self, dso: &Dso, at: u64) -> Result<u64, Error> {
        let address = dso.text_start + at;
        let text =
            self.texts.iter().find(|(start, (len, _))| (**start..**start + len).contains(&address));
        let landing = match at {
            8..12 => 40,
            16..24 => 48,
            _ => return Err(Error::ABSENT),
        };
        match text {
            Some((_, (_, true))) => Ok(dso.text_start + landing),
            _ => Err(Error::ABSENT),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_registry_does_what_a_map_does(steps in prop::collection::vec(step(), 1..60)) {
        let arena = Arena::new(256 << 10);
        let area = arena.area(CAPACITY);
        let dsos: Vec<Dso> = (0..DSOS as u64).map(|mark| arena.dso(mark + 1)).collect();
        let mut oracle = Oracle { capacity: CAPACITY, texts: BTreeMap::new() };
        let mut has_moved = false;
        let thread = arena.thread(Free);
        for step in steps {
            match step {
                Step::Register { dso, from, len } => {
                    let dso = dsos[dso];
                    let (start, len) = (dso.text_start + from, len.min(TEXT_LEN - from));
                    // Landings are at 40 and 48, the covered bytes start at 8.
                    let is_valid = from + len > 48;
                    let found = registry::register(&thread, area, Dso { text_start: start, text_len: len, ..dso });
                    prop_assert_eq!(found, oracle.register(start, len, is_valid));
                }
                Step::Unregister { dso, from } => {
                    let start = dsos[dso].text_start + from;
                    let expected = oracle.texts.remove(&start).map(drop).ok_or(Error::ABSENT);
                    prop_assert_eq!(registry::unregister(&thread, area, start), expected);
                }
                Step::Lookup { dso, at } => {
                    let found = lookup::lookup(&thread, area, dsos[dso].text_start + at);
                    prop_assert_eq!(found.map(|hit| hit.landing), oracle.lookup(&dsos[dso], at));
                }
                Step::Grow { more } => {
                    let capacity = oracle.capacity.saturating_add_signed(more).max(1);
                    let size = area_size(capacity).expect("a size");
                    let target = arena.take(size);
                    let expected = if has_moved && capacity <= oracle.capacity {
                        Err(Error::EXISTS)
                    } else if capacity < oracle.capacity {
                        Err(Error::INVALID)
                    } else {
                        Ok(())
                    };
                    // Callers hold the first area, and are led on at most 16 times.
                    let found = registry::grow(&thread, area, target, size);
                    if found == Err(Error::INVALID) && expected != found {
                        return Ok(());
                    }
                    prop_assert_eq!(found, expected);
                    if expected.is_ok() {
                        oracle.capacity = capacity;
                        has_moved = true;
                        prop_assert_eq!(arena.attached(), target, "the kernel has the new area");
                    }
                }
                Step::Replace { dso } => {
                    let dso = dsos[dso];
                    let word = arena.word(dso.text_start + 8).expect("memory");
                    word.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                    for (start, (_, is_fresh)) in &mut oracle.texts {
                        if (dso.text_start..dso.text_start + TEXT_LEN).contains(start) {
                            *is_fresh = false;
                        }
                    }
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    /// Chunks are split and merged, and after each call the area is in order and has what a map
    /// has.
    /// Long texts reach over the next one's place, which may be where a range began.
    #[test]
    fn many_chunks_have_what_a_map_has(
        steps in prop::collection::vec((0..MANY as usize, 0..8_u8, any::<bool>()), 1..600)
    ) {
        let arena = Arena::new(256 << 10);
        let area = arena.area(MANY);
        let thread = arena.thread(Free);
        let dsos: Vec<Dso> = (0..MANY).map(|mark| arena.dso(mark + 1)).collect();
        let long = |dso: &Dso| Dso { text_len: TEXT_LEN + 96, ..*dso };
        let known: Vec<Dso> = dsos.iter().copied().chain(dsos.iter().map(long)).collect();
        let mut oracle: BTreeMap<u64, u64> = BTreeMap::new();
        // Full at first, so that there is something to remove.
        for dso in &dsos {
            registry::register(&thread, area, *dso).expect("there is room");
            oracle.insert(dso.text_start, dso.text_len);
        }
        for (index, kind, is_few) in steps {
            // Few of them at the beginning, so that whole chunks come and go.
            let index = if is_few { index % 24 } else { index };
            let dso = if kind == 0 { long(&dsos[index]) } else { dsos[index] };
            let (start, len) = (dso.text_start, dso.text_len);
            if kind < 4 {
                let is_taken = oracle.iter().any(|(at, size)| *at < start + len && start < at + size);
                let full = oracle.len() as u64 == MANY;
                let expected = match (is_taken, full) {
                    (true, _) => Err(Error::EXISTS),
                    (_, true) => Err(Error::FULL),
                    _ => Ok(()),
                };
                prop_assert_eq!(registry::register(&thread, area, dso), expected);
                if expected.is_ok() {
                    oracle.insert(start, len);
                }
            } else {
                let expected = oracle.remove(&start).map(drop).ok_or(Error::ABSENT);
                prop_assert_eq!(registry::unregister(&thread, area, start), expected);
            }
            prop_assert!(arena.starts(area, &known).iter().eq(oracle.keys()));
            for dso in &dsos {
                let found = lookup::lookup(&thread, area, dso.text_start + 8).is_ok();
                prop_assert_eq!(found, oracle.contains_key(&dso.text_start));
            }
        }
    }
}

#[test]
fn a_full_area_of_a_thousand_dsos_finds_each_of_them() {
    let arena = Arena::new(1 << 20);
    let area = arena.area(1024);
    let thread = arena.thread(Free);
    let dsos: Vec<Dso> = (0..1024).map(|mark| arena.dso(mark + 1)).collect();
    // Not in order: a stride that visits all.
    for index in 0..1024 {
        registry::register(&thread, area, dsos[index * 389 % 1024]).expect("there is room");
    }
    let more = arena.dso(5000);
    assert_eq!(registry::register(&thread, area, more), Err(Error::FULL));
    assert!(dsos.iter().all(|dso| arena.finds(&thread, area, dso)));
    assert!(!arena.finds(&thread, area, &more));
}
