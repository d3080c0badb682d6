//! Prints how the checker's errors agree with what readers suffer, class by class: of the mutants
//! that harm a program, how many are refused, and of those that harm none, how many are refused all
//! the same.
//!
//! `cargo run --release -p liblinux-check --example harmed [NUMBER] [PROFILE]`
//!
//! mutates the image of `cargo xtask image`, NUMBER times in each class that loaders read (400 by
//! default), judges the mutants as PROFILE (`linux-x86-64` by default), and ends with 1 if fewer
//! than 95 % of the harmful ones are refused, if one that only misleads tools is not even warned
//! of, or if a harmless one is refused. For liblinux that last is no fault: there every byte is
//! accounted for, and each rule that does not hold is an error.

#[path = "../tests/harm/mod.rs"]
mod harm;
#[path = "../tests/mutation/mod.rs"]
mod mutation;
#[path = "../tests/specimen/mod.rs"]
mod specimen;

use harm::{Count, Score, score};
use liblinux_check::profile;
use specimen::Specimen;
use std::process::ExitCode;

/// The least share of harmful mutants that is refused, in percent.
const LEAST: usize = 95;

fn print(class: &str, score: &Score) {
    let refused = |count: Count| format!("{} of {}", count.refused, count.all);
    let warned = |count: Count| format!("{} of {}", count.warned, count.all);
    println!(
        "{class:<16} {:>14} {:>18} {:>14} {:>14}",
        refused(score.harmful),
        warned(score.misleading),
        refused(score.moved),
        refused(score.harmless)
    );
}

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let number = arguments.next().map_or(400, |text| text.parse().expect("NUMBER is a number"));
    let name = arguments.next().unwrap_or_else(|| "linux-x86-64".into());
    let profile = profile::find(&name).expect("PROFILE is a name of --list");
    let good = Specimen::good();
    println!(
        "{:<16} {:>14} {:>18} {:>14} {:>14}",
        "refused of", "harmful", "misleading (warned)", "moved exports", "harmless"
    );
    let mut all = Score::default();
    for class in mutation::classes(&good.image).iter().filter(|class| class.is_loaders) {
        let score = score(&good, class, number, profile);
        print(class.name, &score);
        all.add(score);
    }
    print("all", &all);
    for (rule, example) in &all.accused {
        println!("a harmless mutant is refused by {rule}: {example}");
    }
    let is_enough = all.harmful.refused * 100 >= all.harmful.all * LEAST && all.harmful.all > 0;
    let is_told = all.misleading.warned == all.misleading.all;
    let is_fair = all.harmless.refused == 0 || profile.is_liblinux();
    if is_enough && is_told && is_fair { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
