//! Installs Debian packages: as root directly, with `sudo` where it asks no password, and otherwise by the reader, who
//! gets the lines to type.
//!
//! Linux 6.12's source is in Debian 12's security archive alone, which a fresh `debootstrap` does not list. It is then
//! named to apt for our calls; `/etc/apt` stays as it is. But versions of the security archive must not get here by
//! this: a later `apt-get` of the user's sees the main archive alone, and cannot put a library of the main archive
//! beside a security version of its other half (Debian ties such halves with `=`). So for our calls the security archive
//! is pinned: it has the kernel's source, and nothing else. That package depends on no version of another.
//!
//! A machine may be in that state all the same: installed with the security archive, which was taken off the list later.
//! Then the lists of the machine alone cannot be followed, by anybody. A second attempt takes the security archive
//! without the pin.
//!
//! # Invariants
//!
//! 1. All installations of all commands see the archives in the same way: [`View::of_machine`].
//! 2. What a first attempt installs, the lists in `/etc/apt` have, but for the kernel's source.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use crate::packages::present;
use crate::progress::Progress;
use crate::{job, source};

/// The last lines of apt that an error shows.
const SHOWN_LINES: usize = 12;

/// The archive that has the kernel's source.
const SECURITY: &str = "bookworm-security";

/// The folders of `/etc/apt` that a view has copies of, with the names of apt's options for them.
const SOURCES: (&str, &str) = ("/etc/apt/sources.list.d", "Dir::Etc::SourceParts");
const PREFERENCES: (&str, &str) = ("/etc/apt/preferences.d", "Dir::Etc::PreferencesParts");

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
            by_hand(names, None)
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
        apt(prefix, &view.options(true), &["update"], "apt-get update with the security archive", &log)?;
    }
    // The package that dpkg counts as installed, but whose file is gone, has to be unpacked anew.
    let words =
        ["install", "--yes", "--no-install-recommends", "--reinstall", "-o", "DPkg::Lock::Timeout=120"];
    let words = [&words, names].concat();
    if apt(prefix, &view.options(true), &words, "apt-get install", &log)? {
        return Ok(());
    }
    let mut install_log = job::tail(&log, SHOWN_LINES);
    if view.security.is_some() {
        eprintln!(
            "that failed; again with all of the security archive, in case this machine was installed with it"
        );
        if apt(prefix, &view.options(false), &words, "apt-get install with the security archive", &log)? {
            return Ok(());
        }
        install_log += &format!("\nand with the security archive\n{}", job::tail(&log, SHOWN_LINES));
    }
    bail!(
        "apt-get could not install {}; its last lines were\n{update_log}{install_log}\n\
         check the network and /etc/apt, then run\n{}\nand try again",
        names.join(" "),
        by_hand(names, view.security.as_deref())
    )
}

/// The lines that a reader can type instead.
fn by_hand(names: &[&str], security: Option<&str>) -> String {
    let archive = security.unwrap_or("http://deb.debian.org/debian-security");
    let names = names.join(" ");
    let mut lines = format!(
        "    sudo apt-get update\n    sudo apt-get install --yes --no-install-recommends --reinstall {names}"
    );
    if names.contains("linux-source") {
        lines += &format!(
            "\nlinux-source-6.12 is in {SECURITY}; if apt does not find it, list that archive first:\n    \
             echo 'deb {archive} {SECURITY} main' | sudo tee /etc/apt/sources.list.d/{SECURITY}.list"
        );
    }
    lines
}

/// How our calls of apt see the archives.
struct View {
    folder: TempDir,
    /// The security archive's address, if the machine does not list it.
    security: Option<String>,
}

impl View {
    /// The archives that the machine lists, and beside them the security archive if it is not among them. Needs the
    /// machine's lists, so `apt-get update` comes first.
    fn of_machine() -> Result<Self> {
        let targets = Command::new("apt-get")
            .args(["indextargets", "--format", "$(CODENAME) $(REPO_URI)", "Created-By: Packages"])
            .stderr(Stdio::null())
            .output()
            .context("cannot run apt-get")?;
        let security = missing_security(&String::from_utf8_lossy(&targets.stdout));
        let folder = tempfile::tempdir().context("cannot create a temporary folder")?;
        let view = Self { folder, security };
        if let Some(archive) = &view.security {
            view.fill("sources", SOURCES.0, &format!("{SECURITY}.list"), &source_line(archive))?;
            view.fill("preferences", PREFERENCES.0, "liblinux-security", &pins())?;
        }
        Ok(view)
    }

