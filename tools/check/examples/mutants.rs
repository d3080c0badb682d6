//! Prints the checker's score: of the mutants of each class, how many it refuses.
//!
//! `cargo run --release -p liblinux-check --example mutants [NUMBER] [CLASS]`
//!
//! mutates the image of `cargo xtask image`, NUMBER times in each class (400 by default), and ends
//! with 1 if a mutant of what loaders read survives without a reason.

#[path = "../tests/mutation/mod.rs"]
mod mutation;
#[path = "../tests/specimen/mod.rs"]
mod specimen;

use mutation::{Class, Setting};
use specimen::Specimen;
use std::collections::BTreeMap;
use std::process::ExitCode;

/// Refused and tried.
type Score = (usize, usize);

fn percent((refused, tried): Score) -> String {
    match (100 * refused).checked_div(tried) {
        Some(percent) => format!("{refused} of {tried}, {percent} %"),
        None => "-".into(),
    }
}

/// The scores of a class in the three settings; survivors without the unstripped image go to
/// `survivors`.
fn scores(
    good: &Specimen,
    class: &Class,
    number: usize,
    survivors: &mut Vec<(usize, Vec<u8>)>,
) -> [Score; 3] {
    let mut scores = [(0, 0); 3];
    for index in 0..number {
        let mutant = mutation::mutant(&good.image, class, index);
        for (score, setting) in
            scores.iter_mut().zip([Setting::Alone, Setting::Beside, Setting::Both])
        {
            if setting == Setting::Both && !mutation::is_in_both(good, &mutant) {
                continue;
            }
            let is_refused = mutation::is_refused(good, &mutant, setting);
            *score = (score.0 + usize::from(is_refused), score.1 + 1);
            if !is_refused && setting == Setting::Alone {
                survivors.push((mutant.at, mutant.bytes.clone()));
            }
        }
    }
    scores
}

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let number = arguments.next().map_or(400, |text| text.parse().expect("NUMBER is a number"));
    let only = arguments.next();
    let good = Specimen::good();
    for setting in [Setting::Alone, Setting::Beside] {
        let same = mutation::Mutant { at: 0, bytes: good.image.bytes[..4].to_vec() };
        assert!(
            !mutation::is_refused(&good, &same, setting),
            "the image itself is refused: `cargo xtask check` says why"
        );
    }
    let mut totals = [(0, 0); 3];
    let mut reasons: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    let mut unexplained = Vec::new();
    println!(
        "{:<20} {:>18} {:>18} {:>18}",
        "refused of tried", "image alone", "sound .dbg beside", "fault in both"
    );
    for class in mutation::classes(&good.image)
        .iter()
        .filter(|class| only.as_deref().is_none_or(|only| class.name == only))
    {
        let mut survivors = Vec::new();
        let row = scores(&good, class, number, &mut survivors);
        totals
            .iter_mut()
            .zip(row)
            .for_each(|(total, score)| *total = (total.0 + score.0, total.1 + score.1));
        println!(
            "{:<20} {:>18} {:>18} {:>18}",
            class.name,
            percent(row[0]),
            percent(row[1]),
            percent(row[2])
        );
        for (at, bytes) in survivors {
            let mutant = mutation::Mutant { at, bytes };
            match mutation::reason(&good.image, &mutant) {
                Some(why) if class.is_loaders => {
                    *reasons.entry((class.name, why)).or_default() += 1
                }
                None if class.is_loaders || only.is_some() => {
                    unexplained
                        .push(format!("{}: {:02x?} at {:#x}", class.name, mutant.bytes, mutant.at));
                }
                _ => {}
            }
        }
    }
    println!(
        "{:<20} {:>18} {:>18} {:>18}",
        "all",
        percent(totals[0]),
        percent(totals[1]),
        percent(totals[2])
    );
    println!("\nsurvivors of what loaders read, without the unstripped image:");
    for ((class, why), count) in &reasons {
        println!("{class}: {count} times {why}");
    }
    for what in &unexplained {
        println!("without a reason: {what}");
    }
    if reasons.is_empty() && unexplained.is_empty() {
        println!("none");
    }
    if unexplained.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
