//! The command line: which images to judge, what to print, how to end.
//!
//! # Invariants
//!
//! 1. The command ends with 0 if no rule refuses an image, 1 if one does, 2 if a file could not be
//!    read. With `--strict` it ends with 1 as well for a warning, or if a rule was not judged.
//! 2. The verdict goes to standard output; only what kept the checker from reaching one goes to
//!    standard error. Neither being closed makes it panic.
//! 3. Nothing is read beyond its limit: see [`crate::source`], and `LOCK_LIMIT`.

use crate::against;
use crate::image::Image;
use crate::lock::Lock;
use crate::output::{self, Format, Verdict};
use crate::profile::{self, PROFILES, Profile};
use crate::reader;
use crate::report::Report;
use crate::rules::rules;
pub use crate::source::debug_beside;
use crate::source::{DEBUG_LIMIT, Found, Source, read};
use crate::verdict::Severity;
use clap::Parser;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Checks that every program can read a vDSO image.
#[derive(Debug, Default, Parser)]
#[command(
    name = "liblinux-check",
    after_help = "Exit status: 0 good, 1 refused, 2 a file could not be read."
)]
pub struct Arguments {
    /// Images, kernels (vmlinux, bzImage, Image, compressed ones too), Debian packages of kernels,
    /// folders; - is standard input. FILE.dbg beside an image is taken for the unstripped one
    pub files: Vec<PathBuf>,
    /// Judge the vDSO that process ID has mapped
    #[arg(long, value_name = "ID")]
    pub pid: Option<u32>,
    /// Judge the vDSO of this machine's kernel, as it maps it into this process
    #[arg(long = "self")]
    pub own: bool,
    /// The unstripped image, in place of FILE.dbg
    #[arg(long, value_name = "FILE")]
    pub debug: Option<PathBuf>,
    /// The ABI lock to compare with
    #[arg(long, value_name = "FILE")]
    pub lock: Option<PathBuf>,
    /// Write the image's ABI lock and judge nothing
    #[arg(long, value_name = "FILE", conflicts_with = "lock")]
    pub write_lock: Option<PathBuf>,
    /// Say how the image differs from this older one, and judge nothing
    #[arg(long, value_name = "OLD")]
    pub against: Option<PathBuf>,
    /// List the rules that hold, too
    #[arg(short, long)]
    pub verbose: bool,
    /// Print what each program that reads vDSOs does with the image, and judge nothing
    #[arg(long)]
    pub readers: bool,
    /// Refuse an image if a rule could not be judged, too, and for warnings
    #[arg(long)]
    pub strict: bool,
    /// What kind of vDSO it is, in place of what its bytes tell
    #[arg(long, value_name = "NAME", value_parser = profile_of)]
    pub profile: Option<&'static Profile>,
    /// How to write the verdicts
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    /// Draw the image's layout into a file
    #[arg(long, value_name = "FILE")]
    pub svg: Option<PathBuf>,
    /// Say all that is known of a rule, and judge nothing
    #[arg(long, value_name = "RULE")]
    pub explain: Option<String>,
    /// List all rules and profiles, and judge nothing
    #[arg(long)]
    pub list: bool,
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
    let (text, ending) = match outcome(arguments) {
        Ok(outcome) => outcome,
        Err(what) => return unreadable(&what),
    };
    match std::io::stdout().lock().write_all(text.as_bytes()) {
        // A reader such as `head` stops when it has seen enough; the exit status has the verdict.
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            unreadable(&format!("the verdict cannot be written: {error}"))
        }
        _ => ending,
    }
}

/// Says why there is no verdict, on standard error, if a reader is left.
fn unreadable(what: &str) -> Ending {
    let _ = writeln!(std::io::stderr(), "error: {}", output::printable(what));
    Ending::Unreadable
}

/// What to print, and how to end.
fn outcome(arguments: &Arguments) -> Result<(String, Ending), String> {
    if arguments.list {
        return Ok((list(), Ending::Good));
    }
    if let Some(name) = &arguments.explain {
        return explain(name);
    }
    let found = images(arguments)?;
    if let Some(path) = &arguments.write_lock {
        return write_lock(path, one(&found)?);
    }
    if let Some(old) = &arguments.against {
        return compare(old, one(&found)?);
    }
    if arguments.readers {
        return readers(arguments, one(&found)?);
    }
    if let Some(path) = &arguments.svg {
        let found = one(&found)?;
        let image = Image::read(&found.bytes).map_err(|error| error.to_string())?;
        write_file(path, &output::picture(&found.name, &image)?)?;
    }
    let verdicts: Vec<Verdict> =
        found.iter().map(|found| judge(arguments, found)).collect::<Result<_, _>>()?;
    let mut text = output::write(arguments.format, &verdicts, arguments.verbose);
    let endings = verdicts.iter().map(|verdict| ending(arguments, &verdict.report));
    let refused = endings.into_iter().any(|ending| ending == Ending::Refused);
    let is_good = verdicts.iter().all(|verdict| verdict.report.is_good());
    if refused && is_good && arguments.format == Format::Text {
        text += "refused: --strict wants every rule judged and no warning; see the lines above\n";
    }
    Ok((text, if refused { Ending::Refused } else { Ending::Good }))
}

/// The images of all sources, at least one.
fn images(arguments: &Arguments) -> Result<Vec<Found>, String> {
    let files = arguments.files.iter().cloned().map(Source::Path);
    let process = arguments.pid.map(Source::Process);
    let own = arguments.own.then_some(Source::Own);
    let sources: Vec<Source> = files.chain(process).chain(own).collect();
    if sources.is_empty() {
        return Err("nothing to judge; give a file, -, --pid ID or --self (--help has all)".into());
    }
    let images: Vec<Vec<Found>> = sources.iter().map(Source::images).collect::<Result<_, _>>()?;
    Ok(images.into_iter().flatten().collect())
}

