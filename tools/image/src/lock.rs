//! `cargo xtask bless`: accepts an intended change of the ABI.
//!
//! # Invariants
//!
//! 1. No blessing takes back an offset: an export that was ever in the lock stays where it is.

use crate::build;
use anyhow::{Context as _, Result, anyhow};
use liblinux_check::Lock;
use liblinux_check::image::Image;
use liblinux_workspace::{Workspace, product};
use std::fs;

/// The checked-in lock.
pub fn read(workspace: &Workspace) -> Result<Lock> {
    let path = workspace.lock();
    let text = fs::read_to_string(&path).with_context(|| {
        format!("cannot read {}; run `cargo xtask bless` to make it", path.display())
    })?;
    Lock::parse(&text).map_err(|error| anyhow!("{}: {error}", path.display()))
}

/// Writes the files that are generated from the table, and the lock from the image.
pub fn bless(workspace: &Workspace) -> Result<()> {
    liblinux_generate::write(workspace)?;
    let path = build::build(workspace)?;
    let bytes = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let image =
        Image::read(&bytes).with_context(|| format!("{} cannot be read", path.display()))?;
    let debug = workspace.debug_image();
    let debug = fs::read(&debug).with_context(|| format!("cannot read {}", debug.display()))?;
    let debug = Image::read(&debug).context("the unstripped image cannot be read")?;
    let new = Lock::of(&image, &debug).map_err(|error| anyhow!("{}: {error}", path.display()))?;
    if workspace.lock().exists() {
        let change =
            liblinux_check::lock::bless(&read(workspace)?, &new).map_err(|error| anyhow!(error))?;
        println!("{change}");
    }
    product::write(&workspace.lock(), new.to_string())
}
