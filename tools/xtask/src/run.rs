//! `cargo xtask run`: a program on the running kernel, with the image in place of the kernel's
//! vDSO.
//!
//! Builds the image, and `liblinux-run` with that image inside: one file, which can be copied to
//! where programs are. Then this process becomes the runner, and the runner becomes the program, so
//! exit status, signals and terminal are those of the program.
//!
//! # Invariants
//!
//! 1. Nothing is written to standard output, which belongs to the program.

use anyhow::{Context as _, Result};
use liblinux_mkimage::checked;
use liblinux_workspace::command::{self, cargo};
use liblinux_workspace::{Workspace, line};
use std::convert::Infallible;
use std::ffi::OsString;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

/// The variable by which `tools/run/build.rs` is told what to embed.
pub(crate) const IMAGE: &str = "LIBLINUX_IMAGE";

/// The exit status if the runner cannot be built, as when the runner itself fails.
const FAILURE: u8 = 125;

/// Runs `words`, the program and its arguments. Returns only if that fails: the exit status.
pub(crate) fn run(workspace: &Workspace, is_verbose: bool, words: &[OsString]) -> ExitCode {
    let Err(error) = start(workspace, is_verbose, words);
    eprintln!("error: {error:#}");
    FAILURE.into()
}

fn start(workspace: &Workspace, is_verbose: bool, words: &[OsString]) -> Result<Infallible> {
    let mut command = Command::new(build(workspace)?);
    if is_verbose {
        command.arg("--verbose");
    }
    command.arg("--").args(words);
    Err(command.exec()).context("cannot start liblinux-run")
}

/// Builds `liblinux-run` with the image inside.
pub(crate) fn build(workspace: &Workspace) -> Result<PathBuf> {
    let (image, _) = checked::judged(workspace, line::DEFAULT)?;
    let mut cargo = cargo(workspace);
    cargo.env(IMAGE, image);
    cargo.args(["build", "--quiet", "--release", "--locked", "--package=liblinux-run"]);
    command::run(&mut cargo).context("liblinux-run does not build")?;
    Ok(workspace.root().join("target/release/liblinux-run"))
}
