//! Debian's CRIU, as its users call it.
//!
//! # Invariants
//!
//! 1. A command that fails is an error with the last lines of CRIU's own log, in which is what the
//!    script said.

use anyhow::{Context, Result, ensure};
use nix::unistd::Pid;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The exit status of a process that a checkpoint finds as a zombie.
pub const ZOMBIE_STATUS: i32 = 7;

const CRIU: &str = "/usr/sbin/criu";

/// The lines of a log that an error shows.
const SHOWN_LINES: usize = 8;

/// A checkpoint: the folder with CRIU's images.
#[derive(Clone, Debug)]
pub struct Checkpoint {
    folder: PathBuf,
    /// The script that CRIU calls at its stages.
    script: Option<PathBuf>,
}

impl Checkpoint {
    /// A checkpoint in `folder`, which is made if need be.
    pub fn new(folder: &Path, script: Option<&Path>) -> Result<Self> {
        fs::create_dir_all(folder)
            .with_context(|| format!("cannot create {}", folder.display()))?;
        Ok(Self { folder: folder.to_owned(), script: script.map(Path::to_owned) })
    }

    /// Dumps the process `pid` with its children, which ends them.
    pub fn dump(&self, pid: Pid) -> Result<()> {
        self.run("dump", &["--tree", &pid.to_string()])
    }

    /// Restores what was dumped; the processes become this one's orphans.
    pub fn restore(&self) -> Result<()> {
        self.run("restore", &["--restore-detached"])
    }

    fn run(&self, verb: &str, arguments: &[&str]) -> Result<()> {
        let log = format!("{verb}.log");
        let mut command = Command::new(CRIU);
        command
            .arg(verb)
            .args(arguments)
            .args(["-v4", "--log-file", &log, "--images-dir"])
            .arg(&self.folder);
        if let Some(script) = &self.script {
            command.arg("--action-script").arg(script);
        }
        let result = command.output().context("cannot run criu")?;
        ensure!(
            result.status.success(),
            "criu {verb}: {}; {}",
            result.status,
            self.complaints(&self.folder.join(log))
        );
        Ok(())
    }

    /// What a log says of errors. Lines of the script's have no time in front.
    fn complaints(&self, log: &Path) -> String {
        let text = fs::read_to_string(log).unwrap_or_default();
        let lines = text.lines().filter(|line| {
            line.contains("Error") || line.contains("Warn") || !line.starts_with('(')
        });
        let lines: Vec<&str> = lines.collect();
        lines[lines.len().saturating_sub(SHOWN_LINES)..].join(" / ")
    }
}

/// Whether this kernel has what CRIU needs, in its own words.
pub fn check() -> Result<()> {
    let result = Command::new(CRIU).arg("check").output().context("cannot run criu")?;
    let said = String::from_utf8_lossy(&result.stderr);
    ensure!(
        result.status.success(),
        "criu check: {}",
        said.lines().collect::<Vec<_>>().join(" / ")
    );
    Ok(())
}
