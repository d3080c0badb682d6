//! Errors are what harms a program: nearly all mutants that do are refused, and none that no reader
//! minds.
//!
//! `cargo run --release -p liblinux-check --example harmed` prints the same, class by class.

#[path = "harm/mod.rs"]
mod harm;
#[path = "mutation/mod.rs"]
mod mutation;
#[path = "specimen/mod.rs"]
mod specimen;

use harm::{Score, score};
use liblinux_abi::image::layout::SLOTS;
use liblinux_check::view::frames::{Entry, Frames};
use liblinux_check::{check_as, profile};
use specimen::{File, Specimen, section, symbol};
use std::collections::BTreeSet;

/// Mutants of each class.
const NUMBER: usize = 20;

/// The least share of harmful mutants that is refused, in percent.
const LEAST: usize = 95;

fn scored(name: &str) -> Score {
    let (good, profile) = (Specimen::good(), profile::find(name).expect(name));
    let mut all = Score::default();
    for class in mutation::classes(&good.image).iter().filter(|class| class.is_loaders) {
        all.add(score(&good, class, NUMBER, profile));
    }
    // Too few of a kind would show nothing.
    assert!(all.harmful.all > NUMBER && all.harmless.all > 5 * NUMBER, "{name}: {all:?}");
    all
}

#[test]
fn what_harms_a_program_is_refused_and_what_no_reader_minds_is_not() {
    for name in ["linux-x86-64", "any"] {
        let all = scored(name);
        assert!(all.harmful.refused * 100 >= all.harmful.all * LEAST, "{name}: {all:?}");
        assert_eq!(all.misleading.warned, all.misleading.all, "{name}: {all:?}");
        assert_eq!(all.harmless.refused, 0, "{name}: {all:#?}");
    }
}

/// An entry of call-frame information that ends early says nothing false about the code behind it:
/// tools are warned of, and no program is harmed.
#[test]
fn an_entry_that_ends_early_is_no_error() {
    let (good, profile) = (Specimen::good().image, profile::find("linux-x86-64").expect("it"));
    let view = good.view();
    let named: BTreeSet<u64> =
        view.exports().expect("exports").iter().map(|symbol| symbol.value).collect();
    let frames = Frames::of(&view).expect("call-frame information");
    let entries = frames.entries().expect("entries");
    let is_of_one = |entry: &&Entry<'_>| {
        let start = entry.initial_address();
        start > SLOTS as u64 && entry.len() > 64 && !named.contains(&start)
    };
    let mut shortened = 0;
    for entry in entries.iter().filter(is_of_one).take(8) {
        for part in [2, 3, 4] {
            let mut broken = good.clone();
            // Behind the lengths and the place of the common entry there is the code's start.
            let size = (frames.start + entry.offset() as u64) as usize + 12;
            broken.put32(size, (entry.len() - entry.len() / part) as u32);
            let report = check_as(profile, &broken.bytes, None, None).expect("an image");
            assert!(report.is_good(), "{:#x}:\n{report}", entry.initial_address());
            shortened += 1;
        }
    }
    assert!(shortened > 5, "{shortened} entries were shortened");
}

/// Tables that are wrong about how far code reaches say nothing of the code.
#[test]
fn a_size_of_code_that_is_wrong_is_no_error() {
    let (good, profile) = (Specimen::good().image, profile::find("linux-x86-64").expect("it"));
    let accepted = |broken: &File, what: &str| {
        let report = check_as(profile, &broken.bytes, None, None).expect("an image");
        assert!(report.is_good(), "{what}:\n{report}");
    };
    let view = good.view();
    let text = view.text().expect("code");
    let frames = Frames::of(&view).expect("call-frame information");
    // .text ends within a function.
    for entry in frames.entries().expect("entries").iter().filter(|entry| entry.len() > 512) {
        let mut broken = good.clone();
        let end = entry.initial_address() + entry.len() / 3;
        let size = broken.section(".text") + section::SIZE;
        broken.put64(size, end - text.start);
        accepted(&broken, &format!(".text ends at {end:#x}"));
    }
    let at = good.contents(".dynsym") + 24 * good.export_index("__vdso_getcpu");
    for len in [0x4000, 0x1_0000, 0x8000_0000] {
        let mut broken = good.clone();
        broken.put64(at + symbol::SIZE, len);
        accepted(&broken, &format!("__vdso_getcpu has {len:#x} bytes"));
    }
}

/// Each byte of liblinux is accounted for, so a reader's indifference excuses nothing there.
#[test]
fn liblinux_is_refused_for_more_than_readers_mind() {
    let all = scored("liblinux");
    assert_eq!(all.harmful.refused, all.harmful.all, "{all:?}");
    assert!(all.harmless.refused * 2 > all.harmless.all, "{all:?}");
}
