//! A program that is run to its end, or to a limit.
//!
//! # Invariants
//!
//! 1. Output goes to a file, so that a descendant which outlives the program holds up nothing.
//! 2. At the limit the program's whole process group is killed.

use anyhow::{Context as _, Result};
use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use std::io::{Read as _, Seek as _};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How often a running program is looked at.
const STEP: Duration = Duration::from_millis(5);

/// How a program ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct End {
    /// The exit status, 128 and the signal's number, or `None` at the limit.
    pub(crate) status: Option<i32>,
    /// Output and errors.
    pub(crate) said: String,
}

/// Runs a command.
pub(crate) fn end(command: &mut Command, limit: Duration) -> Result<End> {
    let mut file = tempfile::tempfile().context("cannot create a temporary file")?;
    command.stdin(Stdio::null()).process_group(0);
    command.stdout(file.try_clone()?).stderr(file.try_clone()?);
    let program = command.get_program().to_string_lossy().into_owned();
    let mut child = command.spawn().with_context(|| format!("cannot run {program}"))?;
    let begun = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().context("cannot wait for a program")? {
            break status.code().or_else(|| status.signal().map(|signal| 128 + signal));
        }
        if begun.elapsed() > limit {
            // An error means that it has just ended.
            let _ = killpg(Pid::from_raw(child.id() as i32), Signal::SIGKILL);
            child.wait().context("cannot wait for a program")?;
            break None;
        }
        sleep(STEP);
    };
    let mut said = Vec::new();
    file.rewind()?;
    file.read_to_end(&mut said)?;
    Ok(End { status, said: String::from_utf8_lossy(&said).into_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_ends_or_is_ended() {
        let run = |script: &str, limit_ms| {
            end(Command::new("sh").args(["-c", script]), Duration::from_millis(limit_ms)).unwrap()
        };
        let said = |said: &str, status| End { status, said: said.to_owned() };
        assert_eq!(run("echo out; echo err >&2; exit 3", 10_000), said("out\nerr\n", Some(3)));
        assert_eq!(run("kill -USR1 $$", 10_000), said("", Some(138)));
        assert_eq!(run("echo a; sleep 60 & sleep 60", 300), said("a\n", None));
    }
}
