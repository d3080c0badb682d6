//! A `PATH` that has the declared programs alone: those of [`crate::packages`], of what these
//! depend on, of Debian's essential packages, and the Rust toolchain's.
//!
//! A developer's machine has more programs than a fresh one. A program that a test runs and that is
//! not declared is there on the first, and missing on the second. `cargo xtask test` runs with this
//! path, where it is missing on both.
//!
//! # Invariants
//!
//! 1. A program is in the folder only if dpkg has its file, or a link on the way to it, in an
//!    allowed package; or if it is in cargo's own folder.
//! 2. Every program that a package was declared for is in the folder, or [`folder`] fails.

use crate::cache;
use crate::packages::Package;
use anyhow::{Context, Result, bail};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// Where dpkg keeps what it installed.
const DPKG: &str = "/var/lib/dpkg";

/// Links that lead from a name to a file, at most.
const HOPS: usize = 8;

/// Fills `folder` with links to the programs of `path` that the packages of `sets` bring; `None` on
/// a system without dpkg, where packages have other names.
pub fn folder(folder: &Path, sets: &[&[Package]], path: &OsStr) -> Result<Option<PathBuf>> {
    let Ok(status) = fs::read_to_string(format!("{DPKG}/status")) else { return Ok(None) };
    let allowed = Owned::by(&allowed(&status, sets));
    cache::remove_tree(folder)?;
    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let folders: Vec<PathBuf> =
        std::env::split_paths(path).filter(|place| place != folder).collect();
    for place in &folders {
        let is_rust = place.join("cargo").exists() && place.join("rustc").exists();
        for entry in fs::read_dir(place).into_iter().flatten().flatten() {
            let (program, link) = (entry.path(), folder.join(entry.file_name()));
            if (is_rust || allowed.has(&program)) && program.is_file() && !link.is_symlink() {
                symlink(&program, &link)
                    .with_context(|| format!("cannot lay {}", link.display()))?;
            }
        }
    }
    for package in
        sets.iter().flat_map(|set| set.iter()).filter(|package| !package.probe.starts_with('/'))
    {
        if !folder.join(package.probe).is_file() {
            bail!(
                "{} is declared for the program `{}`, but neither it nor what it depends on has that program; correct \
                 tools/boot/src/packages.rs, or install {0}",
                package.name,
                package.probe
            );
        }
    }
    Ok(Some(folder.to_owned()))
}

/// Whether a package that is allowed has the file `program`, or a link on the way to it; `None`
/// without dpkg.
pub fn has(sets: &[&[Package]], program: &Path) -> Option<bool> {
    let status = fs::read_to_string(format!("{DPKG}/status")).ok()?;
    Some(Owned::by(&allowed(&status, sets)).has(program))
}

/// The essential packages, those of `sets`, and what all of them depend on.
fn allowed(status: &str, sets: &[&[Package]]) -> BTreeSet<String> {
    let mut depends = BTreeMap::new();
    // Names that packages have beside their own: `awk` is mawk's and gawk's.
    let mut providers: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut wanted = vec!["apt".to_owned()];
    for record in status.split("\n\n") {
        let field = |name: &str| {
            record
                .lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
                .unwrap_or_default()
        };
        let name = field("Package").to_owned();
        if field("Essential") == "yes" {
            wanted.push(name.clone());
        }
        for other in dependencies(field("Provides")) {
            providers.entry(other).or_default().push(name.clone());
        }
        depends
            .insert(name, dependencies(&format!("{},{}", field("Pre-Depends"), field("Depends"))));
    }
    wanted.extend(sets.iter().flat_map(|set| set.iter()).map(|package| package.name.to_owned()));
    let mut allowed = BTreeSet::new();
    while let Some(name) = wanted.pop() {
        if allowed.insert(name.clone()) {
            let more = depends.get(&name).into_iter().chain(providers.get(&name)).flatten();
            wanted.extend(more.cloned());
        }
    }
    allowed
}

/// The packages of a `Depends` field; of alternatives the first, which is what apt takes where none
/// is there.
fn dependencies(field: &str) -> Vec<String> {
    let first = |item: &str| {
        let name = item.split('|').next()?.split_whitespace().next()?;
        Some(name.split(':').next()?.to_owned())
    };
    field.split(',').filter_map(first).collect()
}

/// The files of some packages.
struct Owned(BTreeSet<String>);

impl Owned {
    fn by(packages: &BTreeSet<String>) -> Self {
        let mut files = BTreeSet::new();
        for entry in fs::read_dir(format!("{DPKG}/info")).into_iter().flatten().flatten() {
            let name = entry.file_name().to_string_lossy().into_owned();
            let package = name.strip_suffix(".list").and_then(|name| name.split(':').next());
            if package.is_some_and(|package| packages.contains(package)) {
                let list = fs::read_to_string(entry.path()).unwrap_or_default();
                files.extend(list.lines().map(|line| merged(Path::new(line))));
            }
        }
        Self(files)
    }

    fn has(&self, program: &Path) -> bool {
        let mut path = program.to_owned();
        for _ in 0..HOPS {
            if self.0.contains(&merged(&path)) {
                return true;
            }
            let Ok(target) = fs::read_link(&path) else { return false };
            path = path.parent().unwrap_or(Path::new("/")).join(target);
        }
        false
    }
}

/// A path as dpkg's lists and `PATH` both have it: Debian moved `/bin` to `/usr/bin`, and the lists
/// name either.
fn merged(path: &Path) -> String {
    let text = path.to_string_lossy();
    text.strip_prefix("/usr").filter(|rest| rest.starts_with('/')).unwrap_or(&text).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::packages::{BOOT, TEST};
    use liblinux_workspace::skip::skip;

    const STATUS: &str = "\
Package: bash
Essential: yes
Pre-Depends: libc6 (>= 2.36), awk

Package: mawk
Provides: awk

Package: gdb
Depends: libc6, python3:any (>= 3), a | b

Package: procps
";

    #[test]
    fn dependencies_are_allowed_and_others_are_not() {
        let gdb = [Package { name: "gdb", probe: "gdb" }];
        let names = allowed(STATUS, &[&gdb]);
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        assert_eq!(names, ["a", "apt", "awk", "bash", "gdb", "libc6", "mawk", "python3"]);
    }

    #[test]
    fn an_undeclared_program_is_not_there() {
        let place = tempfile::tempdir().unwrap();
        fs::write(place.path().join("undeclared"), "").unwrap();
        let path = std::env::join_paths(
            [place.path().to_owned()]
                .into_iter()
                .chain(std::env::split_paths(&std::env::var_os("PATH").unwrap())),
        );
        let target = place.path().join("target");
        let Some(made) = folder(&target, &[BOOT, TEST], &path.unwrap()).unwrap() else {
            return skip("this system has no dpkg");
        };
        assert!(!made.join("undeclared").exists());
        for name in ["sh", "gcc", "cc", "env", "kill", "cargo", "rustc", "setpriv", "python3"] {
            assert!(made.join(name).is_file(), "no {name}");
        }
        let odd = [Package { name: "bash", probe: "undeclared" }];
        let error = folder(&target, &[&odd], place.path().as_os_str()).unwrap_err().to_string();
        assert!(error.contains("declared for the program `undeclared`"), "{error}");
    }
}
