//! busybox's own test suite, on one musl and on the other, test by test.
//!
//! The suite is a shell script, and its shell and every tool are busybox itself. So it runs pinned
//! as a whole. Some tests depend on time, so a suite that ended differently is run once more.
//!
//! # Invariants
//!
//! 1. Each run begins in a folder of its own, with all of the suite's files as they were.
//! 2. No program but busybox is on the path.

use crate::busybox;
use crate::job;
use crate::musl::Musl;
use crate::programs::Program;
use crate::runner::Runner;
use anyhow::{Context as _, Result, ensure};
use liblinux_boot::cache::Cache;
use liblinux_boot::source_package;
use liblinux_guest::pinning::Report;
use liblinux_workspace::Workspace;
use liblinux_workspace::command::output;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// How long the suite may take.
const LIMIT: Duration = Duration::from_secs(1800);

/// Files that are left out: they mount, make devices, or start a program of the machine.
const LEFT_OUT: [&str; 5] =
    ["mount.tests", "mdev.tests", "makedevs.tests", "start-stop-daemon.tests", "date/date-works-1"];

/// How the lines begin that name a test.
const VERDICTS: [&str; 4] = ["PASS", "FAIL", "SKIPPED", "UNTESTED"];

/// The lines that name a test, with how it ended.
type Ends = Vec<String>;

/// What came of the suite.
#[derive(Debug, Default)]
pub(crate) struct Results {
    /// How many tests ended on both musls as each of [`VERDICTS`] says.
    pub(crate) same: Vec<(&'static str, usize)>,
    /// Tests that ended differently on the rerouted one.
    pub(crate) different: Vec<String>,
    /// What the rerouted one did, if it was pinned.
    pub(crate) pinned: Option<Report>,
}

/// Runs it on both.
pub(crate) fn run(
    workspace: &Workspace,
    cache: &Cache,
    program: &Program,
    runner: &Runner,
    [stock, rerouted]: [&Musl; 2],
) -> Result<Results> {
    let package = source_package::get("busybox", cache)?;
    let folder = tempfile::tempdir_in(workspace.libc_check()).context("cannot create a folder")?;
    let tree = folder.path().join("tree");
    package.unpack(&tree)?;
    busybox::configure(&tree)?;
    let stock = program.build(workspace, cache, stock, program.kind("stock"))?;
    let rerouted = program.build(workspace, cache, rerouted, program.kind("rerouted"))?;
    let is_pinned = runner.is_complete()?;
    let place = folder.path().join("run");
    let mut results = Results::default();
    let mut different = BTreeSet::new();
    for attempt in 0..2 {
        let (expected, _) = suite(&tree, &place, &stock, runner, false)?;
        let (found, report) = suite(&tree, &place, &rerouted, runner, is_pinned)?;
        if let Some(report) = report {
            results.pinned.get_or_insert_default().add(&report);
        }
        let now = differences(&expected, &found);
        results.same = counted(&equal(&expected, &found));
        // A test that ended the same once is the same.
        different =
            if attempt == 0 { now } else { different.intersection(&now).cloned().collect() };
        if different.is_empty() {
            break;
        }
    }
    results.different = different.into_iter().collect();
    Ok(results)
}

/// One run.
fn suite(
    tree: &Path,
    place: &Path,
    busybox: &Path,
    runner: &Runner,
    is_pinned: bool,
) -> Result<(Ends, Option<Report>)> {
    if place.exists() {
        fs::remove_dir_all(place).with_context(|| format!("cannot empty {}", place.display()))?;
    }
    let tests = place.join("testsuite");
    fs::create_dir(place).with_context(|| format!("cannot create {}", place.display()))?;
    output(Command::new("cp").arg("-a").arg(tree.join("testsuite")).arg(&tests))?;
    let own = place.join("busybox");
    fs::copy(busybox, &own)
        .and_then(|_| fs::copy(tree.join(".config"), place.join(".config")))
        .with_context(|| format!("cannot copy into {}", place.display()))?;
    let names = prepare(&tests, &own)?;
    let report = place.join("report");
    let mut command = runner.command(is_pinned.then_some(report.as_path()));
    command.arg(&own).args(["sh", "./runtest"]).args(names).current_dir(&tests);
    command.env_clear().env("PATH", place).env("HOME", place);
    let end = job::end(&mut command, LIMIT)?;
    let ends: Ends =
        end.said.lines().filter(|line| verdict(line).is_some()).map(str::to_owned).collect();
    ensure!(
        end.status.is_some() && !ends.is_empty(),
        "busybox's test suite did not end, or ran no test; it said\n{}",
        end.said
    );
    let report = is_pinned.then(|| Report::take(&report)).transpose()?;
    Ok((ends, report))
}

/// Lets the suite's scripts start by this busybox; the names of its tests.
fn prepare(tests: &Path, busybox: &Path) -> Result<BTreeSet<String>> {
    for name in LEFT_OUT {
        let file = tests.join(name);
        fs::remove_file(&file).with_context(|| format!("busybox has no test {name}"))?;
    }
    let entries =
        fs::read_dir(tests).with_context(|| format!("cannot list {}", tests.display()))?;
    let mut names = BTreeSet::new();
    for entry in entries {
        let path = entry?.path();
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() {
            names.insert(name);
        } else if path.extension().is_some_and(|end| end == "tests") {
            let text =
                fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
            let rest = text.strip_prefix(b"#!/bin/sh");
            let rest = rest.with_context(|| format!("{} is not a script", path.display()))?;
            let head = format!("#!{} sh", busybox.display());
            fs::write(&path, [head.as_bytes(), rest].concat())
                .with_context(|| format!("cannot write {}", path.display()))?;
            names.insert(name);
        }
    }
    Ok(names)
}

/// The verdict of a line, if it has one.
fn verdict(line: &str) -> Option<&'static str> {
    let (word, _) = line.split_once(": ")?;
    VERDICTS.into_iter().find(|verdict| *verdict == word)
}

