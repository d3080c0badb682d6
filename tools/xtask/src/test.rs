//! `cargo xtask test`: everything that can fail, counted.
//!
//! The steps run in the order in which they need each other's products: the style of the sources, the image and its
//! checker, the boots (which unpack and build the kernel), and the crates' own tests, which read the kernel's tree.
//!
//! # Invariants
//!
//! 1. A step that fails does not keep later ones from running, and is counted.
//! 2. The last line is `N passed, N failed`, and the exit status says whether the second N is zero.
//! 3. A step that ran no test counts as failed.
//! 4. Every step runs with the declared programs alone, so that one that is not declared fails here and not only on a
//!    fresh machine.

use crate::boot;
use crate::checked;
use crate::command::{cargo, run};
use crate::image;
use crate::workspace::Workspace;
use anyhow::{Context as _, Result, ensure};
use liblinux_boot::{declared, packages};
use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::time::Instant;

/// The example that is a workspace of its own.
const COPYTREE: &str = "vdso/client/examples/copytree/Cargo.toml";

/// How many tests passed and failed.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    passed: usize,
    failed: usize,
}

impl Tally {
    /// Runs one step, says how long it took, and adds its tests.
    fn step(&mut self, name: &str, work: impl FnOnce() -> Result<Self>) {
        println!("== {name}");
        let start = Instant::now();
        let outcome = work().and_then(|tally| {
            ensure!(tally.passed + tally.failed > 0, "no test ran");
            Ok(tally)
        });
        let tally = outcome.unwrap_or_else(|error| {
            eprintln!("error: {error:#}");
            Self { passed: 0, failed: 1 }
        });
        let seconds = start.elapsed().as_secs_f32();
        println!("== {name}: {} passed, {} failed, {seconds:.1} s\n", tally.passed, tally.failed);
        self.passed += tally.passed;
        self.failed += tally.failed;
    }

    /// A step that is one test.
    fn one(work: impl FnOnce() -> Result<()>) -> impl FnOnce() -> Result<Self> {
        || work().map(|()| Self { passed: 1, failed: 0 })
    }
}

/// Installs the Debian packages that are missing.
pub(crate) fn packages() -> Result<()> {
    packages::require(packages::BOOT)?;
    packages::require(packages::TEST)
}

/// Starts this program again with a `PATH` that has the declared programs alone, unless that is so.
fn with_declared_programs(workspace: &Workspace) -> Result<()> {
    let folder = workspace.root().join("target/declared");
    let path = std::env::var_os("PATH").unwrap_or_default();
    // Cargo's own folder may be put in front on the way.
    if std::env::split_paths(&path).last() == Some(folder.clone()) {
        return Ok(());
    }
    let Some(folder) = declared::folder(&folder, &[packages::BOOT, packages::TEST], &path)? else {
        eprintln!("there is no dpkg here: the tests run with this machine's PATH");
        return Ok(());
    };
    println!("running with PATH={}: the declared programs alone", folder.display());
    let error =
        Command::new(std::env::current_exe()?).args(std::env::args_os().skip(1)).env("PATH", folder).exec();
    Err(error).context("cannot start this program again")
}

/// Runs every test; whether all passed.
pub(crate) fn all(workspace: &Workspace) -> Result<bool> {
    packages()?;
    with_declared_programs(workspace)?;
    let mut tally = Tally::default();
    tally.step(
        "sources are formatted",
        Tally::one(|| {
            run(cargo(workspace).args(["fmt", "--all", "--check"]))?;
            run(cargo(workspace).args(["fmt", "--check", "--manifest-path", COPYTREE]))
        }),
    );
    tally.step("sources have no warnings", Tally::one(|| clippy(workspace)));
    tally.step("image builds and passes the checker", Tally::one(|| checked::image(workspace).map(drop)));
    tally.step(
        "image is the same when built elsewhere",
        Tally::one(|| image::require_reproducible(workspace)),
    );
    tally.step("boots", || boots(workspace));
    tally.step("crates", || crates(workspace));
    println!("{} passed, {} failed", tally.passed, tally.failed);
    Ok(tally.failed == 0)
}

fn clippy(workspace: &Workspace) -> Result<()> {
    let mut clippy = cargo(workspace);
    clippy.args(["clippy", "--quiet", "--locked", "--workspace", "--all-targets", "--", "-Dwarnings"]);
    run(&mut clippy)?;
    let mut clippy = cargo(workspace);
    clippy.args(["clippy", "--quiet", "--locked", "--manifest-path", COPYTREE, "--", "-Dwarnings"]);
    run(&mut clippy)
}

/// Every case but the long ones, which are named; each program's tests count.
fn boots(workspace: &Workspace) -> Result<Tally> {
    let (long, cases): (Vec<_>, Vec<_>) =
        liblinux_boot::list_cases(workspace.root())?.into_iter().partition(|case| case.long);
    for case in long {
        println!("not run, because it takes long: cargo xtask boot --case {}", case.name);
    }
    println!("not run, because it takes long: .ci/quick-start");
    let names: Vec<_> = cases.into_iter().map(|case| case.name).collect();
    let summary = boot::cases(workspace, boot::KERNEL, &names)?;
    let count = summary.count();
    Ok(Tally { passed: count.passed, failed: count.failed })
}

/// The tests of all crates, by cargo's own runner.
fn crates(workspace: &Workspace) -> Result<Tally> {
    boot::kernel(workspace, boot::KERNEL)?;
    let mut test = cargo(workspace);
    test.args(["test", "--quiet", "--locked", "--workspace", "--no-fail-fast"]);
    test.stdout(Stdio::piped());
    let mut child = test.spawn().context("cannot run cargo")?;
    let output = child.stdout.take().context("cargo's output is a pipe")?;
    let mut tally = Tally::default();
    // A test may print what is not text.
    for line in BufReader::new(output).split(b'\n') {
        let line = line.context("cannot read cargo's output")?;
        let line = String::from_utf8_lossy(&line);
        println!("{line}");
        if let Some(counts) = line.strip_prefix("test result: ") {
            tally.passed += count(counts, "passed");
            tally.failed += count(counts, "failed");
        }
    }
    let status = child.wait().context("cannot wait for cargo")?;
    // A crate that does not compile prints no result.
    ensure!(status.success() || tally.failed > 0, "cargo test failed: {status}");
    Ok(tally)
}

/// The number in front of a word.
fn count(text: &str, word: &str) -> usize {
    let mut words = text.split_whitespace().map(|word| word.trim_end_matches(';'));
    let mut number = words.next().unwrap_or_default();
    for next in words {
        if next == word {
            return number.parse().unwrap_or(0);
        }
        number = next;
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_read_from_the_test_runners_last_line() {
        let line = "FAILED. 12 passed; 3 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s";
        assert_eq!((count(line, "passed"), count(line, "failed")), (12, 3));
    }
}
