//! Which Debian packages a task needs, and how they get here.
//!
//! A package is asked for by the file it brings, not by its name: a `make` from elsewhere is as good as Debian's, and
//! looking for a file takes no time where asking dpkg would. Only what is missing is installed: as root directly, with
//! `sudo` where it asks no password, and otherwise by the reader, who gets the line to type.
//!
//! Linux 6.12 is in Debian 12's security archive alone, which a fresh `debootstrap` does not list. It is then named to
//! apt for this one call; `/etc/apt` stays as it is.
//!
//! # Invariants
//!
//! 1. Nothing is installed that was there, and nothing is removed.
//! 2. After `Ok`, every probe of every package of the set is there.

use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::job;
use crate::progress::Progress;

/// A package with what it brings: a program on the path, or an absolute file name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Package {
    /// Debian's name.
    pub name: &'static str,
    /// The file or program that is looked for.
    pub probe: &'static str,
}

const fn package(name: &'static str, probe: &'static str) -> Package {
    Package { name, probe }
}

/// What `boot` needs beside a C compiler and the Rust toolchain.
pub const BOOT: &[Package] = &[
    package("bc", "bc"),
    package("binutils", "ld"),
    package("bison", "bison"),
    package("busybox-static", "/usr/share/doc/busybox-static"),
    package("criu", "/usr/sbin/criu"),
    package("flex", "flex"),
    package("gcc", "gcc"),
    package("golang-go", "go"),
    package("libc6-dev", "/usr/include/stdio.h"),
    package("libelf-dev", "/usr/include/libelf.h"),
    package("linux-source-6.12", "/usr/src/linux-source-6.12.tar.xz"),
    package("make", "make"),
    package("musl-tools", "musl-gcc"),
    package("patch", "patch"),
    package("qemu-system-x86", "qemu-system-x86_64"),
    package("strace", "/usr/bin/strace"),
    package("xz-utils", "xz"),
];

/// The last lines of apt that an error shows.
const SHOWN_LINES: usize = 12;

/// Installs those of `set` that are missing.
pub fn require(set: &[Package]) -> Result<()> {
    let missing = missing(set);
    if missing.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = missing.iter().map(|package| package.name).collect();
    eprintln!("missing Debian packages: {}", names.join(" "));
    install(&names)?;
    match self::missing(set).first() {
        None => Ok(()),
        Some(package) => bail!(
            "apt installed {} but `{}` is still not there; see `dpkg -L {0}` and `apt-get install --reinstall {0}`",
            package.name,
            package.probe
        ),
    }
}

/// Installs `name` again, for a package whose files were damaged.
pub fn reinstall(name: &str) -> Result<()> {
    install(&[name])
}

/// Those of `set` whose probe is not there.
pub fn missing(set: &[Package]) -> Vec<Package> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    set.iter().filter(|package| !present(package.probe, &path)).copied().collect()
}

fn present(probe: &str, path: &OsStr) -> bool {
    if probe.starts_with('/') {
        return Path::new(probe).exists();
    }
    std::env::split_paths(path).any(|folder| folder.join(probe).is_file())
}

fn install(names: &[&str]) -> Result<()> {
    let by_hand = by_hand(names);
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
            "only root can install packages, and sudo asks for a password or is not there; run this, then try again:\n    {by_hand}"
        );
    };
    let folder = tempfile::tempdir().context("cannot create a temporary folder")?;
    let log = folder.path().join("apt.log");
    let updated = apt(prefix, &["update"], "apt-get update", &log)?;
    let update_log = if updated { String::new() } else { job::tail(&log, SHOWN_LINES) + "\n" };

    let mut options = Vec::new();
    if !names.iter().all(|name| known(name)) && security_source(folder.path())? {
        options = vec!["-o".to_owned(), format!("Dir::Etc::SourceParts={}", folder.path().display())];
        let options: Vec<&str> = options.iter().map(String::as_str).chain(["update"]).collect();
        apt(prefix, &options, "apt-get update with the security archive", &log)?;
    }
    let mut words: Vec<&str> = options.iter().map(String::as_str).collect();
    words.extend(["install", "--yes", "--no-install-recommends"]);
    // What dpkg counts as installed, but whose file is gone, has to be unpacked anew.
    words.extend(["--reinstall", "-o", "DPkg::Lock::Timeout=120"]);
    words.extend(names);
    if apt(prefix, &words, "apt-get install", &log)? {
        return Ok(());
    }
    bail!(
        "apt-get could not install {}; its last lines were\n{update_log}{}\n\
         check the network and /etc/apt/sources.list (linux-source-6.12 is in bookworm-security), then run\n    \
         {by_hand}\nand try again",
        names.join(" "),
        job::tail(&log, SHOWN_LINES)
    )
}

