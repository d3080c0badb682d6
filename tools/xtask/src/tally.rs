//! Steps of a run, and how many tests passed, failed and were skipped in them.
//!
//! # Invariants
//!
//! 1. A step that fails does not keep later ones from running, and is counted.
//! 2. A step that ran no test and skipped none counts as failed.
//! 3. A step that fails ends with the command that runs it alone.

use anyhow::{Result, ensure};
use liblinux_workspace::Workspace;
use std::fmt;
use std::time::Instant;

/// One step of a run.
pub(crate) struct Step {
    /// Its name, as `--step` takes it.
    pub(crate) name: &'static str,
    /// What it does.
    pub(crate) about: &'static str,
    /// The work.
    pub(crate) run: fn(&Workspace) -> Result<Tally>,
}

/// How many tests passed, failed and were skipped.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Those that passed.
    pub(crate) passed: usize,
    /// Those that failed.
    pub(crate) failed: usize,
    /// Those that could not run here.
    pub(crate) skipped: usize,
}

impl Tally {
    /// A step that is one test, and passed.
    pub(crate) const PASSED: Self = Self { passed: 1, failed: 0, skipped: 0 };

    /// A step that is one test, which cannot run here.
    pub(crate) const SKIPPED: Self = Self { passed: 0, failed: 0, skipped: 1 };

    /// The same with the tests of another.
    pub(crate) fn plus(self, other: Self) -> Self {
        Self {
            passed: self.passed + other.passed,
            failed: self.failed + other.failed,
            skipped: self.skipped + other.skipped,
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} passed, {} failed", self.passed, self.failed)?;
        if self.skipped > 0 { write!(out, ", {} skipped", self.skipped) } else { Ok(()) }
    }
}

/// Runs steps one after the other, says of each how long it took, and adds their tests.
pub(crate) fn run(workspace: &Workspace, steps: &[&Step]) -> Tally {
    let mut sum = Tally::default();
    for (step, number) in steps.iter().zip(1..) {
        println!("== {number} of {}, {}: {}", steps.len(), step.name, step.about);
        let start = Instant::now();
        let tally = judged((step.run)(workspace)).unwrap_or_else(|error| {
            eprintln!("error: {error:#}");
            Tally { failed: 1, ..Tally::default() }
        });
        println!("== {}: {tally}, {:.1} s", step.name, start.elapsed().as_secs_f32());
        if tally.failed > 0 {
            println!("to repeat this step alone: cargo xtask test --step {}", step.name);
        }
        println!();
        sum = sum.plus(tally);
    }
    sum
}

/// The tests of a step, of which there is at least one.
fn judged(outcome: Result<Tally>) -> Result<Tally> {
    outcome.and_then(|tally| {
        ensure!(tally != Tally::default(), "no test ran");
        Ok(tally)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::bail;

    fn step(run: fn(&Workspace) -> Result<Tally>) -> Step {
        Step { name: "x", about: "a step of this test", run }
    }

    #[test]
    fn skips_are_said_only_if_there_are_any() {
        assert_eq!(Tally { passed: 2, failed: 1, skipped: 0 }.to_string(), "2 passed, 1 failed");
        assert_eq!(
            Tally { passed: 2, failed: 0, skipped: 3 }.to_string(),
            "2 passed, 0 failed, 3 skipped"
        );
    }

    #[test]
    fn a_step_that_fails_or_runs_nothing_is_counted_and_later_ones_run() {
        let steps = [
            step(|_| Ok(Tally::PASSED)),
            step(|_| bail!("this step of a test fails, as it should")),
            step(|_| Ok(Tally::default())),
            step(|_| Ok(Tally::SKIPPED)),
        ];
        let sum = run(&Workspace::current(), &steps.iter().collect::<Vec<_>>());
        assert_eq!(sum, Tally { passed: 1, failed: 2, skipped: 1 });
    }
}
