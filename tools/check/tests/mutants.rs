//! The score, kept: of what loaders read, no mutant survives without a reason; of code, most do
//! not.
//!
//! `cargo run --release -p liblinux-check --example mutants` prints the scores of all classes.

#[path = "mutation/mod.rs"]
mod mutation;
#[path = "specimen/mod.rs"]
mod specimen;

use mutation::Setting;
use specimen::Specimen;

/// Mutants of each class.
const NUMBER: usize = 50;

#[test]
fn no_mutant_of_what_loaders_read_is_accepted_without_a_reason() {
    let good = Specimen::good();
    let mut survivors = Vec::new();
    let mut explained = 0;
    let classes = mutation::classes(&good.image);
    let loaders = classes.iter().filter(|class| class.is_loaders);
    for class in loaders {
        for number in 0..NUMBER {
            let mutant = mutation::mutant(&good.image, class, number);
            if mutation::is_refused(&good, &mutant, Setting::Alone) {
                continue;
            }
            match mutation::reason(&good.image, &mutant) {
                Some(_) => explained += 1,
                None => survivors
                    .push(format!("{}: {:02x?} at {:#x}", class.name, mutant.bytes, mutant.at)),
            }
        }
    }
    assert!(survivors.is_empty(), "{survivors:#?}");
    // A mutator that changed nothing, or a checker that refused all, would pass as well.
    assert!(explained > 0, "not even another build-id was accepted");
}

#[test]
fn a_fault_in_the_image_alone_never_passes_beside_its_twin() {
    let good = Specimen::good();
    let mut survivors = Vec::new();
    for class in mutation::classes(&good.image).iter().filter(|class| !class.is_loaders) {
        for number in 0..NUMBER / 5 {
            let mutant = mutation::mutant(&good.image, class, number);
            if !mutation::is_refused(&good, &mutant, Setting::Beside) {
                survivors
                    .push(format!("{}: {:02x?} at {:#x}", class.name, mutant.bytes, mutant.at));
            }
        }
    }
    assert!(survivors.is_empty(), "{survivors:#?}");
}

/// Least refused, in percent, of mutants of code, with no other file to compare with. Another build
/// of the image stays above these floors, and the floors are far above the score of a checker that
/// does not follow paths.
const CODE: &[(&str, usize)] =
    &[("slots", 95), ("hot page", 35), ("other entries", 70), ("bodies", 50), ("cold code", 30)];

#[test]
fn code_is_judged_without_anything_to_compare_it_with() {
    let good = Specimen::good();
    let classes = mutation::classes(&good.image);
    for (name, least) in CODE {
        let class = classes.iter().find(|class| class.name == *name).expect(name);
        let refused = (0..2 * NUMBER)
            .filter(|number| {
                mutation::is_refused(
                    &good,
                    &mutation::mutant(&good.image, class, *number),
                    Setting::Alone,
                )
            })
            .count();
        let percent = 100 * refused / (2 * NUMBER);
        assert!(
            (*least..100 + usize::from(*least > 90)).contains(&percent),
            "{name}: {percent} % are refused"
        );
    }
}
