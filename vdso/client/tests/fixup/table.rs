//! Tables that are made at run time: accepted if and only if the image accepts them.

#![expect(unsafe_code, reason = "registers texts")]

use crate::{PAGE, VDSO, pages, passes};
use liblinux::fixup::{Dso, Entry, FRAME, Fixups, PLAIN, Table, Unsound};
use nix::sys::mman::ProtFlags;
use std::ops::Range;
use std::slice;

/// Bytes of the text.
const LEN: u64 = 6;

/// The entries that are tried: a range, a landing and flags, by their distance from the text.
type Wish = (Range<u64>, u64, u32);

/// The entry for a wish, unchecked.
fn raw(at: u64, text: u64, (range, landing, flags): &Wish) -> Entry {
    let relative = |field: u64, target: u64| text.wrapping_add(target).wrapping_sub(field) as i32;
    let len = range.end.wrapping_sub(range.start) as u32;
    Entry {
        start: relative(at, range.start),
        len,
        landing: relative(at + 8, *landing),
        flags: *flags,
    }
}

#[test]
fn a_table_is_accepted_if_the_image_accepts_it() {
    passes(|| {
        let fixups = Fixups::of_process(&VDSO).unwrap();
        let page = pages(1, ProtFlags::PROT_READ | ProtFlags::PROT_WRITE).as_ptr();
        let text = page.addr() as u64 + 64;
        // SAFETY: behind the text, of zeros, and aligned.
        let entries =
            unsafe { slice::from_raw_parts_mut(page.wrapping_add(PAGE / 2).cast::<Entry>(), 2) };
        let at = entries.as_ptr().addr() as u64;
        let below = 0_u64.wrapping_sub(1);
        let mut wishes = vec![];
        for start in [below, 0, 2, 5, 6] {
            for len in [0, 1, 3, 6, 7] {
                for landing in [below, 0, 5, 6] {
                    for flags in [0, PLAIN, FRAME, PLAIN | FRAME] {
                        wishes.push((start..start.wrapping_add(len), landing, flags));
                    }
                }
            }
        }
        let good: Wish = (2..4, 0, 0);
        let (mut accepted, mut refused) = (0, 0);
        for pair in wishes.iter().flat_map(|wish| {
            [vec![wish.clone()], vec![wish.clone(), good.clone()], vec![good.clone(), wish.clone()]]
        }) {
            let mut table = Table::new(text..text + LEN, entries);
            let made: Result<(), Unsound> = pair.iter().try_for_each(|(range, landing, flags)| {
                let range = text.wrapping_add(range.start)..text.wrapping_add(range.end);
                table.cover(range, text.wrapping_add(*landing), *flags)
            });
            let made = made.and_then(|()| table.dso());
            let made_entries = entries[..pair.len()].to_vec();
            for (index, wish) in pair.iter().enumerate() {
                entries[index] = raw(at + 16 * index as u64, text, wish);
            }
            let dso = Dso { text_start: text, text_len: LEN, table: at, count: pair.len() as u64 };
            // SAFETY: nothing is executed there.
            let registered = unsafe { fixups.register(&dso) };
            assert_eq!(made.is_ok(), registered.is_ok(), "{pair:x?}: {made:?}, {registered:?}");
            if made.is_ok() {
                assert_eq!((made, made_entries.as_slice()), (Ok(dso), &entries[..pair.len()]));
                accepted += 1;
            } else {
                refused += 1;
            }
        }
        assert!(accepted > 20 && refused > 20, "{accepted}, {refused}");
    });
}

#[test]
fn an_error_says_which_rule_was_broken() {
    let mut entries = [Entry::default(); 1];
    let at = 0x7000_0000_0000_u64;
    let text = at - 0x1000..at - 0x100;
    let mut table = Table::new(text.clone(), &mut entries).at(at);
    let (start, end) = (text.start, text.end);
    for (range, landing, flags, error) in [
        (start..start, start, 0, Unsound::Empty),
        (start..start + (1 << 32), start, 0, Unsound::Long),
        (start..end, start + (1 << 33), 0, Unsound::Far),
        (start - (1 << 32)..end - (1 << 32), start, 0, Unsound::Far),
        (start..end, start, 4, Unsound::Flags),
        (start..end + 1, start, 0, Unsound::Range),
        (start..end, end, 0, Unsound::Landing),
    ] {
        assert_eq!(table.cover(range, landing, flags), Err(error));
    }
    assert_eq!(table.dso(), Err(Unsound::Table), "it is empty");
    assert_eq!(table.cover(start + 8..start + 9, start, PLAIN), Ok(()));
    assert_eq!(table.cover(start + 8..start + 9, start, 0), Err(Unsound::Order));
    assert_eq!(table.cover(start + 9..start + 10, start, 0), Err(Unsound::Full));
    assert_eq!(
        table.dso(),
        Ok(Dso { text_start: start, text_len: end - start, table: at, count: 1 })
    );
    assert_eq!(Table::new(text.clone(), &mut entries).at(at + 2).dso(), Err(Unsound::Table));
    let mut empty = Table::new(start..start, &mut entries).at(at);
    assert!(empty.cover(start..start + 1, start, 0).is_err() && empty.dso() == Err(Unsound::Text));
}
