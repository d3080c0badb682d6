//! Whether the rerouted musl is the musl that it was, and makes no system call by itself.

use crate::programs::PROGRAMS;
use crate::runner::Runner;
use crate::{Musl, build, build_stock, posix};
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

/// Compares both musls: by the programs, and by the POSIX tests whose interfaces begin with
/// `posix`, if that is given.
pub fn check(
    workspace: &Workspace,
    source: Option<&Path>,
    runner: &Runner,
    posix: Option<&str>,
) -> Result<Count> {
    let (rerouted, stock) = (build(workspace, source)?, build_stock(workspace, source)?);
    let musls = [&stock, &rerouted];
    let cache = Cache::open()?;
    let mut count = programs(workspace, &cache, runner, musls)?;
    if let Some(prefix) = posix {
        let folder = workspace.libc_check();
        fs::create_dir_all(&folder)
            .with_context(|| format!("cannot create {}", folder.display()))?;
        let results = posix::run(&cache, &folder, runner, musls, prefix)?;
        let same: usize = results.same.values().sum();
        println!("POSIX tests that end as on the musl that it was: {same}");
        for (way, number) in &results.same {
            println!("  {way:<15}{number:>6}");
        }
        println!("  {:<15}{:>6} (musl lacks what they use)", "not compiled", results.uncompiled);
        for different in &results.different {
            println!("different: {different}");
        }
        count.passed += same;
        count.failed += results.different.len();
    }
    Ok(count)
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
