//! Debian's source packages, fetched into the cache: of the programs that are built on the
//! project's libc, and of that libc.
//!
//! They come from the suites that the machine's own lists name, with `deb-src` in place of `deb`
//! (module `archive`). Nothing of them is kept in the repository.
//!
//! # Invariants
//!
//! 1. A package is in the cache whole or not at all: it is fetched beside its place and renamed.

use crate::archive::{self, Apt, Listed};
use crate::cache::{self, Cache};
use anyhow::{Context as _, Result, bail, ensure};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A source package in the cache.
#[derive(Clone, Debug)]
pub struct SourcePackage {
    /// Its name.
    pub name: String,
    /// The file that describes it, beside the files that it names.
    pub description: PathBuf,
    /// Debian's version.
    pub version: String,
}

/// The package `name` from the cache, or from the archive if it is not there.
pub fn get(name: &str, cache: &Cache) -> Result<SourcePackage> {
    let place = cache.root().join(format!("source-{name}"));
    if !place.is_dir() {
        let listed = archive::listed().map_err(|why| unobtainable(name, &why))?;
        fetch(name, &sources(&listed), cache, &place)?;
    }
    of_file(name, &description(&place)?)
}

/// The package that a file describes, `NAME_VERSION.dsc`.
pub fn of_file(name: &str, description: &Path) -> Result<SourcePackage> {
    let text = fs::read_to_string(description)
        .with_context(|| format!("cannot read {}", description.display()))?;
    let field = |key: &str| {
        let lines = text.lines().filter_map(|line| line.split_once(": "));
        lines.into_iter().find(|(found, _)| *found == key).map(|(_, value)| value.trim())
    };
    match (field("Source"), field("Version")) {
        (Some(source), Some(version)) if source == name => Ok(SourcePackage {
            name: name.to_owned(),
            description: description.to_owned(),
            version: version.to_owned(),
        }),
        _ => bail!(
            "{} does not describe Debian's source package {name}: give its file {name}_VERSION.dsc, \
             beside the files that it names",
            description.display()
        ),
    }
}

impl SourcePackage {
    /// Unpacks it with Debian's patches as the new folder `folder`.
    pub fn unpack(&self, folder: &Path) -> Result<()> {
        let mut command = Command::new("dpkg-source");
        command.args(["--no-check", "--extract"]).arg(&self.description).arg(folder);
        let result = command.output().context("cannot run dpkg-source (package dpkg-dev)")?;
        ensure!(
            result.status.success(),
            "{} cannot be unpacked; dpkg-source says `{}`; remove the folder {} and run again to fetch it anew",
            self.description.display(),
            String::from_utf8_lossy(&result.stderr).trim(),
            self.description.parent().unwrap_or(Path::new("/")).display()
        );
        Ok(())
    }
}

/// Lines of `sources.list` for the sources of the suites that apt lists.
fn sources(listed: &[Listed]) -> String {
    let is_debian = |listed: &&Listed| {
        listed.address.ends_with("/debian") || listed.address.ends_with("/debian-security")
    };
    let mut lines: Vec<String> = listed
        .iter()
        .filter(is_debian)
        .map(|Listed { release, address }| {
            format!("deb-src {}{address} {release} main\n", archive::keys())
        })
        .collect();
    lines.sort_unstable();
    lines.dedup();
    lines.concat()
}

fn fetch(name: &str, sources: &str, cache: &Cache, place: &Path) -> Result<()> {
    ensure!(
        !sources.is_empty(),
        unobtainable(name, "apt lists no archive of Debian on this machine")
    );
    eprintln!("fetching the source of {name} into {}", cache.root().display());
    let folder = tempfile::Builder::new().prefix("source-").tempdir_in(cache.root());
    let folder =
        folder.with_context(|| format!("cannot create a folder in {}", cache.root().display()))?;
    let apt = Apt::new(folder.path(), sources)?;
    for (words, label) in [
        (&["update"][..], "apt-get update"),
        (&["source", "--download-only", name], "apt-get source"),
    ] {
        apt.run(words, label)?.map_err(|why| unobtainable(name, &why))?;
    }
    for entry in ["lists", "archives", "pkgcache.bin", "srcpkgcache.bin"] {
        let path = folder.path().join(entry);
        if path.is_dir() {
            cache::remove_tree(&path)?;
        } else if path.is_file() {
            fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
        }
    }
    description(folder.path())?;
    let folder = folder.keep();
    fs::rename(&folder, place).with_context(|| format!("cannot create {}", place.display()))
}

fn unobtainable(name: &str, why: &str) -> anyhow::Error {
    anyhow::anyhow!(
        "Debian's source package {name} cannot be had here: {why}\n\
         another machine gets it by `apt-get source --download-only {name}`; put the files into \
         source-{name} of the cache (~/.cache/liblinux)"
    )
}

/// The description among the files of a folder.
fn description(folder: &Path) -> Result<PathBuf> {
    let entries =
        fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    let mut paths = entries.flatten().map(|entry| entry.path());
    paths.find(|path| path.extension().is_some_and(|extension| extension == "dsc")).with_context(
        || {
            format!(
                "{} has no file of a source package (NAME_VERSION.dsc); remove the folder and run again",
                folder.display()
            )
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_come_from_the_machines_own_suites() {
        let listed = "bookworm http://a/debian\nbookworm http://a/debian\nbookworm-security http://s/debian-security\nnodistro http://n/node\n";
        let list = sources(&archive::parse(listed));
        let lines: Vec<&str> = list.lines().collect();
        assert_eq!(lines.len(), 2, "{list}");
        assert!(lines.iter().all(|line| line.starts_with("deb-src ") && line.ends_with(" main")));
        assert!(lines[0].contains("http://a/debian bookworm "), "{list}");
    }

    #[test]
    fn no_package_says_where_to_put_one() {
        let cache = tempfile::tempdir().unwrap();
        let cache = Cache::at(cache.path()).unwrap();
        let sources =
            format!("deb-src [trusted=yes] file:{}/nonesuch ./\n", cache.root().display());
        let place = cache.root().join("source-musl");
        for list in ["", &sources] {
            let error = fetch("musl", list, &cache, &place).unwrap_err();
            let error = format!("{error:#}");
            assert!(error.contains("package musl") && error.contains("source-musl"), "{error}");
        }
        assert!(!place.exists());
        assert_eq!(fs::read_dir(cache.root()).unwrap().count(), 0, "nothing is left");
    }

    #[test]
    fn a_description_is_of_the_package_that_was_asked_for() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("musl_1.2.3-1.dsc");
        fs::write(&file, "Format: 3.0 (quilt)\nSource: musl\nVersion: 1.2.3-1\n").unwrap();
        assert_eq!(description(folder.path()).unwrap(), file);
        assert_eq!(of_file("musl", &file).unwrap().version, "1.2.3-1");
        let error = of_file("lua5.4", &file).unwrap_err().to_string();
        assert!(error.contains("lua5.4_VERSION.dsc"), "{error}");
        let error = of_file("musl", &file).unwrap().unpack(&folder.path().join("new")).unwrap_err();
        assert!(error.to_string().contains("cannot be unpacked"), "{error}");
    }
}