    /// Makes the subfolder `name`: a copy of `original`, and one more file.
    fn fill(&self, name: &str, original: &str, added: &str, text: &str) -> Result<()> {
        let copy = self.folder.path().join(name);
        let write = |file: &Path| format!("cannot write {}", file.display());
        fs::create_dir(&copy).with_context(|| write(&copy))?;
        for entry in fs::read_dir(original).into_iter().flatten().flatten() {
            if entry.path().is_file() {
                let file = copy.join(entry.file_name());
                fs::copy(entry.path(), &file).with_context(|| write(&file))?;
            }
        }
        let file = copy.join(added);
        fs::write(&file, text).with_context(|| write(&file))
    }

    /// Apt's options for it, with the security archive pinned or not.
    fn options(&self, pinned: bool) -> Vec<String> {
        let option = |name: &str, key: &str| {
            ["-o".to_owned(), format!("{key}={}", self.folder.path().join(name).display())]
        };
        let mut options = Vec::new();
        if self.security.is_some() {
            options.extend(option("sources", SOURCES.1));
            if pinned {
                options.extend(option("preferences", PREFERENCES.1));
            }
        }
        options
    }
}

fn source_line(archive: &str) -> String {
    format!("deb {archive} {SECURITY} main\n")
}

/// Apt's preferences by which the security archive has the kernels' sources alone.
fn pins() -> String {
    let sources: Vec<String> = source::KERNELS.iter().map(|kernel| source::package(kernel)).collect();
    let pin = |packages: &str, priority: &str| {
        format!("Package: {packages}\nPin: release n={SECURITY}\nPin-Priority: {priority}\n")
    };
    format!("{}\n{}", pin("*", "-1"), pin(&sources.join(" "), "500"))
}

fn apt(prefix: &[&str], options: &[String], words: &[&str], label: &'static str, log: &Path) -> Result<bool> {
    let mut line: Vec<&str> = prefix.to_vec();
    line.extend(["env", "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C", "apt-get"]);
    line.extend(options.iter().map(String::as_str));
    line.extend(words);
    let mut progress = Progress::new(label, None);
    let status = job::run_logged(Command::new(line[0]).args(&line[1..]).stdin(Stdio::null()), log, |line| {
        progress.advance(line)
    })?;
    progress.finish();
    Ok(status.success())
}

