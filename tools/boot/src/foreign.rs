//! Debian's packages of another architecture, unpacked into the cache and not installed: programs
//! for i386 on a machine that has none.
//!
//! They come from the archives that the machine's own lists name (module `archive`).
//!
//! # Invariants
//!
//! 1. A set of packages is in the cache whole or not at all: it is unpacked beside its place and
//!    renamed.

use crate::archive::{self, Apt};
use crate::cache::Cache;
use anyhow::{Context as _, Result, bail, ensure};
use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// The folder into which these packages of an architecture are unpacked. It is fetched if it is not
/// there; `name` is that of the set, which the caller changes with its members.
pub fn get(name: &str, architecture: &str, packages: &[&str], cache: &Cache) -> Result<PathBuf> {
    let place = cache.root().join(format!("{architecture}-{name}"));
    if place.is_dir() {
        return Ok(place);
    }
    let listed = match archive::listed() {
        Ok(listed) => listed,
        Err(why) => bail!(why),
    };
    // The main suites have every package; that of security updates changes while it is read.
    let lines: Vec<String> = listed
        .iter()
        .filter(|listed| !listed.address.ends_with("-security"))
        .map(|archive::Listed { release, address }| {
            format!("deb {}{address} {release} main\n", archive::keys())
        })
        .collect();
    ensure!(!lines.is_empty(), "apt lists no archive on this machine");
    eprintln!("fetching packages for {architecture} into {}", cache.root().display());
    let folder = tempfile::Builder::new().prefix("foreign-").tempdir_in(cache.root());
    let folder =
        folder.with_context(|| format!("cannot create a folder in {}", cache.root().display()))?;
    let apt = Apt::new(folder.path(), &lines.concat())?;
    let options = [
        format!("-oAPT::Architecture={architecture}"),
        format!("-oAPT::Architectures::={architecture}"),
    ];
    let options = options.each_ref().map(String::as_str);
    let download = [&options[..], &["download"], packages].concat();
    for (words, label) in
        [([&options[..], &["update"]].concat(), "apt-get update"), (download, "apt-get download")]
    {
        if let Err(why) = apt.run(&words, label)? {
            bail!(why);
        }
    }
    let whole = folder.path().join("whole");
    fs::create_dir(&whole).with_context(|| format!("cannot create {}", whole.display()))?;
    let files = fs::read_dir(folder.path()).context("cannot read the folder of packages")?;
    let mut unpacked = 0;
    for file in files.filter_map(Result::ok).map(|entry| entry.path()) {
        if file.extension().is_some_and(|extension| extension == "deb") {
            let mut dpkg = Command::new("dpkg-deb");
            dpkg.arg("--extract").arg(&file).arg(&whole);
            liblinux_workspace::command::run(&mut dpkg)?;
            unpacked += 1;
        }
    }
    ensure!(unpacked == packages.len(), "apt fetched {unpacked} of {} packages", packages.len());
    match fs::rename(&whole, &place) {
        // Another process was faster.
        Err(_) if place.is_dir() => Ok(place),
        result => {
            result.with_context(|| format!("cannot create {}", place.display())).map(|()| place)
        }
    }
}
