//! Debian's packages that are unpacked into the cache and not installed: programs for i386 on a
//! machine that has none, or a program of a newer release than the machine's.
//!
//! They come from the archives that the machine's own lists name (module `archive`).
//!
//! # Invariants
//!
//! 1. A set of packages is in the cache whole or not at all: it is unpacked beside its place and
//!    renamed.

use crate::archive::{self, Apt, Listed};
use crate::cache::Cache;
use anyhow::{Context as _, Result, bail, ensure};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The folder into which these packages of an architecture are unpacked. It is fetched if it is not
/// there; `name` is that of the set, which the caller changes with its members.
pub fn get(name: &str, architecture: &str, packages: &[&str], cache: &Cache) -> Result<PathBuf> {
    let place = cache.root().join(format!("{architecture}-{name}"));
    // The main suites have every package; that of security updates changes while it is read.
    let lists = || {
        let listed = archive::listed()?;
        let main = listed.iter().filter(|listed| !listed.address.ends_with("-security"));
        Ok(main.map(|Listed { release, address }| archive::line(address, release)).collect())
    };
    let options = [
        format!("-oAPT::Architecture={architecture}"),
        format!("-oAPT::Architectures::={architecture}"),
    ];
    let options = options.each_ref().map(String::as_str);
    let download = [&["download"], packages].concat();
    let what = format!("packages for {architecture}");
    Fetch { what: &what, options: &options, download: &download }.place(place, lists, cache)
}

/// The folder into which a package of a suite is unpacked, with all that it depends on. It is
/// fetched if it is not there.
pub fn newer(suite: &str, package: &str, cache: &Cache) -> Result<PathBuf> {
    let place = cache.root().join(format!("{package}-{suite}"));
    let lists = || {
        let listed = archive::listed()?;
        let address = archive::having(&listed, suite)
            .ok_or("apt lists no archive of Debian on this machine")?;
        Ok(archive::line(&address, suite))
    };
    // To apt nothing is installed, so all that the package depends on is missing.
    let download = ["install", "--yes", "--no-install-recommends", "--download-only", package];
    let what = format!("{package} of {suite}");
    Fetch { what: &what, options: &[], download: &download }.place(place, lists, cache)
}

/// What apt is asked for.
struct Fetch<'a> {
    what: &'a str,
    /// Options for all its calls.
    options: &'a [&'a str],
    /// The words that fetch.
    download: &'a [&'a str],
}

impl Fetch<'_> {
    /// Unpacks what apt fetches as the folder `place`, if that is not there.
    fn place(
        &self,
        place: PathBuf,
        lists: impl FnOnce() -> Result<String, String>,
        cache: &Cache,
    ) -> Result<PathBuf> {
        if place.is_dir() {
            return Ok(place);
        }
        let lists = match lists() {
            Ok(lists) => lists,
            Err(why) => bail!("{} cannot be fetched: {why}", self.what),
        };
        ensure!(!lists.is_empty(), "apt lists no archive on this machine");
        eprintln!("fetching {} into {}", self.what, cache.root().display());
        let folder = tempfile::Builder::new().prefix("foreign-").tempdir_in(cache.root());
        let folder = folder
            .with_context(|| format!("cannot create a folder in {}", cache.root().display()))?;
        let apt = Apt::new(folder.path(), &lists)?;
        for (words, label) in [(&["update"][..], "apt-get update"), (self.download, "apt-get")] {
            if let Err(why) = apt.run(&[self.options, words].concat(), label)? {
                bail!("{} cannot be fetched: {why}", self.what);
            }
        }
        let whole = folder.path().join("whole");
        fs::create_dir(&whole).with_context(|| format!("cannot create {}", whole.display()))?;
        let packages = packages(folder.path())?;
        ensure!(!packages.is_empty(), "apt fetched nothing for {}", self.what);
        for package in packages {
            let mut dpkg = Command::new("dpkg-deb");
            dpkg.arg("--extract").arg(&package).arg(&whole);
            liblinux_workspace::command::run(&mut dpkg)?;
        }
        match fs::rename(&whole, &place) {
            // Another process was faster.
            Err(_) if place.is_dir() => Ok(place),
            result => {
                result.with_context(|| format!("cannot create {}", place.display())).map(|()| place)
            }
        }
    }
}

/// The packages that apt left in its folder: there, or in its own archives.
fn packages(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for folder in [folder.to_owned(), folder.join("archives")] {
        let entries =
            fs::read_dir(&folder).with_context(|| format!("cannot list {}", folder.display()))?;
        let paths = entries.flatten().map(|entry| entry.path());
        found.extend(paths.filter(|path| path.extension().is_some_and(|name| name == "deb")));
    }
    Ok(found)
}
