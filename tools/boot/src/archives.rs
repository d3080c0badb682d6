//! The archives as this crate's calls of apt see them.
//!
//! The kernel's source is in Debian 12's security archive alone, which a fresh `debootstrap` does
//! not list. These calls then name it to apt; `/etc/apt` stays as it is. But they must not install
//! other packages of that archive. The user's next `apt-get` sees the main archive alone, and
//! cannot put a library of the main archive beside a security version of its other half (Debian
//! ties such halves with `=`). So a pin leaves the security archive the kernel's source alone. That
//! package depends on no version of another.
//!
//! A machine may be in that state all the same: it was installed with the security archive, which
//! was taken off the list later. Then apt finds no way by the machine's lists alone. A second
//! attempt takes the security archive without the pin.
//!
//! # Invariants
//!
//! 1. With the pin nothing but the kernel's source comes from an archive that the machine does not
//!    list.

use anyhow::{Context, Result};
use liblinux_workspace::line;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// The archive that has the kernel's source.
pub(crate) const SECURITY: &str = line::DEFAULT.suite;

/// The folders of `/etc/apt` that a view has copies of, with the names of apt's options for them.
const SOURCES: (&str, &str) = ("/etc/apt/sources.list.d", "Dir::Etc::SourceParts");
const PREFERENCES: (&str, &str) = ("/etc/apt/preferences.d", "Dir::Etc::PreferencesParts");

/// The archives as this crate's calls of apt see them.
pub(crate) struct View {
    folder: TempDir,
    /// The security archive's address, if the machine does not list it.
    pub(crate) security: Option<String>,
}

impl View {
    /// The archives that the machine lists, and beside them the security archive if it is not among
    /// them. Needs the machine's lists, so `apt-get update` comes first.
    pub(crate) fn of_machine() -> Result<Self> {
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
    pub(crate) fn options(&self, pinned: bool) -> Vec<String> {
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
    let sources: Vec<&str> = line::LINES.iter().map(|line| line.package).collect();
    let pin = |packages: &str, priority: &str| {
        format!("Package: {packages}\nPin: release n={SECURITY}\nPin-Priority: {priority}\n")
    };
    format!("{}\n{}", pin("*", "-1"), pin(&sources.join(" "), "500"))
}

/// The security archive beside the archive that has Debian 12, unless it is listed; of lines with
/// an archive's codename and its address.
fn missing_security(targets: &str) -> Option<String> {
    let listed = |codename: &'static str| {
        targets
            .lines()
            .filter_map(move |line| line.split_once(' ').filter(|(name, _)| *name == codename))
    };
    if listed(SECURITY).next().is_some() {
        return None;
    }
    listed("bookworm").find_map(|(_, archive)| {
        let archive = archive.trim_end_matches('/');
        archive.ends_with("/debian").then(|| format!("{archive}-security"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::probe::present;
    use liblinux_workspace::skip::skip;

    const MAIN: &str =
        "bookworm-updates http://b/debian\nbookworm http://a/other\nbookworm http://a.b/debian/\n";

    #[test]
    fn finds_the_security_archive_beside_debians() {
        assert_eq!(missing_security(MAIN).as_deref(), Some("http://a.b/debian-security"));
        assert_eq!(missing_security("trixie http://a.b/debian/\n"), None);
    }

    #[test]
    fn a_listed_security_archive_is_not_named_again() {
        assert_eq!(
            missing_security(&format!("{MAIN}bookworm-security http://c/debian-security/\n")),
            None
        );
    }

    /// An archive in a folder, as apt reads it: of each package a name, a version and what it
    /// depends on.
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
        let release = format!(
            "Codename: {codename}\nSuite: {codename}\nSHA256:\n {hash} {} Packages\n",
            index.len()
        );
        fs::write(folder.join("Release"), release).unwrap();
    }

    /// The packages that apt says it would install on a machine that has nothing installed.
    fn simulate(root: &Path, pins: &str, names: &[&str]) -> Option<String> {
        for folder in ["lists/partial", "cache/archives/partial", "parts"] {
            fs::create_dir_all(root.join(folder)).unwrap();
        }
        fs::write(root.join("status"), "").unwrap();
        fs::write(root.join("preferences"), pins).unwrap();
        let sources = ["main", "security"]
            .map(|name| format!("deb [trusted=yes] file:{} ./\n", root.join(name).display()));
        fs::write(root.join("sources.list"), sources.concat()).unwrap();
        let mut options =
            vec!["-oAPT::Sandbox::User=root".to_owned(), "-oDebug::NoLocking=1".to_owned()];
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
            return skip("this system has no apt-get");
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
        let pinned =
            simulate(root, &pins(), &["linux-source-6.12", "criu"]).expect("apt finds a way");
        assert!(pinned.contains("Inst linux-source-6.12 (6.12.117-1"), "{pinned}");
        assert!(
            pinned.contains("Inst python (8 ") && pinned.contains("Inst python-halves (8 "),
            "{pinned}"
        );
        assert!(simulate(root, &pins(), &["linux-source-6.12", "criu", "gdb"]).is_some());
        // Without the pin the newest versions come, beside which the main archive's gdb cannot be.
        let open = simulate(root, "", &["linux-source-6.12", "criu"]).expect("apt finds a way");
        assert!(open.contains("Inst python (9 "), "{open}");
    }
}
