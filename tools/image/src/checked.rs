//! An image that may be used: built, judged by the checker, equal to the ABI lock.
//!
//! # Invariants
//!
//! 1. Only `bless` and `check` get an image in another way, so every build is compared with the
//!    lock.

use crate::{build, layout, lock};
use anyhow::{Context as _, Result, anyhow, ensure};
use liblinux_abi::image::export::standard;
use liblinux_abi::syscall::SYSCALLS;
use liblinux_check::image::Image;
use liblinux_check::{Lock, Report};
use liblinux_workspace::{Line, Workspace};
use std::fs;
use std::path::PathBuf;

/// Builds a kernel line's image, lets the checker judge it, and says what it exports.
pub fn image(workspace: &Workspace, line: &Line) -> Result<PathBuf> {
    let (path, report) = judged(workspace, line)?;
    println!("{}: {report}", path.display());
    println!("{}", exports(&fs::read(&path)?)?);
    Ok(path)
}

/// Builds a kernel line's image and lets the checker judge it; prints nothing.
pub fn judged(workspace: &Workspace, line: &Line) -> Result<(PathBuf, Report)> {
    let path = build::build(workspace, line)?;
    let (bytes, debug) = (fs::read(&path)?, fs::read(workspace.debug_image(line))?);
    let lock = lock::of_line(workspace, line, &bytes, &debug)?;
    let report = liblinux_check::check(&bytes, Some(&debug), Some(&lock))
        .with_context(|| format!("{} cannot be checked", path.display()))?;
    ensure!(report.is_good(), "{} is refused:\n{report}", path.display());
    layout::require(&bytes, line).with_context(|| format!("{}", path.display()))?;
    Ok((path, report))
}

/// How many of the kernel's calls the image exports, counted in the image.
fn exports(bytes: &[u8]) -> Result<String> {
    let image = Image::read(bytes).context("the image cannot be read")?;
    let lock = Lock::of_exports(&image).map_err(|error| anyhow!(error))?;
    let has = |name: &str| lock.entries().iter().any(|entry| entry.name == name);
    let calls = SYSCALLS.iter().filter(|call| has(call.symbol)).count();
    let exportable = SYSCALLS.iter().filter(|call| call.is_exported()).count();
    let functions = standard().filter(|call| has(call.name)).count();
    Ok(format!(
        "exports: {calls} of {exportable} system calls (the kernel implements {}), {functions} of {} standard functions",
        SYSCALLS.len(),
        standard().count()
    ))
}
