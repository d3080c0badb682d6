//! Debian's package of the Open POSIX Test Suite: each of its programs on both musls.
//!
//! A program is compiled once and run by the dynamic loader of each. Its exit status says passed,
//! failed, unresolved, unsupported or untested; how it ends on the musl that it was is what is
//! expected. Many of the programs measure time or race with themselves, so one that ends
//! differently is run again, alone. It counts as different if it never ends as before.
//!
//! # Invariants
//!
//! 1. A program that does not compile counts as such: it tests neither musl.

use crate::job;
use crate::musl::Musl;
use crate::runner::Runner;
use anyhow::{Context as _, Result, ensure};
use liblinux_boot::cache::Cache;
use liblinux_boot::progress::Progress;
use liblinux_boot::source_package;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Debian's source package.
const PACKAGE: &str = "posixtestsuite";

/// How long a test may take; those that hang on both musls take all of it.
const LIMIT: Duration = Duration::from_secs(20);

/// Tests that run at once: most of them sleep.
const AT_ONCE: usize = 6;

/// How often a test that ended differently is run again, on each musl.
const AGAIN: usize = 4;

/// What came of the suite.
#[derive(Debug, Default)]
pub(crate) struct Results {
    /// How many tests ended in each way, and the same on both.
    pub(crate) same: BTreeMap<&'static str, usize>,
    /// Programs that musl has no headers or functions for.
    pub(crate) uncompiled: usize,
    /// Tests that ended differently, with how.
    pub(crate) different: Vec<String>,
}

/// Runs the tests of the interfaces whose names begin like that; all for an empty text.
pub(crate) fn run(
    cache: &Cache,
    folder: &Path,
    runner: &Runner,
    [stock, rerouted]: [&Musl; 2],
    prefix: &str,
) -> Result<Results> {
    let package = source_package::get(PACKAGE, cache)?;
    let tree = folder.join(format!("{PACKAGE}-{}", package.version));
    if !tree.is_dir() {
        package.unpack(&tree)?;
    }
    let tests = tests(&tree, prefix)?;
    let programs = folder.join("posix");
    fs::create_dir_all(&programs)
        .with_context(|| format!("cannot create {}", programs.display()))?;
    let label = format!("running {} tests of POSIX on both musls", tests.len());
    let progress = Mutex::new(Progress::exact(label, tests.len()));
    let results = Mutex::new(Results::default());
    let (next, alone) = (AtomicUsize::new(0), Mutex::new(()));
    let work = || -> Result<()> {
        while let Some(test) = tests.get(next.fetch_add(1, Ordering::Relaxed)) {
            let name = name(&tree, test);
            let program = programs.join(name.replace('/', "-"));
            let ends = if compile(&tree, test, &program, stock)? {
                let once = |musl: &Musl| end(&program, runner, musl);
                Some(judge(once, [stock, rerouted], &alone)?)
            } else {
                None
            };
            // A lock is poisoned only by a panic, which ends the run.
            let mut results = results.lock().expect("the results");
            match ends {
                None => results.uncompiled += 1,
                Some(Ok(way)) => *results.same.entry(way).or_default() += 1,
                Some(Err(ways)) => results.different.push(format!("{name}: {ways}")),
            }
            drop(results);
            progress.lock().expect("the progress").advance(Some(&name));
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(work)).collect();
        threads.into_iter().try_for_each(|thread| thread.join().expect("a thread"))
    })?;
    progress.into_inner().expect("the progress").finish();
    Ok(results.into_inner().expect("the results"))
}

/// The way in which a test ends on both, or how it differs.
fn judge(
    once: impl Fn(&Musl) -> Result<&'static str>,
    [stock, rerouted]: [&Musl; 2],
    alone: &Mutex<()>,
) -> Result<Result<&'static str, String>> {
    let (mut expected, mut found) = (vec![once(stock)?], vec![once(rerouted)?]);
    if found == expected {
        return Ok(Ok(found[0]));
    }
    let _alone = alone.lock().expect("the turn");
    for _ in 0..AGAIN {
        expected.push(once(stock)?);
        let way = once(rerouted)?;
        if expected.contains(&way) {
            return Ok(Ok(way));
        }
        found.push(way);
    }
    Ok(Err(format!("{} instead of {}", found.join(", "), expected.join(", "))))
}

