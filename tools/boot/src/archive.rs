//! Debian's archive by lists of this project's own, beside those of the machine.
//!
//! The machine's lists rarely have all that is needed: sources (`deb-src`) and other suites are
//! left out as a rule. So apt gets a list made from the machine's: the same archives, with what is
//! wanted. Lists and packages go into a folder, nothing is installed, and no root is needed. Apt
//! checks what it fetches by the archive's signature, as always.
//!
//! # Invariants
//!
//! 1. Nothing of the machine is changed: apt writes in the folder alone.

use crate::cache;
use crate::job;
use crate::progress::Progress;
use anyhow::{Context as _, Result};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The keys of Debian's archives, all releases in one file.
const KEYRINGS: &[&str] = &[
    "/usr/share/keyrings/debian-archive-keyring.gpg",
    "/usr/share/keyrings/debian-archive-keyring.pgp",
];

/// The last lines of apt that an error shows.
const SHOWN_LINES: usize = 6;

/// A suite of an archive that the machine's apt lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Listed {
    pub(crate) release: String,
    pub(crate) address: String,
}

/// The suites that apt lists, or why there are none.
pub(crate) fn listed() -> Result<Vec<Listed>, String> {
    let targets = Command::new("apt-get")
        .args(["indextargets", "--format", "$(RELEASE) $(REPO_URI)", "Created-By: Packages"])
        .stderr(Stdio::null())
        .output()
        .map_err(|error| format!("apt-get cannot be run: {error}"))?;
    Ok(parse(&String::from_utf8_lossy(&targets.stdout)))
}

/// Reads lines with a release and an archive's address.
pub(crate) fn parse(targets: &str) -> Vec<Listed> {
    let lines = targets.lines().filter_map(|line| line.split_once(' '));
    lines
        .map(|(release, address)| Listed {
            release: release.to_owned(),
            address: address.trim().trim_end_matches('/').to_owned(),
        })
        .collect()
}

/// The address of the archive that has `suite`, beside those that apt lists.
pub(crate) fn having(listed: &[Listed], suite: &str) -> Option<String> {
    let own = listed.iter().find(|listed| listed.release == suite);
    let main = listed.iter().find(|listed| listed.address.ends_with("/debian"));
    let security = if suite.ends_with("-security") { "-security" } else { "" };
    let beside = main.map(|listed| format!("{}{security}", listed.address));
    own.map(|listed| listed.address.clone()).or(beside)
}

/// The option of a list's line that names the keys, if they are in their place.
pub(crate) fn keys() -> String {
    let keyring = KEYRINGS.iter().find(|keyring| Path::new(keyring).is_file());
    keyring.map(|keyring| format!("[signed-by={keyring}] ")).unwrap_or_default()
}

/// A line of apt's `sources.list` for the programs of a suite.
pub(crate) fn line(address: &str, suite: &str) -> String {
    format!("deb {}{address} {suite} main\n", keys())
}

/// Apt with the lists of one folder alone.
pub(crate) struct Apt {
    folder: PathBuf,
}

impl Apt {
    /// Prepares an empty folder; `sources` is what a `sources.list` has.
    pub(crate) fn new(folder: &Path, sources: &str) -> Result<Self> {
        for name in ["lists/partial", "archives/partial"] {
            let path = folder.join(name);
            fs::create_dir_all(&path)
                .with_context(|| format!("cannot create {}", path.display()))?;
        }
        cache::write_whole(&folder.join("sources.list"), sources)?;
        Ok(Self { folder: folder.to_owned() })
    }

    /// Runs apt in the folder; an inner error says what apt said.
    pub(crate) fn run(&self, words: &[&str], label: &'static str) -> Result<Result<(), String>> {
        let option = |key: &str, place: &Path| format!("-o{key}={}", place.display());
        let (folder, none, log) =
            (&self.folder, Path::new("/dev/null"), self.folder.join("apt.log"));
        let mut command = Command::new("apt-get");
        command.current_dir(folder).stdin(Stdio::null()).env("LC_ALL", "C").args([
            option("Dir::Etc::SourceList", &folder.join("sources.list")),
            option("Dir::Etc::SourceParts", none),
            option("Dir::Etc::Preferences", none),
            option("Dir::Etc::PreferencesParts", none),
            option("Dir::State::Lists", &folder.join("lists")),
            option("Dir::State::status", none),
            option("Dir::Cache", folder),
            // Another user could not write in the cache of this one.
            "-oAPT::Sandbox::User=".to_owned(),
            "-oAcquire::Languages=none".to_owned(),
            // An archive that cannot be reached is an error, not a warning.
            "-oAPT::Update::Error-Mode=any".to_owned(),
        ]);
        command.args(words);
        let mut progress = Progress::new(label, None);
        let status = job::run_logged(&mut command, &log, |line| progress.advance(line))?;
        if !status.success() {
            let said = job::tail(&log, SHOWN_LINES);
            return Ok(Err(format!("`{label}` failed; its last lines were\n{said}")));
        }
        progress.finish();
        Ok(Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAIN: &str = "bookworm-updates http://b/debian\nbookworm http://a/other\n";

    #[test]
    fn the_archive_is_the_machines_own() {
        let beside = |suite| having(&parse(MAIN), suite);
        assert_eq!(beside("trixie-backports").as_deref(), Some("http://b/debian"));
        assert_eq!(beside("bookworm-security").as_deref(), Some("http://b/debian-security"));
        let listed = format!("{MAIN}bookworm-security http://c/security/\n");
        assert_eq!(
            having(&parse(&listed), "bookworm-security").as_deref(),
            Some("http://c/security")
        );
        assert_eq!(having(&parse("noble http://a/ubuntu\n"), "trixie-backports"), None);
    }
}
