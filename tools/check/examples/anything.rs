//! Judges as many mutants of real images as wanted: none makes the checker panic, hang, or cost
//! more than the bounds.
//!
//! `cargo run --release -p liblinux-check --example anything -- [NUMBER] [FIRST]`
//!
//! judges NUMBER mutants (a million by default) of the images that the example `matrix` has kept
//! and of this workspace's, as the test `anything` does, and tells how many and how fast. FIRST is
//! the first mutant's number, 0 by default: another process can judge others meanwhile. A mutant
//! follows from its number. The number of each that fails is told, and then the status is 1.

#[path = "../tests/anything/mod.rs"]
mod anything;
#[path = "../tests/bounded/mod.rs"]
mod bounded;
#[path = "../tests/kept/mod.rs"]
mod kept;

use anything::Way;
use anything::mutate::{Numbers, mutate};
use liblinux_workspace::{Workspace, line};
use std::process::ExitCode;
use std::time::Instant;

/// One mutant of so many is of this workspace's image, which takes the time of ten others.
const RARE: usize = 64;

/// Mutants between two lines that tell how far it is.
const STEP: u64 = 100_000;

/// Judges the mutant with that number.
fn judge(number: u64, own: &[u8], kept: &[(String, Vec<u8>)]) {
    let mut numbers = Numbers::new(number.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let original = match numbers.below(RARE) {
        0 => own,
        _ => kept.get(numbers.below(kept.len())).map_or(own, |(_, bytes)| bytes),
    };
    let way = Way { profile: numbers.next() as u8, output: numbers.next() as u8 };
    let mut bytes = original.to_vec();
    for _ in 0..=numbers.below(3) {
        mutate(&mut bytes, original.len() + 8192, numbers.next());
    }
    bounded::hold(bytes.len(), || anything::judge(&bytes, way));
}

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1).map(|text| text.parse().expect("a number"));
    let number: u64 = arguments.next().unwrap_or(1_000_000);
    let first: u64 = arguments.next().unwrap_or(0);
    let path = Workspace::current().image(line::DEFAULT);
    let own = std::fs::read(&path)
        .unwrap_or_else(|error| panic!("{}: {error}; run `cargo xtask image`", path.display()));
    let kept = kept::images();
    let start = Instant::now();
    let mut failed = 0;
    for done in 0..number {
        let this = first.wrapping_add(done);
        if std::panic::catch_unwind(|| judge(this, &own, &kept)).is_err() {
            println!("mutant {this} failed: `--example anything -- 1 {this}` repeats it");
            failed += 1;
        }
        let is_told = (done + 1).is_multiple_of(STEP) || done + 1 == number;
        if is_told {
            let rate = (done + 1) as f64 / start.elapsed().as_secs_f64();
            println!("{} mutants of {} images, {rate:.0} a second", done + 1, kept.len() + 1);
        }
    }
    match failed {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}
