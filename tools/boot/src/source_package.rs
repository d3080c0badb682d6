//! Debian's source packages, fetched into the cache: of the programs that are built on the
//! project's libc, and of that libc.
//!
//! They come from the suites that the machine's own lists name, with `deb-src` in place of `deb`
//! (module `archive`). A mirror can lack the files of the newest version, as those of security
//! archives do; then another suite's version is taken. Nothing of them is kept in the repository.
//!
//! # Invariants
//!
//! 1. A package is in the cache whole or not at all: it is fetched beside its place and renamed.
//! 2. All files of a package are of one version.

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
        fetch(name, &listed, cache, &place)?;
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

/// Lines of `sources.list` for the sources of suites.
fn sources(listed: &[Listed]) -> String {
    let mut lines: Vec<String> = listed
        .iter()
        .map(|Listed { release, address }| {
            format!("deb-src {}{address} {release} main\n", archive::keys())
        })
        .collect();
    lines.sort_unstable();
    lines.dedup();
    lines.concat()
}

/// The suites of Debian among those that apt lists.
fn of_debian(listed: &[Listed]) -> Vec<Listed> {
    let is_debian = |listed: &&Listed| {
        listed.address.ends_with("/debian") || listed.address.ends_with("/debian-security")
    };
    listed.iter().filter(is_debian).cloned().collect()
}

fn fetch(name: &str, listed: &[Listed], cache: &Cache, place: &Path) -> Result<()> {
    let suites = of_debian(listed);
    ensure!(
        !suites.is_empty(),
        unobtainable(name, "apt lists no archive of Debian on this machine")
    );
    eprintln!("fetching the source of {name} into {}", cache.root().display());
    let folder = tempfile::Builder::new().prefix("source-").tempdir_in(cache.root());
    let folder =
        folder.with_context(|| format!("cannot create a folder in {}", cache.root().display()))?;
    let apt = Apt::new(folder.path(), &sources(&suites))?;
    apt.run(&["update"], "apt-get update")?.map_err(|why| unobtainable(name, &why))?;
    download(name, &suites, folder.path(), &apt)?;
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

/// Fetches the newest version, or if a mirror lacks its files that of one of the suites.
fn download(name: &str, suites: &[Listed], folder: &Path, apt: &Apt) -> Result<()> {
    let get = |wanted: &str| apt.run(&["source", "--download-only", wanted], "apt-get source");
    let Err(why) = get(name)? else { return Ok(()) };
    let mut releases: Vec<&str> = suites.iter().map(|suite| suite.release.as_str()).collect();
    releases.sort_unstable();
    releases.dedup();
    for release in releases {
        remove_files(name, folder)?;
        let wanted = format!("{name}/{release}");
        if get(&wanted)?.is_ok() {
            eprintln!("the newest version of {name} cannot be fetched: took that of {release}");
            return Ok(());
        }
    }
    Err(unobtainable(name, &why))
}

/// Removes the files of a package that was fetched in part.
fn remove_files(name: &str, folder: &Path) -> Result<()> {
    let entries =
        fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    for path in entries.flatten().map(|entry| entry.path()) {
        let file = path.file_name().unwrap_or_default().to_string_lossy();
        if file.strip_prefix(name).is_some_and(|rest| rest.starts_with('_')) {
            fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
        }
    }
    Ok(())
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
        let list = sources(&of_debian(&archive::parse(listed)));
        let lines: Vec<&str> = list.lines().collect();
        assert_eq!(lines.len(), 2, "{list}");
        assert!(lines.iter().all(|line| line.starts_with("deb-src ") && line.ends_with(" main")));
        assert!(lines[0].contains("http://a/debian bookworm "), "{list}");
    }

    #[test]
    fn no_package_says_where_to_put_one() {
        let cache = tempfile::tempdir().unwrap();
        let cache = Cache::at(cache.path()).unwrap();
        let address = format!("file:{}/debian", cache.root().display());
        let listed = vec![Listed { release: "nonesuch".to_owned(), address }];
        let place = cache.root().join("source-musl");
        for listed in [&[][..], &listed] {
            let error = fetch("musl", listed, &cache, &place).unwrap_err();
            let error = format!("{error:#}");
            assert!(error.contains("package musl") && error.contains("source-musl"), "{error}");
        }
        assert!(!place.exists());
        assert_eq!(fs::read_dir(cache.root()).unwrap().count(), 0, "nothing is left");
    }

    #[test]
    fn a_part_of_a_package_is_removed_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["musl_1.2.3-1.dsc", "musl_1.2.3.orig.tar.gz", "musl-tools_1.deb", "apt.log"] {
            fs::write(folder.path().join(name), "").unwrap();
        }
        remove_files("musl", folder.path()).unwrap();
        let mut names: Vec<_> =
            fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["apt.log", "musl-tools_1.deb"]);
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