/// The only image: some options are about one.
fn one(found: &[Found]) -> Result<&Found, String> {
    match found {
        [found] => Ok(found),
        _ => Err(format!("this is about one image, but there are {}; give one", found.len())),
    }
}

fn ending(arguments: &Arguments, report: &Report) -> Ending {
    let is_clean = report.not_judged().next().is_none()
        && report.findings().iter().all(|finding| finding.severity < Severity::Warning);
    if report.is_good() && (is_clean || !arguments.strict) { Ending::Good } else { Ending::Refused }
}

/// What each reader does with an image, and whether it harms one of them.
fn readers(arguments: &Arguments, found: &Found) -> Result<(String, Ending), String> {
    let machine = arguments.profile.and_then(|profile| profile.machine);
    let machine = machine.or_else(|| reader::machine_of(&found.bytes)).ok_or_else(|| {
        format!("{}: no reader is known for its machine; name its kind by --profile", found.name)
    })?;
    let harms = reader::harms(&found.bytes, machine);
    let mut text = reader::table(&found.bytes, machine);
    for harm in &harms {
        let word = if harm.is_fatal { "harmed" } else { "worse off" };
        text += &format!("{word}: {}: {}\n", harm.reader, harm.what);
    }
    Ok((text, if harms.is_empty() { Ending::Good } else { Ending::Refused }))
}

/// Judges an image, with the files that the arguments name.
fn judge(arguments: &Arguments, found: &Found) -> Result<Verdict, String> {
    let given = arguments.debug.as_deref();
    let debug = given.map(|path| read(path, DEBUG_LIMIT)).transpose()?.or(found.debug.clone());
    let lock = arguments.lock.as_deref().map(read_lock).transpose()?;
    // An error names the file that it is about.
    if let Some(bytes) = &debug {
        let path =
            given.map_or_else(|| format!("{}.dbg", found.name), |path| path.display().to_string());
        Image::read(bytes).map_err(|error| format!("{path}: {error}"))?;
    }
    let judged = match arguments.profile {
        Some(profile) => crate::check_as(profile, &found.bytes, debug.as_deref(), lock.as_ref()),
        None => crate::check(&found.bytes, debug.as_deref(), lock.as_ref()),
    };
    let report = judged
        .map_err(|error| format!("{}: {error}; give the path of a vDSO image", found.name))?;
    Ok(Verdict { name: found.name.clone(), report })
}

/// Bytes that a lock has at most: some tens for each export.
const LOCK_LIMIT: u64 = 1 << 20;

fn read_lock(path: &Path) -> Result<Lock, String> {
    let remedy =
        "write one with --write-lock, or restore it from git (liblinux's: `cargo xtask bless`)";
    let bytes = read(path, LOCK_LIMIT).map_err(|error| format!("{error}; for a lock, {remedy}"))?;
    let text = String::from_utf8(bytes)
        .map_err(|_| format!("{} is not text; {remedy}", path.display()))?;
    Lock::parse(&text).map_err(|error| format!("{}: {error}; {remedy}", path.display()))
}

fn write_file(path: &Path, text: &str) -> Result<(), String> {
    std::fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))
}

fn write_lock(path: &Path, found: &Found) -> Result<(String, Ending), String> {
    let wrong = |error: String| format!("{}: {error}", found.name);
    let image = Image::read(&found.bytes).map_err(|error| wrong(error.to_string()))?;
    let lock = Lock::of_exports(&image).map_err(wrong)?;
    write_file(path, &lock.to_string())?;
    Ok((format!("{}: {} exports\n", path.display(), lock.entries().len()), Ending::Good))
}

/// How the image differs from an older one; a break of the interface ends as a refusal does.
fn compare(old: &Path, new: &Found) -> Result<(String, Ending), String> {
    let before = Source::Path(old.to_owned()).images()?;
    let before = one(&before)?;
    let read = |found: &Found| -> Result<(), String> {
        Image::read(&found.bytes).map(|_| ()).map_err(|error| format!("{}: {error}", found.name))
    };
    read(before).and_then(|()| read(new))?;
    let images = [before, new].map(|found| Image::read(&found.bytes));
    let [Ok(old), Ok(new)] = &images else { return Err("an image vanished".into()) };
    let comparison = against::compare(old, new)?;
    let ending = if comparison.breaks() { Ending::Refused } else { Ending::Good };
    Ok((output::printable(&comparison.to_string()), ending))
}

fn explain(name: &str) -> Result<(String, Ending), String> {
    let rule = rules().map(|(rule, _)| rule).find(|rule| rule.name == name);
    let rule = rule.ok_or_else(|| format!("there is no rule {name}; --list names all"))?;
    Ok((format!("{}\n", output::explain(rule)), Ending::Good))
}

fn list() -> String {
    let rules = rules().map(|(rule, _)| {
        format!("{:<26} {:<8} {}\n", rule.name, rule.severity.name(), rule.because)
    });
    let profiles =
        PROFILES.iter().map(|profile| format!("{:<26} {}\n", profile.name, profile.title));
    let (rules, profiles): (String, String) = (rules.collect(), profiles.collect());
    format!(
        "rules, and their severity (for liblinux each is an error):\n{rules}\nprofiles:\n{profiles}"
    )
}