/// How many tests there are of each verdict.
fn counted(ends: &Ends) -> Vec<(&'static str, usize)> {
    let of = |wanted| ends.iter().filter(|line| verdict(line) == Some(wanted)).count();
    VERDICTS.map(|wanted| (wanted, of(wanted))).to_vec()
}

fn times(ends: &Ends, line: &String) -> usize {
    ends.iter().filter(|other| *other == line).count()
}

/// The lines that both runs have equally often.
fn equal(expected: &Ends, found: &Ends) -> Ends {
    let is_equal = |line: &&String| times(expected, line) == times(found, line);
    expected.iter().filter(is_equal).cloned().collect()
}

/// The lines that one run has more often than the other.
fn differences(expected: &Ends, found: &Ends) -> BTreeSet<String> {
    expected
        .iter()
        .chain(found)
        .filter(|line| times(expected, line) != times(found, line))
        .map(|line| {
            let (before, after) = (times(expected, line), times(found, line));
            format!("`{line}` {before} times on the musl that it was, {after} times on this one")
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ends(lines: &[&str]) -> Ends {
        lines.iter().map(|line| (*line).to_owned()).collect()
    }

    #[test]
    fn lines_with_a_verdict_are_counted() {
        assert_eq!(verdict("PASS: cut of a line: 1"), Some("PASS"));
        assert_eq!(verdict("UNTESTED: tar"), Some("UNTESTED"));
        for line in ["PASSED: x", "noise", "FAIL"] {
            assert_eq!(verdict(line), None, "{line}");
        }
        let some = ends(&["PASS: a", "FAIL: b", "PASS: c"]);
        assert_eq!(counted(&some), [("PASS", 2), ("FAIL", 1), ("SKIPPED", 0), ("UNTESTED", 0)]);
    }

    #[test]
    fn a_test_that_ends_differently_or_not_at_all_is_a_difference() {
        let all = ends(&["PASS: a", "PASS: a", "FAIL: b"]);
        assert!(differences(&all, &all).is_empty());
        assert_eq!(equal(&all, &ends(&["PASS: a", "FAIL: b"])), ["FAIL: b"]);
        assert_eq!(differences(&all, &ends(&["PASS: a", "PASS: a", "PASS: b"])).len(), 2);
        assert_eq!(differences(&all, &ends(&["PASS: a", "FAIL: b"])).len(), 1);
        assert_eq!(differences(&all, &ends(&["PASS: a", "PASS: a"])).len(), 1);
    }
}
