//! The command line: which files to read, what to print, how to end.
//!
//! # Invariants
//!
//! 1. The command ends with 0 if no rule refuses the image, 1 if one does, 2 if a file could not be read.
//! 2. The verdict goes to standard output; only what kept the checker from reaching one goes to standard error.

use crate::lock::Lock;
use crate::report::Report;
use crate::rule::Fault;
use clap::Parser;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Checks that every loader can read a vDSO image.
#[derive(Debug, Parser)]
#[command(name = "check", after_help = "Exit status: 0 good, 1 refused, 2 a file could not be read.")]
pub struct Arguments {
    /// The image; FILE.dbg next to it is taken for the unstripped one
    pub file: PathBuf,
    /// The unstripped image, in place of FILE.dbg
    #[arg(long, value_name = "FILE")]
    pub debug: Option<PathBuf>,
    /// The ABI lock to compare with
    #[arg(long, value_name = "FILE")]
    pub lock: Option<PathBuf>,
    /// List the rules that hold, too
    #[arg(short, long)]
    pub verbose: bool,
}

/// How the command ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// No rule refuses the image.
    Good = 0,
    /// A rule refuses it.
    Refused = 1,
    /// There was nothing to judge.
    Unreadable = 2,
}

impl From<Ending> for ExitCode {
    fn from(ending: Ending) -> Self {
        Self::from(ending as u8)
    }
}

/// Does what the arguments ask for and prints the outcome.
pub fn run(arguments: &Arguments) -> Ending {
    match judge(arguments) {
        Ok(report) => {
            if arguments.verbose {
                for finding in report.findings.iter().filter(|finding| finding.verdict.is_ok()) {
                    println!("holds: {}", finding.rule.name);
                }
            }
            println!("{}: {}", arguments.file.display(), indent(&report));
            if report.is_good() { Ending::Good } else { Ending::Refused }
        }
        Err(what) => {
            eprintln!("error: {what}");
            Ending::Unreadable
        }
    }
}

/// One line stays behind the file's name; more begin on a line of their own.
fn indent(report: &Report) -> String {
    let needs_lines = report
        .findings
        .iter()
        .any(|finding| matches!(finding.verdict, Err(Fault::Wrong(_) | Fault::NotJudged(_))));
    format!("{}{report}", if needs_lines { "\n" } else { "" })
}

/// Reads the files and judges the image.
pub fn judge(arguments: &Arguments) -> Result<Report, String> {
    let image = read(&arguments.file)?;
    let beside = debug_beside(&arguments.file);
    let debug_path = arguments.debug.clone().or_else(|| beside.exists().then_some(beside));
    let debug = debug_path.as_deref().map(read).transpose()?;
    let lock = arguments.lock.as_deref().map(read_lock).transpose()?;
    // Tell the two files apart before blaming one of them.
    if let (Some(path), Some(bytes)) = (&debug_path, &debug) {
        crate::image::Image::read(bytes).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    crate::check(&image, debug.as_deref(), lock.as_ref())
        .map_err(|error| format!("{}: {error}; give the path of a vDSO image", arguments.file.display()))
}

/// The path of the unstripped image that belongs to `file`.
pub fn debug_beside(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".dbg");
    PathBuf::from(name)
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    let kind = fs::metadata(path)
        .map_err(|error| format!("{}: {error}; run `cargo xtask image` to build it", path.display()))?;
    if !kind.is_file() {
        let what = if kind.is_dir() { "a directory" } else { "no regular file" };
        return Err(format!("{} is {what}; give the path of a vDSO image", path.display()));
    }
    fs::read(path).map_err(|error| format!("{}: {error}", path.display()))
}

fn read_lock(path: &Path) -> Result<Lock, String> {
    let text = fs::read_to_string(path)
        .map_err(|error| format!("{}: {error}; run `cargo xtask bless` to make it", path.display()))?;
    Lock::parse(&text).map_err(|error| {
        format!("{}: {error}; restore it from git, or run `cargo xtask bless`", path.display())
    })
}
