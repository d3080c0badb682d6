//! Programs on musl that makes its calls by the kernel's own image, where the kernel executes no
//! other: Syscall User Dispatch, which a tracer sets up for each of their threads.
//!
//! Each program works twice, free and pinned, and must do and say the same. Arguments name the
//! programs; without any it is all of them. Prints KTAP.
//!
//! # Invariants
//!
//! 1. A program keeps the kernel's image: the runner, which is the tracer, maps none.
//! 2. Each time a program begins in an empty folder.
//! 3. No legacy call is made here: the kernel may refuse them.

mod subject;

use crate::subject::{End, SUBJECTS, Subject};
use anyhow::{Context as _, Result, ensure};
use liblinux_guest::ktap::{Ktap, Outcome};
use liblinux_guest::pinning::Report;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::{env, io};

/// Where the runner writes its report.
const REPORT: &str = "/tmp/report";

/// A command that pins the program whose words are added.
const PINNED: &[&str] = &["/programs/liblinux-run", "--keep", "--pin", REPORT, "--"];

/// This program, which is one of glibc.
const OWN: &str = "/programs/pinned";

fn main() -> ExitCode {
    match all() {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("pinned: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn all() -> Result<bool> {
    let subjects = chosen(&env::args().skip(1).collect::<Vec<_>>())?;
    let mut out = io::stdout().lock();
    let mut list = Ktap::begin(&mut out)?;
    list.plan(2 * subjects.len() + 2)?;
    list.test("pinning refuses calls from elsewhere", &said(refused()))?;
    let mut all = Report::default();
    for subject in subjects {
        let free = free(subject);
        list.test(&format!("{} works", subject.name), &said(free.as_ref().map(drop)))?;
        let outcome = match &free {
            Err(_) => Outcome::Skip("it does not work free".to_owned()),
            Ok(free) => said(pinned(subject, free).map(|report| all.add(&report))),
        };
        list.test(&format!("{} works pinned, as it does free", subject.name), &outcome)?;
    }
    let (threads, calls, entries) = (all.threads, all.calls.len(), all.entries);
    list.note(&format!("entries exercised: {calls} of {entries}, by {threads} threads"))?;
    list.test("the programs use the image", &said(used(&all)))?;
    Ok(list.failures() == 0)
}

/// The programs of these names, or all.
fn chosen(names: &[String]) -> Result<Vec<&'static Subject>> {
    if names.is_empty() {
        return Ok(SUBJECTS.iter().collect());
    }
    let find = |name: &String| {
        let found = SUBJECTS.iter().find(|subject| subject.name == name);
        found.with_context(|| format!("there is no work for a program named `{name}`"))
    };
    names.iter().map(find).collect()
}

fn said(result: Result<(), impl std::fmt::Display>) -> Outcome {
    Outcome::from(result.map_err(|error| format!("{error:#}")))
}

/// How a program ends that may make its calls from anywhere.
fn free(subject: &Subject) -> Result<End> {
    let end = subject.work(&[])?;
    ensure!(end.status == Some(0) && !end.said.is_empty(), "{end}");
    Ok(end)
}

/// A program pinned, which must end as it does free.
fn pinned(subject: &Subject, free: &End) -> Result<Report> {
    let end = subject.work(PINNED);
    let report = Report::take(Path::new(REPORT)).with_context(|| match &end {
        Ok(end) => format!("{end}"),
        Err(error) => format!("{error:#}"),
    })?;
    ensure!(report.violations == 0, "it makes calls from elsewhere: {}", report.listed.join(", "));
    let end = end?;
    ensure!(end == *free, "{end}, and free it ended with {free}");
    Ok(report)
}

/// A program of another libc must not get far.
fn refused() -> Result<()> {
    let status = Command::new(PINNED[0]).args(&PINNED[1..]).arg(OWN).status()?;
    ensure!(!status.success(), "a glibc program ran");
    let report = Report::take(Path::new(REPORT))?;
    ensure!(report.violations == 1, "{} calls of a glibc program are counted", report.violations);
    Ok(())
}

fn used(all: &Report) -> Result<()> {
    ensure!(!all.calls.is_empty(), "no program made a call while it was pinned");
    Ok(())
}