/// The programs of the interfaces whose names begin like that.
fn tests(tree: &Path, prefix: &str) -> Result<Vec<PathBuf>> {
    let interfaces = tree.join("conformance/interfaces");
    let list = |folder: &Path| -> Result<Vec<PathBuf>> {
        let entries = fs::read_dir(folder)
            .with_context(|| format!("the suite has no {}", folder.display()))?;
        let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
        paths.sort();
        Ok(paths)
    };
    let mut tests = Vec::new();
    for folder in list(&interfaces)? {
        let name = folder.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if folder.is_dir() && name.starts_with(prefix) {
            tests.extend(list(&folder)?.into_iter().filter(|file| is_test(file)));
        }
    }
    ensure!(!tests.is_empty(), "no interface of POSIX begins with `{prefix}`");
    Ok(tests)
}

/// Whether a file is a test, `ASSERTION-NUMBER.c`, and not a part of others.
fn is_test(file: &Path) -> bool {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    let numbers = name.strip_suffix(".c").and_then(|stem| stem.split_once('-'));
    numbers.is_some_and(|(assertion, number)| {
        [assertion, number].iter().all(|part| part.parse::<u32>().is_ok())
    })
}

/// The name of a test: `INTERFACE/ASSERTION-NUMBER`.
fn name(tree: &Path, test: &Path) -> String {
    let below = test.strip_prefix(tree.join("conformance/interfaces")).unwrap_or(test);
    below.with_extension("").to_string_lossy().into_owned()
}

/// Compiles a test; whether it compiles.
fn compile(tree: &Path, test: &Path, program: &Path, musl: &Musl) -> Result<bool> {
    if program.is_file() {
        return Ok(true);
    }
    let mut compiler = Command::new(&musl.compiler);
    compiler.args(["-w", "-D_GNU_SOURCE", "-D_XOPEN_SOURCE=600", "-pthread", "-I"]);
    compiler.arg(tree.join("include")).arg("-o").arg(program).arg(test).args(["-lrt", "-lm"]);
    Ok(job::end(&mut compiler, LIMIT)?.status == Some(0))
}

/// How a test ends.
fn end(program: &Path, runner: &Runner, musl: &Musl) -> Result<&'static str> {
    let folder = tempfile::tempdir().context("cannot create a folder")?;
    let mut command = runner.command(None);
    command.arg(&musl.loader).arg(program).current_dir(folder.path());
    Ok(way(job::end(&mut command, LIMIT)?.status))
}

/// An exit status as the suite has them.
fn way(status: Option<i32>) -> &'static str {
    match status {
        None => "hangs",
        Some(0) => "passed",
        Some(1) => "failed",
        Some(2) => "unresolved",
        Some(4) => "unsupported",
        Some(5) => "untested",
        Some(128..) => "killed",
        Some(_) => "another status",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tests_are_told_from_their_parts() {
        for (name, wanted) in [
            ("1-1.c", true),
            ("12-3.c", true),
            ("testfrmw.c", false),
            ("1-1.h", false),
            ("a-1.c", false),
        ] {
            assert_eq!(is_test(Path::new(name)), wanted, "{name}");
        }
        assert_eq!(
            name(Path::new("/t"), Path::new("/t/conformance/interfaces/fork/1-1.c")),
            "fork/1-1"
        );
    }

    #[test]
    fn a_test_differs_if_it_never_ends_as_before() {
        let musl =
            |name: &str| Musl { compiler: name.into(), loader: name.into(), key: String::new() };
        let (stock, rerouted) = (musl("stock"), musl("rerouted"));
        let judged = |ways: &[&'static str]| {
            let count = AtomicUsize::new(0);
            let once = |musl: &Musl| {
                let number = count
                    .fetch_add(usize::from(musl.loader.ends_with("rerouted")), Ordering::Relaxed);
                Ok(if musl.loader.ends_with("stock") { "passed" } else { ways[number] })
            };
            judge(once, [&stock, &rerouted], &Mutex::new(())).unwrap()
        };
        assert_eq!(judged(&["passed"]), Ok("passed"));
        assert_eq!(judged(&["hangs", "failed", "passed"]), Ok("passed"));
        let error = judged(&["failed"; 1 + AGAIN]).unwrap_err();
        assert!(error.starts_with("failed, failed") && error.ends_with("passed"), "{error}");
    }
}
