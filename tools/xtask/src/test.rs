//! `cargo xtask test`: everything that can fail, counted.
//!
//! The steps run in the order in which they need each other's products: the style of the sources,
//! the image and its checker, the boots (which unpack and build the kernel), and the crates' own
//! tests, which read the kernel's tree.
//!
//! # Invariants
//!
//! 1. The last line begins with `N passed, N failed`, and the exit status says whether the second N
//!    is zero.
//! 2. Every step runs with the declared programs alone, so that one that is not declared fails here
//!    and not only on a fresh machine.
//! 3. What is not run is said: steps that were not asked for, long cases, and tests that cannot run
//!    here.

use crate::boot::{self, Choice};
use crate::libc;
use crate::oldest;
use crate::series;
use crate::tally::{self, Step, Tally};
use anyhow::{Context as _, Result, bail, ensure};
use liblinux_boot::{LibcNeed, declared, packages};
use liblinux_mkimage::{build, checked};
use liblinux_workspace::command::{cargo, run};
use liblinux_workspace::{Line, Workspace, line};
use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};

/// An example that is a workspace of its own.
const COPYTREE: &str = "vdso/client/examples/copytree/Cargo.toml";
/// Another one, which is formatted alone: its lints compile Wasmtime.
const WASM: &str = "vdso/client/examples/wasm/Cargo.toml";

/// Every step, in order.
const STEPS: &[Step] = &[
    Step { name: "format", about: "sources are formatted", run: format },
    Step { name: "lints", about: "sources have no warnings", run: clippy },
    Step { name: "documentation", about: "rustdoc has no warnings", run: documentation },
    Step {
        name: "oldest-rust",
        about: "the image builds with the kernel's oldest Rust",
        run: oldest::check,
    },
    Step {
        name: "image",
        about: "the image of each kernel line builds and passes the checker",
        run: image,
    },
    Step {
        name: "reproducible",
        about: "the image is the same when it is built elsewhere",
        run: reproducible,
    },
    Step {
        name: "boots",
        about: "kernels are built and booted in QEMU, and programs report what they saw",
        run: boots,
    },
    Step {
        name: "other-boots",
        about: "kernels of the other lines are built, and boot the cases that are for these",
        run: other_boots,
    },
    Step { name: "crates", about: "the crates' own tests", run: crates },
    Step {
        name: "libc",
        about: "programs on musl that makes its calls by the image do the same as on musl",
        run: libc::test,
    },
    Step {
        name: "in-tree",
        about: "make builds the same image in the kernel's tree, from its sources there",
        run: series::test_in_tree,
    },
    Step {
        name: "lines",
        about: "the images of the other kernel lines, through their ABI",
        run: lines,
    },
];

/// The crate whose tests are compiled for one kernel line.
const TESTS: &str = "liblinux-tests";

/// Tests of what differs from kernel line to kernel line: the data pages, and what reads them.
const OF_A_LINE: [&str; 5] = ["clock", "random", "robust", "unwind", "updates"];

/// How long all of it takes, on two cores.
const DURATION: &str =
    "about 35 minutes the first time, when kernels and musl are built, and 15 minutes later";

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
        eprintln!("this system has no dpkg: the tests run with this machine's PATH");
        return Ok(());
    };
    println!("running with PATH={}: the declared programs alone", folder.display());
    let error = Command::new(std::env::current_exe()?)
        .args(std::env::args_os().skip(1))
        .env("PATH", folder)
        .exec();
    Err(error).context("cannot start this program again")
}

/// Runs the steps of these names, all if none is named; whether all tests passed.
pub(crate) fn run_steps(workspace: &Workspace, names: &[String]) -> Result<bool> {
    let steps = chosen(names)?;
    packages()?;
    with_declared_programs(workspace)?;
    let words: Vec<&str> = steps.iter().map(|step| step.name).collect();
    println!("the steps are: {}", words.join(", "));
    if names.is_empty() {
        println!("on two cores this takes {DURATION}");
    }
    println!();
    let tally = tally::run(workspace, &steps);
    println!("{tally}");
    Ok(tally.failed == 0)
}

