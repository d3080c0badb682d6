//! `cargo xtask libc`: musl on the image's entries, and whether it is the musl that it was.

use crate::run;
use crate::tally::Tally;
use anyhow::Result;
use liblinux_libc::{Count, Runner};
use liblinux_mkimage::checked;
use liblinux_workspace::{Workspace, line};
use std::path::Path;
use std::process::ExitCode;

/// Builds it, and says where the compiler is.
pub(crate) fn build(workspace: &Workspace, source: Option<&Path>) -> Result<()> {
    println!("{}", liblinux_libc::build(workspace, source)?.compiler.display());
    Ok(())
}

/// Compares it with the musl that it was.
pub(crate) fn check(
    workspace: &Workspace,
    source: Option<&Path>,
    posix: Option<&str>,
) -> Result<ExitCode> {
    let Count { passed, failed, skipped } = compare(workspace, source, posix)?;
    println!("{passed} the same, {failed} different, {skipped} skipped");
    Ok(if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Compares what programs pay on both.
pub(crate) fn cost(workspace: &Workspace, source: Option<&Path>) -> Result<ExitCode> {
    let is_within = liblinux_libc::cost(workspace, source, &runner(workspace)?)?;
    Ok(if is_within { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The comparison as a step of the tests, or why the sources cannot be had here.
pub(crate) fn test(workspace: &Workspace) -> Result<Tally> {
    if let Some(why) = liblinux_libc::check_obstacle() {
        println!("skipped: musl and programs on it: {why}");
        return Ok(Tally::SKIPPED);
    }
    let Count { passed, failed, skipped } = compare(workspace, None, None)?;
    Ok(Tally { passed, failed, skipped })
}

fn compare(workspace: &Workspace, source: Option<&Path>, posix: Option<&str>) -> Result<Count> {
    liblinux_libc::check(workspace, source, &runner(workspace)?, posix)
}

fn runner(workspace: &Workspace) -> Result<Runner> {
    let program = run::build(workspace)?;
    Ok(Runner { program, image: checked::image(workspace, line::DEFAULT)? })
}
