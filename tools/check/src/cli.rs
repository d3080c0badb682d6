//! The command line: which files to read, what to print, how to end.
//!
//! # Invariants
//!
//! 1. The command ends with 0 if no rule refuses the image, 1 if one does, 2 if a file could not be
//!    read. With `--strict` it ends with 1 as well if a rule was not judged.
//! 2. The verdict goes to standard output; only what kept the checker from reaching one goes to
//!    standard error. Neither being closed makes it panic.
//! 3. No file is read that is larger than such a file can be: `IMAGE_LIMIT`, `DEBUG_LIMIT`,
//!    `LOCK_LIMIT`.

use crate::lock::Lock;
use crate::profile::{self, PROFILES, Profile};
use crate::reader;
use crate::report::Report;
use crate::verdict::Severity;
use clap::Parser;
use std::fs::File;
use std::io::{ErrorKind, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Checks that every loader can read a vDSO image.
#[derive(Debug, Parser)]
#[command(
    name = "check",
    after_help = "Exit status: 0 good, 1 refused, 2 a file could not be read."
)]
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
    /// Print what each program that reads vDSOs does with the image, and judge nothing
    #[arg(long, conflicts_with_all = ["debug", "lock", "verbose", "strict"])]
    pub readers: bool,
    /// Refuse the image if a rule could not be judged, too, and for warnings
    #[arg(long)]
    pub strict: bool,
    /// What kind of vDSO it is, in place of what its bytes tell
    #[arg(long, value_name = "NAME", value_parser = profile_of)]
    pub profile: Option<&'static Profile>,
}

/// The profile of that name.
fn profile_of(name: &str) -> Result<&'static Profile, String> {
    let names: Vec<&str> = PROFILES.iter().map(|profile| profile.name).collect();
    profile::find(name).ok_or_else(|| format!("give one of {}", names.join(", ")))
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
    let judged = if arguments.readers {
        readers(arguments)
    } else {
        judge(arguments).map(|report| (verdict(arguments, &report), ending(arguments, &report)))
    };
    let (verdict, ending) = match judged {
        Ok(judged) => judged,
        Err(what) => return unreadable(&what),
    };
    match std::io::stdout().lock().write_all(verdict.as_bytes()) {
        // A reader such as `head` stops when it has seen enough; the exit status has the verdict.
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            unreadable(&format!("the verdict cannot be written: {error}"))
        }
        _ => ending,
    }
}

/// Says why there is no verdict, on standard error, if a reader is left.
fn unreadable(what: &str) -> Ending {
    let _ = writeln!(std::io::stderr(), "error: {what}");
    Ending::Unreadable
}

fn ending(arguments: &Arguments, report: &Report) -> Ending {
    let is_clean = report.not_judged().next().is_none()
        && report.findings().iter().all(|finding| finding.severity < Severity::Warning);
    if report.is_good() && (is_clean || !arguments.strict) { Ending::Good } else { Ending::Refused }
}

fn verdict(arguments: &Arguments, report: &Report) -> String {
    let mut text = String::new();
    if arguments.verbose {
        for judgement in report.judgements.iter().filter(|judgement| judgement.verdict.is_ok()) {
            text += &format!("holds: {}\n", judgement.rule.name);
        }
    }
    // One line stays behind the file's name; more begin on a line of their own.
    let is_short = report.judgements.iter().all(|judgement| judgement.verdict.is_ok());
    text +=
        &format!("{}:{}{report}\n", arguments.file.display(), if is_short { " " } else { "\n" });
    if arguments.strict && report.is_good() && !is_short {
        text += "refused: --strict wants every rule judged and no warning; see the lines above\n";
    }
    text
}

/// The table of readers, and 1 for an image that harms one of them.
fn readers(arguments: &Arguments) -> Result<(String, Ending), String> {
    let image = read(&arguments.file, IMAGE_LIMIT)?;
    let machine = arguments.profile.and_then(|profile| profile.machine);
    let machine = machine.or_else(|| reader::machine_of(&image)).ok_or_else(|| {
        let file = arguments.file.display();
        format!("{file}: no reader is known for this file's machine; name its kind by --profile")
    })?;
    let harms = reader::harms(&image, machine);
    let mut text = reader::table(&image, machine);
    for harm in &harms {
        let word = if harm.is_fatal { "harmed" } else { "worse off" };
        text += &format!("{word}: {}: {}\n", harm.reader, harm.what);
    }
    Ok((text, if harms.is_empty() { Ending::Good } else { Ending::Refused }))
}

/// Reads the files and judges the image.
pub fn judge(arguments: &Arguments) -> Result<Report, String> {
    let image = read(&arguments.file, IMAGE_LIMIT)?;
    let beside = debug_beside(&arguments.file);
    let debug_path = arguments.debug.clone().or_else(|| beside.exists().then_some(beside));
    let debug = debug_path.as_deref().map(|path| read(path, DEBUG_LIMIT)).transpose()?;
    let lock = arguments.lock.as_deref().map(read_lock).transpose()?;
    // An error names the file that it is about.
    if let (Some(path), Some(bytes)) = (&debug_path, &debug) {
        crate::image::Image::read(bytes).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    let judged = match arguments.profile {
        Some(profile) => crate::check_as(profile, &image, debug.as_deref(), lock.as_ref()),
        None => crate::check(&image, debug.as_deref(), lock.as_ref()),
    };
    judged.map_err(|error| {
        format!("{}: {error}; give the path of a vDSO image", arguments.file.display())
    })
}

/// The path of the unstripped image that belongs to `file`.
pub fn debug_beside(file: &Path) -> PathBuf {
    let mut name = file.as_os_str().to_owned();
    name.push(".dbg");
    PathBuf::from(name)
}

/// Bytes that an image has at most: the kernel maps it into every process.
const IMAGE_LIMIT: u64 = 4 << 20;

/// Bytes that an unstripped image has at most: its debugging information takes a few times its
/// code's.
const DEBUG_LIMIT: u64 = 64 << 20;

/// Bytes that a lock has at most: some tens for each export.
const LOCK_LIMIT: u64 = 1 << 20;

fn read(path: &Path, limit: u64) -> Result<Vec<u8>, String> {
    let unreadable = |error: std::io::Error| format!("{}: {error}", path.display());
    // Before it is opened: opening a FIFO waits for a writer.
    let kind = path
        .metadata()
        .map_err(|error| format!("{}; run `cargo xtask image` to build it", unreadable(error)))?;
    if !kind.is_file() {
        let what = if kind.is_dir() { "a directory" } else { "not a regular file" };
        return Err(format!("{} is {what}; give the path of a vDSO image", path.display()));
    }
    let mut bytes = Vec::new();
    // A file can grow, or not tell its size: the length is asked first and measured then.
    if kind.len() <= limit {
        let file = File::open(path).map_err(unreadable)?;
        file.take(limit + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    }
    if kind.len().max(bytes.len() as u64) > limit {
        return Err(format!(
            "{} has {} bytes, more than the {limit} that such a file can have; give the path of a vDSO image",
            path.display(),
            kind.len()
        ));
    }
    Ok(bytes)
}

fn read_lock(path: &Path) -> Result<Lock, String> {
    let remedy = "run `cargo xtask bless` to make it, or restore it from git";
    let bytes = read(path, LOCK_LIMIT).map_err(|error| format!("{error}; for a lock, {remedy}"))?;
    let text = String::from_utf8(bytes)
        .map_err(|_| format!("{} is not text; {remedy}", path.display()))?;
    Lock::parse(&text).map_err(|error| format!("{}: {error}; {remedy}", path.display()))
}
