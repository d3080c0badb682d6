//! Whether the rerouted musl is the musl that it was, and makes no system call by itself.

use crate::programs::PROGRAMS;
use crate::runner::Runner;
use crate::{Musl, build, build_stock, posix, suite};
use anyhow::{Context as _, Result};
use liblinux_abi::image::export::SYSCALL_CANCELLABLE;
use liblinux_boot::cache::Cache;
use liblinux_guest::pinning::Report;
use liblinux_workspace::Workspace;
use std::fs;
use std::path::Path;

/// How many comparisons held, failed, and could not be made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// They held.
    pub passed: usize,
    /// They did not.
    pub failed: usize,
    /// They could not be made here.
    pub skipped: usize,
}

/// What both musls are compared by, beside the programs' work.
#[derive(Clone, Copy, Debug, Default)]
pub struct Suites<'a> {
    /// The POSIX tests whose interfaces begin like that.
    pub posix: Option<&'a str>,
    /// busybox's own test suite.
    pub busybox: bool,
}

/// Compares both musls.
pub fn check(
    workspace: &Workspace,
    source: Option<&Path>,
    runner: &Runner,
    suites: Suites<'_>,
) -> Result<Count> {
    let (rerouted, stock) = (build(workspace, source)?, build_stock(workspace, source)?);
    let musls = [&stock, &rerouted];
    let cache = Cache::open()?;
    let mut count = programs(workspace, &cache, runner, musls)?;
    if suites.busybox {
        count = count.plus(busybox(workspace, &cache, runner, musls)?);
    }
    if let Some(prefix) = suites.posix {
        count = count.plus(posix(workspace, &cache, runner, musls, prefix)?);
    }
    Ok(count)
}

impl Count {
    fn plus(self, other: Self) -> Self {
        Self {
            passed: self.passed + other.passed,
            failed: self.failed + other.failed,
            skipped: self.skipped + other.skipped,
        }
    }
}

fn posix(
    workspace: &Workspace,
    cache: &Cache,
    runner: &Runner,
    musls: [&Musl; 2],
    prefix: &str,
) -> Result<Count> {
    let folder = workspace.libc_check();
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let results = posix::run(cache, &folder, runner, musls, prefix)?;
    let passed: usize = results.same.values().sum();
    println!("POSIX tests that end as on the musl that it was: {passed}");
    for (way, number) in &results.same {
        println!("  {way:<15}{number:>6}");
    }
    println!("  {:<15}{:>6} (musl lacks what they use)", "not compiled", results.uncompiled);
    for different in &results.different {
        println!("different: {different}");
    }
    Ok(Count { passed, failed: results.different.len(), skipped: 0 })
}

fn busybox(
    workspace: &Workspace,
    cache: &Cache,
    runner: &Runner,
    musls: [&Musl; 2],
) -> Result<Count> {
    let program = PROGRAMS.iter().find(|program| program.name == "busybox");
    let results = suite::run(workspace, cache, program.context("busybox")?, runner, musls)?;
    let passed = results.same.iter().map(|(_, number)| number).sum();
    println!("tests of busybox's own that end as on the musl that it was: {passed}");
    for (verdict, number) in &results.same {
        println!("  {verdict:<15}{number:>6}");
    }
    let mut failed = results.different.len();
    if let Some(pinned) = results.pinned {
        let (threads, calls, entries) = (pinned.threads, pinned.calls.len(), pinned.entries);
        println!(
            "  {threads} threads, {calls} of {entries} entries, {} calls from elsewhere",
            pinned.violations
        );
        pinned.listed.iter().for_each(|line| println!("elsewhere: {line}"));
        failed += usize::from(pinned.violations > 0);
    }
    results.different.iter().for_each(|line| println!("different: {line}"));
    Ok(Count { passed, failed, skipped: 0 })
}

/// The real programs.
fn programs(
    workspace: &Workspace,
    cache: &Cache,
    runner: &Runner,
    musls: [&Musl; 2],
) -> Result<Count> {
    let is_pinned = runner.is_complete()?;
    let (mut count, mut all, mut speeds) = (Count::default(), Report::default(), Vec::new());
    if !is_pinned {
        println!(
            "skipped: programs are not pinned, because this image has no {SYSCALL_CANCELLABLE}, so musl's \
             cancellation points make their calls themselves"
        );
        count.skipped += 1;
    }
    println!("{:<12}{:>8}{:>8}{:>12}  result", "program", "threads", "calls", "elsewhere");
    for program in PROGRAMS {
        let outcome = program.compare(workspace, cache, runner, musls, is_pinned)?;
        let figures = outcome.pinned.as_ref().map_or_else(
            || format!("{:>8}{:>8}{:>12}", "-", "-", "-"),
            |pinned| {
                format!("{:>8}{:>8}{:>12}", pinned.threads, pinned.calls.len(), pinned.violations)
            },
        );
        if let Some(pinned) = &outcome.pinned {
            all.add(pinned);
        }
        speeds.extend(outcome.speeds.map(|speeds| (program.name, speeds)));
        match outcome.fault {
            None => {
                println!("{:<12}{figures}  the same", program.name);
                count.passed += 1;
            }
            Some(fault) => {
                println!("{:<12}{figures}  {fault}", program.name);
                count.failed += 1;
            }
        }
    }
    for (name, [before, after]) in speeds {
        println!(
            "{name}: {before:.0} requests a second by ab on the musl that it was, {after:.0} on this one"
        );
    }
    if is_pinned {
        println!("entries exercised: {} of {}", all.calls.len(), all.entries);
    }
    Ok(count)
}
