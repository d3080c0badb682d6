//! Marks are of pages, registrations of bytes: a mark for one text brings back no other.

#[path = "arena/mod.rs"]
mod arena;

use arena::{Arena, Free, PAGE, TEXT_LEN, Thread, pages};
use liblinux_abi::image::fixup::Dso;
use liblinux_fixup::{Error, registry};
use proptest::prelude::*;
use std::sync::Arc;

fn register(thread: &Thread<Free>, area: u64, dso: Dso) -> Result<(), Error> {
    registry::register(thread, area, dso)
}

/// An arena, a thread, and an area of the same page as the DSOs that are made next.
fn start(capacity: u64) -> (Arc<Arena>, Thread<Free>, u64) {
    let arena = Arena::new(1 << 16);
    let thread = arena.thread(Free);
    let area = arena.area(capacity);
    // Texts on pages of their own, away from the area's.
    arena.take(2 * PAGE - (arena.take(0) & (PAGE - 1)));
    (arena, thread, area)
}

#[test]
fn texts_of_a_page_that_was_mapped_anew_are_gone() {
    let (arena, thread, area) = start(8);
    let dsos = [1, 2, 3, 4].map(|mark| arena.dso(mark));
    let [first, second, third, fourth] = dsos;
    for dso in [first, second, fourth] {
        register(&thread, area, dso).expect("room");
    }
    arena.map_anew(first.text_start, 1);
    // In front of it and behind it, with the bytes that they had.
    assert_eq!(register(&thread, area, third), Ok(()));
    assert_eq!(arena.starts(area, &dsos), [third.text_start]);
}

#[test]
fn texts_of_a_page_that_is_still_there_stay() {
    let (arena, thread, area) = start(8);
    let dsos = [1, 2, 3].map(|mark| arena.dso(mark));
    for dso in [dsos[0], dsos[2], dsos[1]] {
        assert_eq!(register(&thread, area, dso), Ok(()));
    }
    assert_eq!(arena.starts(area, &dsos), dsos.map(|dso| dso.text_start));
    assert_eq!(register(&thread, area, dsos[1]), Err(Error::EXISTS));
}

/// A library that was unloaded without a word, and is loaded again at the same place.
#[test]
fn the_same_text_again_takes_its_own_place() {
    let (arena, thread, area) = start(2);
    let dso = arena.dso(1);
    register(&thread, area, dso).expect("room");
    arena.map_anew(dso.text_start, TEXT_LEN);
    assert_eq!(register(&thread, area, dso), Ok(()));
    assert_eq!(arena.starts(area, &[dso]), [dso.text_start]);
    assert!(pages(dso.text_start, TEXT_LEN).all(|page| arena.marks().contains(&page)));
}

/// A filter or a kernel without marks says nothing of pages: only the fingerprint is known.
#[test]
fn where_marks_are_not_known_nothing_is_lost() {
    for refusal in [Error::UNKNOWN, Error::check(-1).expect_err("EPERM")] {
        let (arena, thread, area) = start(4);
        let dsos = [1, 2].map(|mark| arena.dso(mark));
        arena.refuse(refusal);
        for dso in dsos {
            assert_eq!(register(&thread, area, dso), Ok(()), "{refusal:?}");
        }
        assert_eq!(arena.starts(area, &dsos), dsos.map(|dso| dso.text_start));
        assert_eq!(register(&thread, area, dsos[0]), Err(Error::EXISTS));
    }
}

#[test]
fn a_text_that_cannot_be_marked_is_not_registered() {
    for failure in [Error::INVALID, Error::NO_MEMORY] {
        let (arena, thread, area) = start(4);
        let [before, dso] = [1, 2].map(|mark| arena.dso(mark));
        register(&thread, area, before).expect("room");
        arena.fail_marks(failure);
        assert_eq!(register(&thread, area, dso), Err(failure));
        assert_eq!(arena.starts(area, &[before, dso]), [before.text_start]);
    }
}

proptest! {
    /// Whatever is registered, removed and mapped anew, no row has an unmarked page when a page has
    /// come to have a mark again: each row whose page is marked was registered since that page was
    /// mapped.
    #[test]
    fn a_mark_is_of_texts_that_were_registered_since(
        steps in prop::collection::vec((0_usize..12, 0..4_u8), 1..80)
    ) {
        let (arena, thread, area) = start(12);
        // Some on each of several pages, and some across their boundaries.
        let dsos: Vec<Dso> = (0..12).map(|mark| {
            if mark % 4 == 3 {
                arena.take(PAGE - 160);
            }
            arena.dso(mark)
        }).collect();
        let mut since = [false; 12];
        for (index, step) in steps {
            let dso = dsos[index];
            match step {
                0 | 1 => {
                    let outcome = register(&thread, area, dso);
                    prop_assert_eq!(outcome, if since[index] { Err(Error::EXISTS) } else { Ok(()) });
                    since[index] = true;
                }
                2 => {
                    let _ = registry::unregister(&thread, area, dso.text_start);
                    since[index] = false;
                }
                _ => {
                    arena.map_anew(dso.text_start, dso.text_len);
                    let gone = pages(dso.text_start, dso.text_len);
                    for (other, known) in dsos.iter().zip(&mut since) {
                        let mut own = pages(other.text_start, other.text_len);
                        *known &= !own.any(|page| gone.contains(&page));
                    }
                }
            }
            let (starts, marks) = (arena.starts(area, &dsos), arena.marks());
            for (other, known) in dsos.iter().zip(since) {
                let lands = starts.contains(&other.text_start)
                    && pages(other.text_start, other.text_len).all(|page| marks.contains(&page));
                prop_assert_eq!(lands, known, "{:#x}", other.text_start);
            }
        }
    }
}
