//! `cargo xtask boot`: from the sources to a verdict.

use crate::image;
use crate::lock;
use crate::workspace::Workspace;
use anyhow::{Context as _, Result, ensure};
use liblinux_boot::kernel::Kernel;
use liblinux_boot::{Options, Summary};
use std::fs;
use std::path::PathBuf;

/// The kernel that is booted unless another is asked for.
pub(crate) const KERNEL: &str = "6.12";

/// The variable that tells tests and benches where the kernel's C image is.
pub(crate) const C_IMAGE: &str = "LIBLINUX_C_IMAGE";

/// Builds the image and lets the checker judge it.
pub(crate) fn checked_image(workspace: &Workspace) -> Result<PathBuf> {
    let path = image::build(workspace)?;
    let (bytes, debug) = (fs::read(&path)?, fs::read(workspace.debug_image())?);
    let report = liblinux_check::check(&bytes, Some(&debug), Some(&lock::read(workspace)?))
        .with_context(|| format!("{} cannot be checked", path.display()))?;
    ensure!(report.is_good(), "{} is refused:\n{report}", path.display());
    println!("{}: {report}", path.display());
    Ok(path)
}

/// Boots cases, the default ones if none is named.
pub(crate) fn cases(workspace: &Workspace, kernel: &str, names: &[String]) -> Result<Summary> {
    liblinux_boot::boot(&options(workspace, kernel, names)?)
}

/// Builds the kernel with the image in it, or finds that it is built.
pub(crate) fn kernel(workspace: &Workspace, kernel: &str) -> Result<Kernel> {
    liblinux_boot::kernel(&options(workspace, kernel, &[])?)
}

fn options(workspace: &Workspace, kernel: &str, cases: &[String]) -> Result<Options> {
    Ok(Options {
        root: workspace.root().to_owned(),
        image: checked_image(workspace)?,
        image_debug: workspace.debug_image(),
        kernel: kernel.to_owned(),
        cases: cases.to_vec(),
    })
}