/// The line that a reader can type instead.
fn by_hand(names: &[&str]) -> String {
    let names = names.join(" ");
    format!("sudo apt-get update && sudo apt-get install --yes --no-install-recommends --reinstall {names}")
}

fn apt(prefix: &[&str], words: &[&str], label: &'static str, log: &Path) -> Result<bool> {
    let mut line = prefix.to_vec();
    line.extend(["env", "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C", "apt-get"]);
    line.extend(words);
    let mut progress = Progress::new(label, None);
    let status = job::run_logged(Command::new(line[0]).args(&line[1..]).stdin(Stdio::null()), log, |line| {
        progress.advance(line)
    })?;
    progress.finish();
    Ok(status.success())
}

/// Whether apt's lists have a package of that name.
fn known(name: &str) -> bool {
    quiet_success(Command::new("apt-cache").args(["show", "--no-all-versions", name]))
}

/// Fills `folder` with the system's source files and Debian 12's security archive; `false` if it is not known where.
fn security_source(folder: &Path) -> Result<bool> {
    let targets = Command::new("apt-get")
        .args(["indextargets", "--format", "$(CODENAME) $(REPO_URI)", "Created-By: Packages"])
        .stderr(Stdio::null())
        .output()
        .context("cannot run apt-get")?;
    let Some(archive) = security_archive(&String::from_utf8_lossy(&targets.stdout)) else {
        return Ok(false);
    };
    if let Ok(entries) = fs::read_dir("/etc/apt/sources.list.d") {
        for entry in entries.flatten() {
            let copy = folder.join(entry.file_name());
            fs::copy(entry.path(), &copy).with_context(|| format!("cannot write {}", copy.display()))?;
        }
    }
    let file = folder.join("bookworm-security.list");
    fs::write(&file, format!("deb {archive} bookworm-security main\n"))
        .with_context(|| format!("cannot write {}", file.display()))?;
    eprintln!(
        "linux-source-6.12 is in bookworm-security, which /etc/apt does not list: naming {archive} for this call"
    );
    Ok(true)
}

/// The security archive beside the archive that has Debian 12, of lines with an archive's codename and its address.
fn security_archive(targets: &str) -> Option<String> {
    let mut archives = targets.lines().filter_map(|line| line.strip_prefix("bookworm "));
    archives.find_map(|archive| {
        let archive = archive.trim_end_matches('/');
        archive.ends_with("/debian").then(|| format!("{archive}-security"))
    })
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
    fn looks_for_programs_and_files() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("flex"), "").unwrap();
        assert!(present("flex", folder.path().as_os_str()));
        assert!(!present("bison", folder.path().as_os_str()));
        assert!(present("/proc/self/status", OsStr::new("")));
        assert!(!present("/proc/self/no such file", OsStr::new("")));
    }

    #[test]
    fn finds_the_security_archive_beside_debians() {
        let targets =
            "bookworm-updates http://b/debian\nbookworm http://a/other\nbookworm http://a.b/debian/\n";
        assert_eq!(security_archive(targets).as_deref(), Some("http://a.b/debian-security"));
        assert_eq!(security_archive("trixie http://a.b/debian/\n"), None);
    }

    #[test]
    fn lists_only_what_is_missing() {
        let set = [package("procps", "/proc/self/status"), package("nonesuch", "/nonesuch")];
        assert_eq!(missing(&set), [package("nonesuch", "/nonesuch")]);
    }

    #[test]
    fn the_line_to_type_names_every_package() {
        let line = by_hand(&["flex", "bison"]);
        assert!(line.ends_with("--reinstall flex bison"), "{line}");
    }

    #[test]
    fn the_list_is_sorted_and_unique() {
        assert!(BOOT.is_sorted_by(|a, b| a.name < b.name));
    }
}
