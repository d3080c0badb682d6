//! `cargo xtask run32`: a 32-bit program on the running kernel, by 64-bit system calls.
//!
//! Builds `liblinux-run32`, and becomes it.
//!
//! # Invariants
//!
//! 1. Nothing is written to standard output, which belongs to the program.

use anyhow::{Context as _, Result};
use liblinux_workspace::Workspace;
use liblinux_workspace::command::{self, cargo};
use std::convert::Infallible;
use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, ExitCode};

/// The exit status if the loader cannot be built, as when the loader itself fails.
const FAILURE: u8 = 125;

/// Runs `words`, the program and its arguments. Returns only if that fails: the exit status.
pub(crate) fn run(workspace: &Workspace, prefix: Option<&Path>, words: &[OsString]) -> ExitCode {
    let Err(error) = start(workspace, prefix, words);
    eprintln!("error: {error:#}");
    FAILURE.into()
}

fn start(workspace: &Workspace, prefix: Option<&Path>, words: &[OsString]) -> Result<Infallible> {
    let mut cargo = cargo(workspace);
    cargo.args(["build", "--quiet", "--release", "--locked", "--package=liblinux-run32"]);
    command::run(&mut cargo).context("liblinux-run32 does not build")?;
    let mut loader = Command::new(workspace.root().join("target/release/liblinux-run32"));
    if let Some(prefix) = prefix {
        loader.arg("--prefix").arg(prefix);
    }
    loader.arg("--").args(words);
    Err(loader.exec()).context("cannot start liblinux-run32")
}
