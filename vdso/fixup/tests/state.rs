//! States: saved and restored, and bytes that are none.

#[path = "arena/mod.rs"]
mod arena;

use arena::{Arena, Free, PAGE, pages};
use liblinux_abi::image::fixup::{Dso, area_size, counts};
use liblinux_abi::image::state::{MAGIC, SIZE};
use liblinux_abi::kernel::errno::EBUSY;
use liblinux_fixup::{Error, registry, state};
use proptest::prelude::*;
use std::collections::BTreeSet;

const BUFFER: u64 = SIZE;

/// The pages of these texts.
fn marks_of(dsos: &[Dso]) -> BTreeSet<u64> {
    dsos.iter().flat_map(|dso| pages(dso.text_start, dso.text_len)).collect()
}

#[test]
fn a_restored_process_has_its_area_and_its_marks() {
    let arena = Arena::new(1 << 16);
    let thread = arena.thread(Free);
    let area = arena.area(4);
    let dsos = [arena.dso(1), arena.dso(2)];
    for dso in dsos {
        registry::register(&thread, area, dso).expect("room");
    }
    let marks = arena.marks();
    assert_eq!(marks, marks_of(&dsos));
    let buffer = arena.take(BUFFER);
    assert_eq!(state::save(&thread, buffer, BUFFER), Ok(SIZE));

    arena.forget();
    assert_eq!(state::restore(&thread, buffer, BUFFER), Ok(()));
    assert_eq!((arena.attached(), arena.marks()), (area, marks));
    assert_eq!(state::restore(&thread, buffer, BUFFER), Ok(()), "once more changes nothing");

    arena.forget();
    let other = arena.area(4);
    assert_eq!(state::restore(&thread, buffer, BUFFER), Error::check(-EBUSY));
    assert_eq!(arena.attached(), other);
}

#[test]
fn no_area_is_a_state_as_well() {
    let arena = Arena::new(1 << 12);
    let thread = arena.thread(Free);
    let buffer = arena.take(BUFFER);
    assert_eq!(state::save(&thread, buffer, BUFFER), Ok(SIZE));
    let area = arena.area(1);
    assert_eq!(arena.attached(), area);
    assert_eq!(state::restore(&thread, buffer, BUFFER), Ok(()));
    assert_eq!(arena.attached(), 0, "what was not attached then is not now");
}

#[test]
fn the_room_is_asked_for_and_checked() {
    let arena = Arena::new(1 << 12);
    let thread = arena.thread(Free);
    let buffer = arena.take(BUFFER);
    assert_eq!(state::save(&thread, 0, 0), Ok(SIZE));
    assert_eq!(state::save(&thread, buffer, SIZE - 1), Err(Error::SHORT));
    assert_eq!(state::restore(&thread, buffer, SIZE - 1), Err(Error::INVALID));
    for address in [0, u64::MAX - 7, 1 << 63] {
        assert_eq!(state::save(&thread, address, SIZE), Err(Error::FAULT));
        assert_eq!(state::restore(&thread, address, SIZE), Err(Error::FAULT));
    }
}

#[test]
fn a_registry_that_has_moved_is_found() {
    let arena = Arena::new(1 << 16);
    let thread = arena.thread(Free);
    let old = arena.area(1);
    let (first, second) = (arena.dso(1), arena.dso(2));
    registry::register(&thread, old, first).expect("room");
    let buffer = arena.take(BUFFER);
    assert_eq!(state::save(&thread, buffer, BUFFER), Ok(SIZE));
    let size = area_size(2).expect("a size");
    let new = arena.take(size);
    registry::grow(&thread, old, new, size).expect("moved");
    registry::register(&thread, old, second).expect("room");

    arena.forget();
    assert_eq!(state::restore(&thread, buffer, BUFFER), Ok(()));
    assert_eq!(arena.attached(), new);
    assert_eq!(arena.marks(), marks_of(&[first, second]));
    assert_eq!(state::restore(&thread, buffer, BUFFER), Ok(()), "it leads to what is attached");
    assert_eq!(arena.attached(), new);
}

#[test]
fn a_text_that_was_replaced_is_not_marked() {
    let arena = Arena::new(1 << 16);
    let thread = arena.thread(Free);
    let area = arena.area(4);
    let kept = arena.dso(1);
    arena.take(PAGE);
    let replaced = arena.dso(2);
    for dso in [kept, replaced] {
        registry::register(&thread, area, dso).expect("room");
    }
    let buffer = arena.take(BUFFER);
    assert_eq!(state::save(&thread, buffer, BUFFER), Ok(SIZE));
    arena.set(replaced.text_start, 3);
    arena.forget();
    assert_eq!(state::restore(&thread, buffer, BUFFER), Ok(()));
    assert_eq!((arena.attached(), arena.marks()), (area, marks_of(&[kept])));
    assert_eq!(arena.starts(area, &[kept, replaced]), [kept, replaced].map(|dso| dso.text_start));
}

