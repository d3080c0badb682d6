//! Prints how the checker's errors agree with what readers suffer, class by class: of the mutants
//! that harm a reader, how many are refused, and how many are at least warned of; and of those that
//! harm none, how many are refused all the same.
//!
//! `cargo run --release -p liblinux-check --example harmed [NUMBER] [PROFILE]`
//!
//! mutates the image of `cargo xtask image`, NUMBER times in each class that loaders read (400 by
//! default), judges the mutants as PROFILE (`linux-x86-64` by default), and ends with 1 if fewer
//! than 95 % of the harmful ones are refused. Readers are asked by their models, which
//! `tests/models` compares with the readers themselves.

#[path = "../tests/mutation/mod.rs"]
mod mutation;
#[path = "../tests/specimen/mod.rs"]
mod specimen;

use liblinux_check::profile::{self, Profile};
use liblinux_check::reader::harms;
use liblinux_check::{Severity, check_as};
use mutation::Class;
use specimen::Specimen;
use std::process::ExitCode;

/// The least share of harmful mutants that is refused, in percent.
const LEAST: usize = 95;

/// Mutants of a class.
#[derive(Clone, Copy, Default)]
struct Score {
    harmful: usize,
    harmful_refused: usize,
    harmful_warned: usize,
    harmless: usize,
    harmless_refused: usize,
}

impl Score {
    fn add(&mut self, other: Self) {
        self.harmful += other.harmful;
        self.harmful_refused += other.harmful_refused;
        self.harmful_warned += other.harmful_warned;
        self.harmless += other.harmless;
        self.harmless_refused += other.harmless_refused;
    }

    fn print(&self, class: &str) {
        println!(
            "{class:<20} {:>9} of {:>5} {:>9} {:>9} of {:>5}",
            self.harmful_refused,
            self.harmful,
            self.harmful_warned,
            self.harmless_refused,
            self.harmless
        );
    }
}

fn score(good: &Specimen, class: &Class, number: usize, profile: &'static Profile) -> Score {
    let machine = profile.machine.expect("a profile of a machine");
    let before = harms(&good.image.bytes, machine).len();
    let mut score = Score::default();
    for index in 0..number {
        let mutant = mutation::mutant(&good.image, class, index);
        let image = mutation::mutated(&good.image, &mutant);
        let is_harmful = harms(&image.bytes, machine).len() > before;
        let report = check_as(profile, &image.bytes, None, None);
        let refused = report.as_ref().map_or(true, |report| !report.is_good());
        let warned = report.map_or(true, |report| {
            report.findings().iter().any(|finding| finding.severity >= Severity::Warning)
        });
        if is_harmful {
            score.harmful += 1;
            score.harmful_refused += usize::from(refused);
            score.harmful_warned += usize::from(warned);
        } else {
            score.harmless += 1;
            score.harmless_refused += usize::from(refused);
        }
    }
    score
}

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let number = arguments.next().map_or(400, |text| text.parse().expect("NUMBER is a number"));
    let name = arguments.next().unwrap_or_else(|| "linux-x86-64".into());
    let profile = profile::find(&name).expect("PROFILE is a name of --list");
    let good = Specimen::good();
    println!("{:<20} {:>18} {:>9} {:>18}", "refused of", "harmful", "warned", "harmless");
    let mut all = Score::default();
    for class in mutation::classes(&good.image).iter().filter(|class| class.is_loaders) {
        let score = score(&good, class, number, profile);
        score.print(class.name);
        all.add(score);
    }
    all.print("all");
    let is_enough = all.harmful_refused * 100 >= all.harmful * LEAST;
    if is_enough && all.harmful > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
