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
use liblinux_check::profile;
use specimen::Specimen;

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

/// Each byte of liblinux is accounted for, so a reader's indifference excuses nothing there.
#[test]
fn liblinux_is_refused_for_more_than_readers_mind() {
    let all = scored("liblinux");
    assert_eq!(all.harmful.refused, all.harmful.all, "{all:?}");
    assert!(all.harmless.refused * 2 > all.harmless.all, "{all:?}");
}