/// The mark of a page would be theirs, too.
#[test]
fn texts_that_were_replaced_beside_one_that_was_not_are_removed() {
    let arena = Arena::new(1 << 16);
    let thread = arena.thread(Free);
    let area = arena.area(8);
    let dsos = [1, 2, 3, 4, 5].map(|mark| arena.dso(mark));
    let marks = marks_of(&dsos);
    assert_eq!(marks.len(), 1, "one page");
    for dso in dsos {
        registry::register(&thread, area, dso).expect("room");
    }
    let buffer = arena.take(BUFFER);
    assert_eq!(state::save(&thread, buffer, BUFFER), Ok(SIZE));
    for replaced in [0, 1, 3, 4] {
        arena.set(dsos[replaced].text_start, 9);
    }
    arena.forget();
    assert_eq!(state::restore(&thread, buffer, BUFFER), Ok(()));
    assert_eq!((arena.attached(), arena.marks()), (area, marks));
    assert_eq!(arena.starts(area, &dsos), [dsos[2].text_start]);
}

#[test]
fn a_header_without_a_registry_is_not_left_attached() {
    let arena = Arena::new(1 << 12);
    let thread = arena.thread(Free);
    let area = arena.area(4);
    let buffer = arena.take(BUFFER);
    assert_eq!(state::save(&thread, buffer, BUFFER), Ok(SIZE));
    // More DSOs than there is room for.
    arena.set(area + 48, counts(5, 1, 0));
    assert_eq!(state::restore(&thread, buffer, BUFFER), Err(Error::INVALID));
    assert_eq!(arena.attached(), area, "it was before");
    arena.forget();
    assert_eq!(state::restore(&thread, buffer, BUFFER), Err(Error::INVALID));
    assert_eq!(arena.attached(), 0);
}

#[test]
fn what_a_filter_refuses_is_not_saved_as_nothing() {
    let arena = Arena::new(1 << 12);
    let thread = arena.thread(Free);
    let area = arena.area(1);
    let buffer = arena.take(BUFFER);
    assert_eq!(state::save(&thread, buffer, BUFFER), Ok(SIZE));
    // EPERM
    let refused = Error::check(-1).expect_err("an error");
    arena.refuse(refused);
    assert_eq!(state::save(&thread, buffer, BUFFER), Err(refused));
    assert_eq!(state::restore(&thread, buffer, BUFFER), Err(refused));
    assert_eq!(arena.attached(), area);
    // As a kernel without fixups, which has nothing to save.
    arena.refuse(Error::UNKNOWN);
    assert_eq!(state::save(&thread, buffer, BUFFER), Ok(SIZE));
    assert_eq!(state::restore(&thread, buffer, BUFFER), Ok(()));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20_000, ..ProptestConfig::default() })]

    /// Whatever the bytes are, nothing is attached but an area, and nothing is marked but what is
    /// registered there.
    #[test]
    fn hostile_bytes_attach_no_rubbish(
        magic in prop_oneof![4 => Just(MAGIC), 1 => any::<u64>()],
        size in prop_oneof![4 => Just(SIZE), 1 => any::<u64>()],
        place in prop_oneof![2 => Just(None), 1 => any::<u64>().prop_map(Some), 2 => (0..1_u64 << 12).prop_map(|at| Some(arena::BASE + at))],
        area_size in prop_oneof![Just(area_size(4).expect("a size")), any::<u64>()],
    ) {
        let arena = Arena::new(1 << 12);
        let thread = arena.thread(Free);
        let area = arena.area(4);
        let dso = arena.dso(1);
        registry::register(&thread, area, dso).expect("room");
        arena.forget();
        let buffer = arena.take(BUFFER);
        let place = place.unwrap_or(area);
        for (index, word) in (0..).zip([magic, size, place, area_size]) {
            arena.set(buffer + 8 * index, word);
        }
        let outcome = state::restore(&thread, buffer, SIZE);
        if outcome.is_ok() && place != 0 {
            prop_assert!(magic == MAGIC && size == SIZE);
            prop_assert_eq!(arena.attached(), area);
            prop_assert_eq!(arena.marks(), marks_of(&[dso]));
        } else {
            prop_assert_eq!(arena.attached(), 0);
            prop_assert!(arena.marks().is_subset(&marks_of(&[dso])));
        }
    }
}