/// The steps of these names in the order of [`STEPS`], all if there are none.
fn chosen(names: &[String]) -> Result<Vec<&'static Step>> {
    if let Some(unknown) = names.iter().find(|name| !STEPS.iter().any(|step| step.name == **name)) {
        let known: Vec<&str> = STEPS.iter().map(|step| step.name).collect();
        bail!("`{unknown}` is not a step; the steps are {}", known.join(", "));
    }
    Ok(STEPS
        .iter()
        .filter(|step| names.is_empty() || names.iter().any(|name| name == step.name))
        .collect())
}

fn format(workspace: &Workspace) -> Result<Tally> {
    run(cargo(workspace).args(["fmt", "--all", "--check"]))?;
    for example in [COPYTREE, WASM] {
        run(cargo(workspace).args(["fmt", "--check", "--manifest-path", example]))?;
    }
    Ok(Tally::PASSED)
}

fn clippy(workspace: &Workspace) -> Result<Tally> {
    let mut clippy = cargo(workspace);
    clippy.args(["clippy", "--locked", "--workspace", "--all-targets", "--", "-Dwarnings"]);
    run(&mut clippy)?;
    let mut clippy = cargo(workspace);
    clippy.args(["clippy", "--locked", "--manifest-path", COPYTREE, "--", "-Dwarnings"]);
    run(&mut clippy)?;
    Ok(Tally::PASSED)
}

fn documentation(workspace: &Workspace) -> Result<Tally> {
    let mut doc = cargo(workspace);
    doc.args(["doc", "--locked", "--workspace", "--no-deps", "--keep-going"])
        .env("RUSTDOCFLAGS", "-Dwarnings");
    run(&mut doc)?;
    Ok(Tally::PASSED)
}

fn image(workspace: &Workspace) -> Result<Tally> {
    for line in line::LINES {
        checked::image(workspace, line)?;
    }
    Ok(Tally::PASSED)
}

fn reproducible(workspace: &Workspace) -> Result<Tally> {
    build::require_reproducible(workspace)?;
    Ok(Tally::PASSED)
}

/// Every case of the default line but the long ones, which are named; each program's tests count.
fn boots(workspace: &Workspace) -> Result<Tally> {
    for case in liblinux_boot::list_cases(workspace.root())?.iter().filter(|case| case.long) {
        println!("not run, because it takes long: cargo xtask boot --case {}", case.name);
    }
    println!("not run, because it takes long: .ci/quick-start");
    boot_on(workspace, line::DEFAULT)
}

/// The cases that are for other lines, too, or for them alone. A line that fails does not keep the
/// next from running.
fn other_boots(workspace: &Workspace) -> Result<Tally> {
    let others = line::LINES.iter().filter(|line| *line != line::DEFAULT);
    let results: Vec<_> = others.map(|line| boot_on(workspace, line)).collect();
    results.into_iter().try_fold(Tally::default(), |tally, result| Ok(tally.plus(result?)))
}

/// The cases that a run of all tests boots on a line; each is skipped by name if the line's source,
/// the libc or the package that it needs cannot be had.
fn boot_on(workspace: &Workspace, line: &'static Line) -> Result<Tally> {
    let mut cases = liblinux_boot::list_cases(workspace.root())?;
    cases.retain(|case| case.is_tested_on(line));
    let without_libc = liblinux_libc::obstacle();
    let without_programs = liblinux_libc::check_obstacle();
    let (mut possible, mut names, mut skipped) = (Vec::new(), Vec::new(), 0);
    for case in cases {
        let obstacle = match liblinux_boot::libc_need(&case)? {
            LibcNeed::Nothing => None,
            LibcNeed::Library | LibcNeed::Both => without_libc.as_ref(),
            LibcNeed::Programs => without_programs.as_ref(),
        };
        if let Some(why) = obstacle {
            println!("skipped: {}: {why}", case.name);
            skipped += 1;
        } else {
            possible.push(case);
        }
    }
    let choice = Choice::packaged(line);
    if let Some(why) = choice.obstacle()? {
        println!("{why}");
        for case in &possible {
            println!("skipped: {} on Linux {}", case.name, line.version);
        }
        return Ok(Tally { skipped: skipped + possible.len(), ..Tally::default() });
    }
    for case in possible {
        match liblinux_boot::obstacle(&case, line)? {
            Some(why) => {
                println!("skipped: {}: {why}", case.name);
                skipped += 1;
            }
            None => names.push(case.name),
        }
    }
    let count = boot::chosen_cases(workspace, choice, &names)?.count();
    let skipped = skipped + count.skipped;
    Ok(Tally { passed: count.passed, failed: count.failed, skipped })
}

