//! Installs Debian packages: as root directly, and otherwise with `sudo` if it asks for no
//! password. If it does, the error has the lines for the user to type.
//!
//! The archives are seen as [`crate::archives`] says.
//!
//! # Invariants
//!
//! 1. All installations of all commands see the archives in the same way: `View::of_machine`.
//! 2. A first attempt installs only packages that the lists in `/etc/apt` have, but for the
//!    kernel's source.

use crate::archives::{SECURITY, View};
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
            by_hand(names, View::of_machine()?.security.as_deref())
        );
    };
    let folder = tempfile::tempdir().context("cannot create a temporary folder")?;
    let log = folder.path().join("apt.log");
    let updated = apt(prefix, &[], &["update"], "apt-get update", &log)?;
    let update_log = if updated { String::new() } else { job::tail(&log, SHOWN_LINES) + "\n" };
    let view = View::of_machine()?;
    if let Some(archive) = &view.security {
        eprintln!(
            "naming {archive} to apt for this call: it has the kernel's source, and /etc/apt does not list it"
        );
        apt(
            prefix,
            &view.options(true),
            &["update"],
            "apt-get update with the security archive",
            &log,
        )?;
    }
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
    if apt(prefix, &view.options(true), &words, "apt-get install", &log)? {
        return Ok(());
    }
    let mut install_log = job::tail(&log, SHOWN_LINES);
    if view.security.is_some() {
        eprintln!(
            "that failed; again with all of the security archive, in case this machine was installed with it"
        );
        if apt(
            prefix,
            &view.options(false),
            &words,
            "apt-get install with the security archive",
            &log,
        )? {
            return Ok(());
        }
        install_log +=
            &format!("\nand with the security archive\n{}", job::tail(&log, SHOWN_LINES));
    }
    bail!(
        "apt-get could not install {}; its last lines were\n{update_log}{install_log}\n\
         check the network and /etc/apt, then run\n{}\nand try again",
        names.join(" "),
        by_hand(names, view.security.as_deref())
    )
}

/// The lines that a user can type instead; `security` is an archive that is still to be listed.
fn by_hand(names: &[&str], security: Option<&str>) -> String {
    let names = names.join(" ");
    let mut lines = String::new();
    if let Some(archive) = security.filter(|_| names.contains("linux-source")) {
        lines += &format!(
            "    echo 'deb {archive} {SECURITY} main' | sudo tee /etc/apt/sources.list.d/{SECURITY}.list\n"
        );
    }
    lines
        + &format!(
            "    sudo apt-get update\n    sudo apt-get install --yes --no-install-recommends --reinstall {names}"
        )
}

fn apt(
    prefix: &[&str],
    options: &[String],
    words: &[&str],
    label: &'static str,
    log: &Path,
) -> Result<bool> {
    let mut line: Vec<&str> = prefix.to_vec();
    line.extend(["env", "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C", "apt-get"]);
    line.extend(options.iter().map(String::as_str));
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
    fn the_lines_to_type_name_every_package_and_the_archive() {
        let lines = by_hand(&["flex", "bison"], None);
        assert!(lines.ends_with("--reinstall flex bison"), "{lines}");
        let lines = by_hand(&["flex", "linux-source-6.12"], Some("http://a.b/debian-security"));
        assert!(
            lines.contains("'deb http://a.b/debian-security bookworm-security main'"),
            "{lines}"
        );
    }
}
