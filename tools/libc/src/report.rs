//! Programs under the runner, and its report of the calls that pinned ones made.

use anyhow::{Context as _, Result, bail};
use liblinux_abi::image::export::SYSCALL_CANCELLABLE;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long after the end of its programs the runner may take to write the report.
const PATIENCE: Duration = Duration::from_secs(20);

/// The runner and the image that it gives to programs.
#[derive(Clone, Debug)]
pub struct Runner {
    /// `liblinux-run`.
    pub program: PathBuf,
    /// The image.
    pub image: PathBuf,
}

impl Runner {
    /// Whether the image has all that musl needs to make no call by itself.
    pub(crate) fn is_complete(&self) -> Result<bool> {
        let image = fs::read(&self.image)
            .with_context(|| format!("cannot read {}", self.image.display()))?;
        // Cancellation points need it.
        let name = [SYSCALL_CANCELLABLE.as_bytes(), b"\0"].concat();
        Ok(image.windows(name.len()).any(|bytes| bytes == name))
    }

    /// A command that runs what is added, pinned if there is to be a report.
    pub(crate) fn command(&self, report: Option<&Path>) -> Command {
        let mut command = Command::new(&self.program);
        command.arg("--image").arg(&self.image);
        if let Some(report) = report {
            command.arg("--pin").arg(report);
        }
        command.arg("--");
        command
    }
}

/// What pinned programs did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pinned {
    /// Threads that were pinned.
    pub(crate) threads: u64,
    /// The calls that were made, by name.
    pub(crate) calls: BTreeSet<String>,
    /// Calls that an image can have.
    pub(crate) entries: u64,
    /// Calls from elsewhere.
    pub(crate) violations: u64,
    /// Some of these, in words.
    pub(crate) listed: Vec<String>,
}

impl Pinned {
    /// Waits for a report and reads it.
    pub(crate) fn of(report: &Path) -> Result<Self> {
        let begun = Instant::now();
        loop {
            match fs::read_to_string(report) {
                Ok(text) => return Self::parse(&text),
                Err(_) if begun.elapsed() < PATIENCE => sleep(Duration::from_millis(5)),
                Err(error) => {
                    return Err(error).with_context(|| {
                        format!("the runner wrote no report {}", report.display())
                    });
                }
            }
        }
    }

    fn parse(text: &str) -> Result<Self> {
        let mut pinned = Self::default();
        for line in text.lines() {
            let words: Vec<&str> = line.split(' ').collect();
            match words[..] {
                ["threads", count] => pinned.threads = count.parse()?,
                ["calls", _, "of", entries] => pinned.entries = entries.parse()?,
                ["violations", count] => pinned.violations = count.parse()?,
                ["violation", ..] => pinned.listed.push(line.to_owned()),
                ["call", name, _] => drop(pinned.calls.insert(name.to_owned())),
                _ => bail!("the runner's report has the line `{line}`"),
            }
        }
        anyhow::ensure!(
            pinned.threads > 0 && pinned.entries > 0,
            "the runner's report has no thread: `{text}`"
        );
        Ok(pinned)
    }

    /// Adds another report.
    pub(crate) fn add(&mut self, other: &Self) {
        self.threads += other.threads;
        self.calls.extend(other.calls.iter().cloned());
        self.entries = other.entries;
        self.violations += other.violations;
        self.listed.extend(other.listed.iter().cloned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_read_and_others_are_added() {
        let text = "threads 2\ncalls 1 of 367\nviolations 1\nviolation 7 makes brk at 0x1, x+0x1\ncall read 5\n";
        let mut pinned = Pinned::parse(text).unwrap();
        assert_eq!((pinned.threads, pinned.entries, pinned.violations), (2, 367, 1));
        let other = "threads 1\ncalls 2 of 367\nviolations 0\ncall read 1\ncall write 1\n";
        pinned.add(&Pinned::parse(other).unwrap());
        assert_eq!((pinned.threads, pinned.calls.len(), pinned.listed.len()), (3, 2, 1));
    }

    #[test]
    fn an_empty_report_is_none() {
        for text in ["", "threads 0\ncalls 0 of 367\nviolations 0\n", "some line\n"] {
            assert!(Pinned::parse(text).is_err(), "{text:?}");
        }
    }
}