/// The security archive beside the archive that has Debian 12, unless it is listed; of lines with an archive's codename
/// and its address.
fn missing_security(targets: &str) -> Option<String> {
    let listed = |codename: &'static str| {
        targets.lines().filter_map(move |line| line.split_once(' ').filter(|(name, _)| *name == codename))
    };
    if listed(SECURITY).next().is_some() {
        return None;
    }
    listed("bookworm").find_map(|(_, archive)| {
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

    const MAIN: &str =
        "bookworm-updates http://b/debian\nbookworm http://a/other\nbookworm http://a.b/debian/\n";

    #[test]
    fn finds_the_security_archive_beside_debians() {
        assert_eq!(missing_security(MAIN).as_deref(), Some("http://a.b/debian-security"));
        assert_eq!(missing_security("trixie http://a.b/debian/\n"), None);
    }

    #[test]
    fn a_listed_security_archive_is_not_named_again() {
        assert_eq!(missing_security(&format!("{MAIN}bookworm-security http://c/debian-security/\n")), None);
    }

    /// An archive in a folder, as apt reads it: of each package a name, a version and what it depends on.
    fn archive(folder: &Path, codename: &str, packages: &[(&str, &str, &str)]) {
        fs::create_dir_all(folder).unwrap();
        let record = |(name, version, depends): &(&str, &str, &str)| {
            format!(
                "Package: {name}\nVersion: {version}\nArchitecture: all\nDepends: {depends}\nFilename: ./{name}.deb\n\
                 Size: 1\nSHA256: {}\n\n",
                "0".repeat(64)
            )
        };
        let index: String = packages.iter().map(record).collect();
        fs::write(folder.join("Packages"), &index).unwrap();
        let hash = crate::cache::hash_file(&folder.join("Packages")).unwrap();
        let release =
            format!("Codename: {codename}\nSuite: {codename}\nSHA256:\n {hash} {} Packages\n", index.len());
        fs::write(folder.join("Release"), release).unwrap();
    }

    /// What apt would install, by its own word, for a machine that lists `sources` and has nothing installed.
    fn simulate(root: &Path, pins: &str, names: &[&str]) -> Option<String> {
        for folder in ["lists/partial", "cache/archives/partial", "parts"] {
            fs::create_dir_all(root.join(folder)).unwrap();
        }
        fs::write(root.join("status"), "").unwrap();
        fs::write(root.join("preferences"), pins).unwrap();
        let sources = ["main", "security"]
            .map(|name| format!("deb [trusted=yes] file:{} ./\n", root.join(name).display()));
        fs::write(root.join("sources.list"), sources.concat()).unwrap();
        let mut options = vec!["-oAPT::Sandbox::User=root".to_owned(), "-oDebug::NoLocking=1".to_owned()];
        for (key, name) in [
            ("Dir::Etc::SourceList", "sources.list"),
            ("Dir::Etc::SourceParts", "parts"),
            ("Dir::Etc::Preferences", "preferences"),
            ("Dir::Etc::PreferencesParts", "parts"),
            ("Dir::State", ""),
            ("Dir::State::status", "status"),
            ("Dir::Cache", "cache"),
        ] {
            options.push(format!("-o{key}={}", root.join(name).display()));
        }
        let run = |words: &[&str]| {
            Command::new("apt-get").args(&options).args(words).env("LC_ALL", "C").output().unwrap()
        };
        let updated = run(&["update"]);
        assert!(updated.status.success(), "{}", String::from_utf8_lossy(&updated.stderr));
        let simulated = run(&[&["install", "--simulate"], names].concat());
        simulated.status.success().then(|| String::from_utf8(simulated.stdout).unwrap())
    }

    #[test]
    fn apt_takes_the_kernels_source_alone_from_the_security_archive() {
        if !present("apt-get", &std::env::var_os("PATH").unwrap()) {
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        archive(
            &root.join("security"),
            SECURITY,
            &[
                ("linux-source-6.12", "6.12.117-1", "xz-utils"),
                ("python", "9", "python-halves (= 9)"),
                ("python-halves", "9", "python"),
            ],
        );
        archive(
            &root.join("main"),
            "bookworm",
            &[
                ("criu", "1", "python"),
                ("python", "8", "python-halves (= 8)"),
                ("python-halves", "8", "python"),
                ("gdb", "1", "python (= 8)"),
                ("xz-utils", "5", "python"),
            ],
        );
        let pinned = simulate(root, &pins(), &["linux-source-6.12", "criu"]).expect("apt finds a way");
        assert!(pinned.contains("Inst linux-source-6.12 (6.12.117-1"), "{pinned}");
        assert!(pinned.contains("Inst python (8 ") && pinned.contains("Inst python-halves (8 "), "{pinned}");
        assert!(simulate(root, &pins(), &["linux-source-6.12", "criu", "gdb"]).is_some());
        // Without the pin the newest versions come, beside which the main archive's gdb cannot be.
        let open = simulate(root, "", &["linux-source-6.12", "criu"]).expect("apt finds a way");
        assert!(open.contains("Inst python (9 "), "{open}");
    }

    #[test]
    fn the_lines_to_type_name_every_package_and_the_archive() {
        let lines = by_hand(&["flex", "bison"], None);
        assert!(lines.ends_with("--reinstall flex bison"), "{lines}");
        let lines = by_hand(&["flex", "linux-source-6.12"], Some("http://a.b/debian-security"));
        assert!(lines.contains("'deb http://a.b/debian-security bookworm-security main'"), "{lines}");
    }
}