/// The tests of all crates, by cargo's own runner. They need a kernel: that of the default line, or
/// of the first whose source can be had.
fn crates(workspace: &Workspace) -> Result<Tally> {
    let line = Choice::first()?.line;
    boot::kernel(workspace, line)?;
    let mut test = cargo(workspace);
    // Cargo names each program as it is compiled and run; the programs themselves print a mark for
    // each test.
    test.args(["test", "--locked", "--workspace", "--no-fail-fast"]);
    if line == line::DEFAULT {
        return counted(test.args(["--", "--quiet"]));
    }
    test.arg(format!("--exclude={TESTS}"));
    let others = counted(test.args(["--", "--quiet"]))?;
    Ok(others.plus(tests_of(workspace, line, &[])?))
}

/// The tests of the image whose outcome depends on the kernel line, for every line but the default
/// one.
fn lines(workspace: &Workspace) -> Result<Tally> {
    let mut tally = Tally::default();
    for line in line::LINES.iter().filter(|line| *line != line::DEFAULT) {
        if !workspace.kernel(line).join("build").is_dir() {
            println!(
                "skipped: there is no kernel of Linux {0} to compare with; run `cargo xtask boot --kernel {0}`",
                line.version
            );
            tally = tally.plus(Tally::SKIPPED);
            continue;
        }
        tally = tally.plus(tests_of(workspace, line, &OF_A_LINE)?);
    }
    Ok(tally)
}

/// The tests of a line's image, all if none is named.
fn tests_of(workspace: &Workspace, line: &Line, names: &[&str]) -> Result<Tally> {
    checked::judged(workspace, line)?;
    let mut test = cargo(workspace);
    test.args(["test", "--locked", "--no-fail-fast"]).arg(format!("--package={TESTS}"));
    test.args(names.iter().map(|name| format!("--test={name}")));
    test.arg("--target-dir").arg(workspace.root().join("target/lines").join(line.version));
    test.env("CARGO_ENCODED_RUSTFLAGS", liblinux_mkimage::line_flag(line));
    counted(test.args(["--", "--quiet"]))
}

/// Runs cargo's tests; how many passed.
fn counted(test: &mut Command) -> Result<Tally> {
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
            tally = tally.plus(results(counts));
        }
    }
    let status = child.wait().context("cannot wait for cargo")?;
    // A crate that does not compile prints no result.
    ensure!(status.success() || tally.failed > 0, "cargo test failed: {status}");
    Ok(tally)
}

/// The tests of a program, from its last line.
fn results(counts: &str) -> Tally {
    Tally {
        passed: count(counts, "passed"),
        failed: count(counts, "failed"),
        skipped: count(counts, "ignored"),
    }
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
        let line =
            "FAILED. 12 passed; 3 failed; 2 ignored; 0 measured; 0 filtered out; finished in 0.01s";
        assert_eq!(results(line), Tally { passed: 12, failed: 3, skipped: 2 });
    }

    #[test]
    fn steps_are_chosen_by_name_and_an_unknown_one_lists_all() {
        assert_eq!(chosen(&[]).unwrap().len(), STEPS.len());
        let names = ["image", "format"].map(str::to_owned);
        let found: Vec<&str> = chosen(&names).unwrap().iter().map(|step| step.name).collect();
        assert_eq!(found, ["format", "image"]);
        let error = chosen(&["nonesuch".to_owned()]).err().unwrap().to_string();
        assert!(
            error.contains("`nonesuch` is not a step") && error.contains("oldest-rust"),
            "{error}"
        );
    }
}
