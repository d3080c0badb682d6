//! The report of `liblinux-run --pin`: what pinned programs did.

use anyhow::{Context as _, Result, bail, ensure};
use nix::fcntl::AT_FDCWD;
use nix::unistd::{UnlinkatFlags, unlinkat};
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How long after the end of its programs the runner may take to write the report.
const PATIENCE: Duration = Duration::from_secs(30);

/// What was counted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Threads that were pinned.
    pub threads: u64,
    /// The calls that were made, by name.
    pub calls: BTreeSet<String>,
    /// Calls that an image can have.
    pub entries: u64,
    /// Calls from elsewhere.
    pub violations: u64,
    /// Some of these, in words.
    pub listed: Vec<String>,
}

impl Report {
    /// Waits for a report, and takes it away.
    pub fn take(file: &Path) -> Result<Self> {
        let begun = Instant::now();
        loop {
            match fs::read_to_string(file) {
                Ok(text) => {
                    // `remove_file` is a legacy call, which the guest's kernel may refuse.
                    unlinkat(AT_FDCWD, file, UnlinkatFlags::NoRemoveDir)
                        .with_context(|| format!("cannot remove {}", file.display()))?;
                    return Self::parse(&text);
                }
                Err(_) if begun.elapsed() < PATIENCE => sleep(Duration::from_millis(5)),
                Err(error) => {
                    return Err(error)
                        .with_context(|| format!("the runner wrote no report {}", file.display()));
                }
            }
        }
    }

    fn parse(text: &str) -> Result<Self> {
        let mut report = Self::default();
        for line in text.lines() {
            let words: Vec<&str> = line.split(' ').collect();
            match words[..] {
                ["threads", count] => report.threads = count.parse()?,
                ["calls", _, "of", entries] => report.entries = entries.parse()?,
                ["violations", count] => report.violations = count.parse()?,
                ["violation", ..] => report.listed.push(line.to_owned()),
                ["call", name, _] => drop(report.calls.insert(name.to_owned())),
                _ => bail!("the runner's report has the line `{line}`"),
            }
        }
        ensure!(
            report.threads > 0 && report.entries > 0,
            "the runner's report has no thread: `{text}`"
        );
        Ok(report)
    }

    /// Adds another report.
    pub fn add(&mut self, other: &Self) {
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
        let mut report = Report::parse(text).unwrap();
        assert_eq!((report.threads, report.entries, report.violations), (2, 367, 1));
        let other = "threads 1\ncalls 2 of 367\nviolations 0\ncall read 1\ncall write 1\n";
        report.add(&Report::parse(other).unwrap());
        assert_eq!((report.threads, report.calls.len(), report.listed.len()), (3, 2, 1));
    }

    #[test]
    fn a_report_of_nothing_is_an_error() {
        for text in ["", "threads 0\ncalls 0 of 367\nviolations 0\n", "some line\n"] {
            assert!(Report::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_report_is_taken_once() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("report");
        fs::write(&file, "threads 1\ncalls 1 of 367\nviolations 0\ncall read 1\n").unwrap();
        assert_eq!(Report::take(&file).unwrap().calls.len(), 1);
        assert!(!file.exists());
    }
}
