//! The data pages of a kernel line, and of the line that an image was made for.
//!
//! # Invariants
//!
//! 1. An image is taken for a line only if its layout note has that line's numbers.

use anyhow::{Context as _, Result, anyhow, ensure};
use liblinux_abi::kernel::datapage::{LAYOUTS, Layout};
use liblinux_check::image::Image;
use liblinux_check::view::notes;
use liblinux_workspace::Line;

/// The data pages of a kernel line.
pub fn of(line: &Line) -> Result<&'static Layout> {
    let found = LAYOUTS.iter().find(|layout| layout.line == line.version);
    found.with_context(|| {
        format!(
            "vdso/abi/src/kernel/datapage has no layout for Linux {}; add it to LAYOUTS there",
            line.version
        )
    })
}

/// Refuses an image that was compiled for the data pages of another line.
pub fn require(image: &[u8], line: &Line) -> Result<()> {
    let wanted = of(line)?;
    let image = Image::read(image).context("the image cannot be read")?;
    let found = notes::layout(&image).map_err(|error| anyhow!(error))?;
    ensure!(
        found == wanted,
        "the image is for the data pages of Linux {}, and Linux {} would have it read wrong ones; \
         `cargo xtask image` builds one for each line",
        found.line,
        line.version
    );
    Ok(())
}
