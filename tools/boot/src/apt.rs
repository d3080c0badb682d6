//! Installs Debian packages: as root directly, and otherwise with `sudo` if it asks for no
//! password. If it does, the error has the lines for the user to type.
//!
//! # Invariants
//!
//! 1. Only packages that the lists in `/etc/apt` have are installed.

use crate::job;
use crate::probe::present;
use crate::progress::Progress;
use anyhow::{Context, Result, bail};
use std::path::Path;
use std::process::{Command, Stdio};

/// The last lines of apt that an error shows.
const SHOWN_LINES: usize = 12;

/// Installs packages of these names, again if need be.
pub fn install(names: &[&str]) -> Result<()> {
    if !present("apt-get", &std::env::var_os("PATH").unwrap_or_default()) {
        bail!(
            "this system has no apt-get; install what brings the same files as Debian 12's {}",
            names.join(" ")
        );
    }
    let prefix: &[&str] = if nix::unistd::geteuid().is_root() {
        &[]
    } else if quiet_success(Command::new("sudo").args(["-n", "true"])) {
        &["sudo", "-n"]
    } else {
        bail!(
            "only root can install packages, and sudo asks for a password or is not there; run this, then try \
             again:\n{}",
            by_hand(names)
        );
    };
    let folder = tempfile::tempdir().context("cannot create a temporary folder")?;
    let log = folder.path().join("apt.log");
    let updated = apt(prefix, &["update"], "apt-get update", &log)?;
    let update_log = if updated { String::new() } else { job::tail(&log, SHOWN_LINES) + "\n" };
    // The package that dpkg counts as installed, but whose file is gone, has to be unpacked anew.
    let words = [
        "install",
        "--yes",
        "--no-install-recommends",
        "--reinstall",
        "-o",
        "DPkg::Lock::Timeout=120",
    ];
    let words = [&words, names].concat();
    if apt(prefix, &words, "apt-get install", &log)? {
        return Ok(());
    }
    bail!(
        "apt-get could not install {}; its last lines were\n{update_log}{}\n\
         check the network and /etc/apt, then run\n{}\nand try again",
        names.join(" "),
        job::tail(&log, SHOWN_LINES),
        by_hand(names)
    )
}

/// The lines that a user can type instead.
fn by_hand(names: &[&str]) -> String {
    format!(
        "    sudo apt-get update\n    sudo apt-get install --yes --no-install-recommends --reinstall {}",
        names.join(" ")
    )
}

fn apt(prefix: &[&str], words: &[&str], label: &'static str, log: &Path) -> Result<bool> {
    let mut line: Vec<&str> = prefix.to_vec();
    line.extend(["env", "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C", "apt-get"]);
    line.extend(words);
    let mut progress = Progress::new(label, None);
    let status = job::run_logged(
        Command::new(line[0]).args(&line[1..]).stdin(Stdio::null()),
        log,
        |line| progress.advance(line),
    )?;
    progress.finish();
    Ok(status.success())
}

fn quiet_success(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_to_type_name_every_package() {
        let lines = by_hand(&["flex", "bison"]);
        assert!(lines.ends_with("--reinstall flex bison") && lines.contains("update"), "{lines}");
    }
}
