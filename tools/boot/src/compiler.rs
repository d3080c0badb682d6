//! Runs a compiler when something that it reads has changed, with its output in a log.
//!
//! # Invariants
//!
//! 1. A result appears under its name only when the compiler succeeded.

use crate::progress::Progress;
use crate::{cache, job};
use anyhow::{Context, Result, ensure};
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The last lines of a compiler that an error shows.
const SHOWN_LINES: usize = 40;

/// Runs `command`, which writes [`partial`]`(output)` from `sources`, unless it did so before.
pub(crate) fn compile(
    mut command: Command,
    sources: &[PathBuf],
    output: &Path,
    progress: &mut Progress,
) -> Result<()> {
    let compiler = command.get_program().to_owned();
    let read = |source: &PathBuf| {
        fs::read(source).with_context(|| format!("cannot read {}", source.display()))
    };
    let texts = sources.iter().map(read).collect::<Result<Vec<_>>>()?;
    let line = format!("{command:?}");
    let version = compiler_file(&compiler)?;
    let inputs = [("command", line.as_bytes()), ("compiler", &version)];
    let key = cache::key(texts.iter().map(|text| ("source", text.as_slice())).chain(inputs));
    let mark = output.with_extension("key");
    if output.is_file() && fs::read_to_string(&mark).is_ok_and(|known| known == key) {
        return Ok(());
    }
    progress.at(Some(&output.file_name().unwrap_or_default().to_string_lossy()));
    let log = output.with_extension("log");
    run(&mut command, &line, &log, |_| progress.tick())?;
    fs::rename(partial(output), output).with_context(|| format!("{line} wrote no output"))?;
    cache::write_whole(&mark, &key)
}

/// Runs a command that builds `name`; each line goes to `log` and to `on_line`.
pub(crate) fn run(
    command: &mut Command,
    name: &str,
    log: &Path,
    on_line: impl FnMut(Option<&str>),
) -> Result<()> {
    let status = job::run_logged(command, log, on_line)?;
    ensure!(
        status.success(),
        "building the guest's programs failed: {name}; the last lines of {} are\n{}",
        log.display(),
        job::tail(log, SHOWN_LINES)
    );
    Ok(())
}

/// The name under which a result is written until it is complete.
pub(crate) fn partial(output: &Path) -> PathBuf {
    output.with_extension("partial")
}

/// A text that changes when Debian upgrades a compiler: asking for its version would cost a process
/// each time.
fn compiler_file(compiler: &OsString) -> Result<Vec<u8>> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let file = std::env::split_paths(&path)
        .map(|folder| folder.join(compiler))
        .find(|file| file.is_file());
    let file = file.with_context(|| format!("there is no {} on the path", compiler.display()))?;
    let data = fs::metadata(&file).with_context(|| format!("cannot read {}", file.display()))?;
    Ok(format!("{} {} {:?}", file.display(), data.len(), data.modified().ok()).into_bytes())
}
