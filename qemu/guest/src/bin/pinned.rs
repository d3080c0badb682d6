//! A program on musl that makes its calls by the kernel's own image, where the kernel executes no
//! other: Syscall User Dispatch, which a tracer sets up for each of its threads.
//!
//! Prints KTAP.
//!
//! # Invariants
//!
//! 1. The program keeps the kernel's image: the runner, which is the tracer, maps none.

use anyhow::{Context, Result, bail, ensure};
use liblinux_abi::image::export::SYSCALL_CANCELLABLE;
use liblinux_guest::ktap::{Ktap, Outcome};
use std::process::{Command, ExitCode};
use std::thread::sleep;
use std::time::{Duration, Instant};
use std::{fs, io};

/// The program.
const PROGRAM: &str = "/programs/calls";

/// Where the runner writes what it did.
const REPORT: &str = "/tmp/report";

/// The image's file.
const IMAGE: &str = "/programs/vdso64.so";

fn main() -> ExitCode {
    match run() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("pinned: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn run() -> Result<bool> {
    let mut out = io::stdout().lock();
    let mut list = Ktap::begin(&mut out)?;
    list.plan(3)?;
    let said = |result: Result<()>| Outcome::from(result.map_err(|error| format!("{error:#}")));
    list.test("runs", &said(end(&mut Command::new(PROGRAM))))?;
    list.test("pinning refuses calls from elsewhere", &said(refused()))?;
    let image = fs::read(IMAGE).context(IMAGE)?;
    // Without it musl makes the calls of cancellation points by itself.
    let name = [SYSCALL_CANCELLABLE.as_bytes(), b"\0"].concat();
    let pinned = if image.windows(name.len()).any(|bytes| bytes == name) {
        said(pinned())
    } else {
        Outcome::Skip(format!("the image has no {SYSCALL_CANCELLABLE}"))
    };
    list.test("runs pinned", &pinned)?;
    Ok(list.failures() == 0)
}

/// Runs a command that must succeed.
fn end(command: &mut Command) -> Result<()> {
    let output = command.output()?;
    ensure!(
        output.status.success(),
        "{}: {}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}

/// A pinned command.
fn runner(program: &str) -> Command {
    let mut runner = Command::new("/programs/liblinux-run");
    runner.args(["--keep", "--pin", REPORT, "--", program]);
    runner
}

/// A program of another libc must not get far.
fn refused() -> Result<()> {
    ensure!(end(&mut runner("/programs/pinned")).is_err(), "a glibc program ran");
    let report = report()?;
    ensure!(report.contains("violations 1\n"), "{report}");
    Ok(())
}

fn pinned() -> Result<()> {
    let ended = end(&mut runner(PROGRAM));
    let report = report()?;
    ensure!(report.contains("violations 0\n"), "{report}");
    ended
}

/// The runner's report, once it is there.
fn report() -> Result<String> {
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(30) {
        if let Ok(text) = fs::read_to_string(REPORT) {
            fs::remove_file(REPORT)?;
            return Ok(text);
        }
        sleep(Duration::from_millis(10));
    }
    bail!("the runner wrote no report")
}
