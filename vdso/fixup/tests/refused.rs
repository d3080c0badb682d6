//! Tables and memory that are refused, each for one reason.

#[path = "arena/mod.rs"]
mod arena;

use arena::{Arena, Free};
use liblinux_abi::image::fixup::{Dso, MAX_CAPACITY, SEALS, area_size};
use liblinux_fixup::{Error, lookup, registry};
use std::sync::atomic::Ordering::Relaxed;

const CAPACITY: u64 = 4;

#[test]
fn tables_that_are_not_well_formed_are_refused() {
    let arena = Arena::new(16 << 10);
    let area = arena.area(CAPACITY);
    let thread = arena.thread(Free);
    let register = |dso: Dso| registry::register(&thread, area, dso);
    let good = arena.dso(1);
    let first = good.table;
    // Where, by how much the word there is changed, and why that is wrong.
    let changes: [(u64, u64, &str); 9] = [
        (first, (-8_i64).cast_unsigned(), "no length, and another start"),
        (first, 5 << 32, "overlaps with the next"),
        (first, 8, "behind the next"),
        (first, 60, "behind the text"),
        (first + 16, 41 << 32, "longer than the text"),
        (first + 16, (u64::from(u32::MAX) - 8) << 32, "longer than any text"),
        (first + 8, 64, "lands behind the text"),
        (first + 8, 4 << 32, "a flag that is not known"),
        (first + 24, 1 << 63, "a flag that is not known"),
    ];
    for (place, change, why) in changes {
        let word = arena.word(place).expect("memory").load(Relaxed);
        let new = if why.starts_with("no length") {
            word & 0xffff_ffff
        } else {
            word.wrapping_add(change)
        };
        arena.set(place, new);
        assert_eq!(register(good), Err(Error::INVALID), "{why}");
        arena.set(place, word);
    }
    let wrong = [
        Dso { text_len: 0, ..good },
        Dso { text_len: 1 << 32, ..good },
        Dso { text_start: u64::MAX - 10, ..good },
        Dso { text_start: 1 << 56, ..good },
        Dso { count: 0, ..good },
        Dso { count: 1 << 32, ..good },
        Dso { table: good.table + 2, ..good },
        Dso { table: 1 << 56, ..good },
        Dso { table: u64::MAX - 15, ..good },
    ];
    for dso in wrong {
        assert_eq!(register(dso), Err(Error::INVALID), "{dso:x?}");
    }
    assert_eq!(register(Dso { table: 64, ..good }), Err(Error::FAULT));
    assert_eq!(
        register(Dso { count: 1000, ..good }),
        Err(Error::INVALID),
        "the bytes behind it are not a table"
    );
    assert_eq!(register(good), Ok(()));
    assert_eq!(register(good), Err(Error::EXISTS));
}

#[test]
fn areas_are_made_of_what_is_enough() {
    let arena = Arena::new(16 << 10);
    let thread = arena.thread(Free);
    let size = area_size(CAPACITY).expect("a size");
    let area = arena.take(size);
    let init = |address, size, capacity| registry::init(&thread, address, size, capacity);
    for (address, size, capacity) in [
        (area, size - 1, CAPACITY),
        (area, u64::MAX, 0),
        (area, 1 << 40, MAX_CAPACITY + 1),
        (area + 8, size, CAPACITY),
        (area, 1 << 57, CAPACITY),
    ] {
        assert_eq!(
            init(address, size, capacity),
            Err(Error::INVALID),
            "{size} bytes at {address:#x}"
        );
    }
    for address in [0, 64, 1 << 56, u64::MAX - 63] {
        assert_eq!(init(address, size, CAPACITY), Err(Error::FAULT), "{address:#x}");
    }
    assert_eq!(lookup::lookup(&thread, area, area), Err(Error::INVALID), "it was never made");
    assert_eq!(init(area, size, CAPACITY), Ok(()));
    assert_eq!(lookup::lookup(&thread, area, area), Err(Error::ABSENT));
}

/// Callers of an area are led on by so many moves, and more often than that writers may find it
/// full at the same time.
#[test]
fn an_area_that_was_left_is_not_grown_to_the_same_size_again() {
    let arena = Arena::new(1 << 20);
    let thread = arena.thread(Free);
    let area = arena.area(CAPACITY);
    let known = arena.dso(1);
    assert_eq!(registry::register(&thread, area, known), Ok(()));
    let grow = |old, capacity| {
        let size = area_size(capacity).expect("a size");
        let new = arena.take(size);
        registry::grow(&thread, old, new, size).map(|()| new)
    };
    let first = grow(area, 2 * CAPACITY).expect("there is memory");
    for _ in 0..2 * SEALS {
        assert_eq!(grow(area, 2 * CAPACITY), Err(Error::EXISTS));
        assert_eq!(grow(area, CAPACITY), Err(Error::EXISTS));
    }
    assert_eq!(arena.attached(), first);
    // It may grow further, and callers that know where it is may move it as it is.
    grow(area, 4 * CAPACITY).expect("there is memory");
    grow(arena.attached(), 4 * CAPACITY).expect("there is memory");
    assert!(lookup::lookup(&thread, area, known.text_start + 8).is_ok());
    assert_eq!(registry::unregister(&thread, area, known.text_start), Ok(()));
}
