//! `cargo xtask bless`: accepts an intended change of the ABI.
//!
//! # Invariants
//!
//! 1. No blessing takes back an offset: an export that was ever in the lock stays where it is.

use crate::build;
use anyhow::{Context as _, Result, anyhow};
use liblinux_check::Lock;
use liblinux_check::image::Image;
use liblinux_workspace::{Line, Workspace, line, product};
use std::fs;

/// The checked-in lock.
pub fn read(workspace: &Workspace) -> Result<Lock> {
    let path = workspace.lock();
    let text = fs::read_to_string(&path).with_context(|| {
        format!("cannot read {}; run `cargo xtask bless` to make it", path.display())
    })?;
    Lock::parse(&text).map_err(|error| anyhow!("{}: {error}", path.display()))
}

/// The lock that the image of a kernel line, in these two files, has to equal: the checked-in one,
/// whose sizes are those of the default line's image.
pub(crate) fn of_line(
    workspace: &Workspace,
    line: &Line,
    image: &[u8],
    debug: &[u8],
) -> Result<Lock> {
    let lock = read(workspace)?;
    if line == line::DEFAULT {
        return Ok(lock);
    }
    Ok(lock.with_sizes_of(&of_image(image, debug)?))
}

/// The lock that describes an image and its unstripped twin.
fn of_image(image: &[u8], debug: &[u8]) -> Result<Lock> {
    let image = Image::read(image).context("the image cannot be read")?;
    let debug = Image::read(debug).context("the unstripped image cannot be read")?;
    Lock::of(&image, &debug).map_err(|error| anyhow!(error))
}

/// Writes the files that are generated from the table, and the lock from the default line's image,
/// whose exports are where those of every other line are.
pub fn bless(workspace: &Workspace) -> Result<()> {
    liblinux_generate::write(workspace)?;
    let path = build::build(workspace, line::DEFAULT)?;
    let bytes = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let debug = workspace.debug_image(line::DEFAULT);
    let debug = fs::read(&debug).with_context(|| format!("cannot read {}", debug.display()))?;
    let new = of_image(&bytes, &debug).with_context(|| format!("{}", path.display()))?;
    if workspace.lock().exists() {
        let change =
            liblinux_check::lock::bless(&read(workspace)?, &new).map_err(|error| anyhow!(error))?;
        println!("{change}");
    }
    product::write(&workspace.lock(), new.to_string())
}
