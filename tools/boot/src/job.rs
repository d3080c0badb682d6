//! A job: a long command whose output goes to a log, and which ends with this process.
//!
//! Kernel builds and guests outlive an impatient Ctrl-C or a killed terminal unless a process ends
//! them. `setpriv` (util-linux, on every Debian) asks the kernel to: the parent-death signal
//! arrives after every death of this process, also by SIGKILL, which no handler sees. This also
//! keeps `unsafe` out of the crate: the same request from Rust needs a `pre_exec` hook.
//!
//! # Invariants
//!
//! 1. A process started through [`supervised`] gets its signal when the thread that started it
//!    ends. So the caller waits for it in that thread.
//! 2. The log holds every line of the command, in order.

use anyhow::{Context, Result};
use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

/// How often a caller hears from a command that says nothing.
const TICK: Duration = Duration::from_millis(500);

/// A command that receives `signal` (a name without SIG) when this process dies.
pub fn supervised(signal: &str, program: &str) -> Command {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", signal, "--", program]);
    command.stdin(Stdio::null());
    command
}

/// Runs `command` with both its outputs in the file `log`, and gives each line to `on_line`; `None`
/// if there was none for a while.
pub fn run_logged(
    command: &mut Command,
    log: &Path,
    mut on_line: impl FnMut(Option<&str>),
) -> Result<ExitStatus> {
    let mut file = File::create(log).with_context(|| format!("cannot create {}", log.display()))?;
    let (reader, writer) = io::pipe().context("cannot create a pipe")?;
    command.stdout(writer.try_clone().context("cannot duplicate a pipe")?).stderr(writer);
    let mut child = command
        .spawn()
        .with_context(|| format!("cannot run {}", command.get_program().display()))?;
    // The command holds the pipe's writing end; it must be closed for the reader to see the end.
    command.stdout(Stdio::null()).stderr(Stdio::null());

    let (sender, lines) = mpsc::channel();
    let reading = std::thread::spawn(move || {
        let mut reader = BufReader::new(reader);
        let mut line = Vec::new();
        while reader.read_until(b'\n', &mut line).is_ok_and(|count| count > 0) {
            let text = String::from_utf8_lossy(&line).trim_end().to_owned();
            line.clear();
            if sender.send(text).is_err() {
                break;
            }
        }
    });
    loop {
        match lines.recv_timeout(TICK) {
            Ok(line) => {
                writeln!(file, "{line}")
                    .with_context(|| format!("cannot write {}", log.display()))?;
                on_line(Some(&line));
            }
            Err(RecvTimeoutError::Timeout) => on_line(None),
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    // Cannot fail: the thread has nothing left that panics, and a lost line would have ended it
    // early.
    let _ = reading.join();
    child.wait().context("cannot wait for a command")
}

/// The last `count` lines of a file, indented for a message; says so if there are none.
pub fn tail(path: &Path, count: usize) -> String {
    let text = std::fs::read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&text);
    let lines: Vec<&str> = text.lines().collect();
    let last = &lines[lines.len().saturating_sub(count)..];
    if last.is_empty() {
        return "    (nothing)".to_owned();
    }
    last.iter().map(|line| format!("    {}", line.trim_end())).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logs_both_outputs() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        let mut seen = Vec::new();
        let status = run_logged(
            supervised("KILL", "sh").args(["-c", "echo one; echo two >&2; exit 3"]),
            &log,
            |line| seen.extend(line.map(str::to_owned)),
        )
        .unwrap();
        assert_eq!(status.code(), Some(3));
        assert_eq!(seen, ["one", "two"]);
        assert_eq!(std::fs::read_to_string(&log).unwrap(), "one\ntwo\n");
        assert_eq!(tail(&log, 1), "    two");
        assert_eq!(tail(&folder.path().join("none"), 1), "    (nothing)");
    }

    #[test]
    fn a_supervised_process_dies_with_the_thread_that_started_it() {
        let child = std::thread::spawn(|| {
            let mut command = supervised("KILL", "sh");
            let command = command.args(["-c", "echo ready; exec sleep 20"]).stdout(Stdio::piped());
            let mut child = command.spawn().unwrap();
            // Before it says so, the request may not have been made yet.
            let mut ready = [0; 5];
            io::Read::read_exact(&mut child.stdout.take().unwrap(), &mut ready).unwrap();
            child
        });
        assert!(!child.join().unwrap().wait().unwrap().success());
    }
}
