//! `cargo xtask bench`: the image's speed against the kernel's C image, and what the runner costs.
//!
//! Benches of `liblinux-tests` and `liblinux-run` measure, because they are compiled with
//! optimizations, which this program is not. This module builds the image for them.
//!
//! # Invariants
//!
//! 1. The image is built from the sources as they are before it is measured.

use crate::run::IMAGE;
use anyhow::{Context as _, Result};
use liblinux_mkimage::checked;
use liblinux_workspace::command::{self, cargo};
use liblinux_workspace::{Workspace, line};
use std::path::{Path, absolute};

/// Where the picture goes, in the workspace.
const PICTURE: &str = "target/bench/ratios.svg";

/// Measures the image; prints a table, draws [`PICTURE`], and writes the ratios to `json` if given.
pub(crate) fn run(workspace: &Workspace, json: Option<&Path>) -> Result<()> {
    checked::image(workspace, line::DEFAULT)?;
    let mut bench = cargo(workspace);
    bench.args([
        "bench",
        "--quiet",
        "--locked",
        "--package=liblinux-tests",
        "--bench=ratios",
        "--",
    ]);
    bench.arg("--svg").arg(workspace.root().join(PICTURE));
    if let Some(json) = json {
        // Cargo runs the bench in another folder.
        bench.arg("--json").arg(absolute(json).context("the file for the figures has no place")?);
    }
    command::run(&mut bench)?;
    let mut fixups = cargo(workspace);
    fixups.args(["bench", "--quiet", "--locked", "--package=liblinux-tests", "--bench=fixups"]);
    command::run(&mut fixups)?;
    // The image is named as when the runner is built to be used, so that nothing is built twice.
    let mut bench = cargo(workspace);
    bench.env(IMAGE, workspace.image(line::DEFAULT));
    bench.args(["bench", "--quiet", "--locked", "--package=liblinux-run", "--bench=cost"]);
    command::run(&mut bench)
}
