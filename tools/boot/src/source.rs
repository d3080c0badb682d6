//! Where the source of a kernel line comes from, and that it is whole and of that line.
//!
//! It is the tarball of Debian's package, installed or fetched into the cache
//! (`download.rs`). Every user can get that again, byte for byte, by the package's version.
//! Or the caller names a tarball, or a tree, of the same line. The usual damage is a download or an
//! unpacking that was cut short. So an installed tarball is compared with dpkg's own checksum.
//!
//! # Invariants
//!
//! 1. A [`Source`] from a package has the bytes that dpkg or apt compared with the package's
//!    checksum.
//! 2. A named source is a [`Source`] only if its Makefile has the version of the line.

use crate::cache::{self, Cache};
use crate::{download, release};
use anyhow::{Context, Result, ensure};
use liblinux_workspace::Line;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The source of a kernel.
pub struct Source {
    /// A tarball, or the folder of a tree.
    pub path: PathBuf,
    /// The text that tells this source from another.
    pub identity: String,
}

/// The source of a kernel line, if it was checked before and is the same file.
pub fn known(line: &Line, named: Option<&Path>, cache: &Cache) -> Option<Source> {
    if let Some(path) = named {
        let memo = fs::read_to_string(memo(line, cache)).unwrap_or_default();
        return recorded(&memo, path);
    }
    let text = fs::read_to_string(memo(line, cache)).ok()?;
    [PathBuf::from(line.tarball), download::place(line, cache)]
        .iter()
        .find_map(|path| recorded(&text, path))
}

/// The source at `path`, if a memo says that this very file was checked.
fn recorded(memo: &str, path: &Path) -> Option<Source> {
    let identity = memo.strip_prefix(&stat(path).ok()?)?;
    Some(Source { path: path.to_owned(), identity: identity.trim().to_owned() })
}

/// The file that says which tarball was checked.
fn memo(line: &Line, cache: &Cache) -> PathBuf {
    cache.root().join(format!("{}.checked", line.package))
}

/// Finds the source of a kernel line and checks it: the one that is named, or else that of Debian's
/// package, which is fetched unless it is here.
pub fn find(line: &'static Line, named: Option<&Path>, cache: &Cache) -> Result<Source> {
    // Checking reads 150 MB twice; the same file, by size and times, was the same bytes.
    if let Some(source) = known(line, named, cache) {
        return Ok(source);
    }
    if let Some(path) = named {
        return self::named(line, path, cache);
    }
    let installed = PathBuf::from(line.tarball);
    if installed.is_file() {
        eprintln!("checking {}", installed.display());
        if intact(line.package)? {
            let version = installed_version(line.package)?;
            return remember(line, &installed, &version, cache);
        }
        eprintln!("{} differs from what its package brought", installed.display());
    }
    let download = download::fetch(line, cache)?;
    remember(line, &download.path, &download.version, cache)
}

/// Writes down that a package's tarball was checked.
fn remember(line: &Line, path: &Path, version: &str, cache: &Cache) -> Result<Source> {
    let identity = format!("{} {version} {}", line.package, cache::hash_file(path)?);
    cache::write_whole(&memo(line, cache), &format!("{}{identity}\n", stat(path)?))?;
    Ok(Source { path: path.to_owned(), identity })
}

/// The tarball or the tree at `path`, which the caller named.
fn named(line: &Line, path: &Path, cache: &Cache) -> Result<Source> {
    let path = path
        .canonicalize()
        .with_context(|| format!("cannot find the source {}", path.display()))?;
    let is_tree = path.is_dir();
    let makefile = if is_tree { release::of_tree(&path)? } else { release::of_tarball(&path)? };
    release::require(&makefile, line, &path)?;
    if !is_tree {
        let identity = format!("{makefile} {}", cache::hash_file(&path)?);
        cache::write_whole(&memo(line, cache), &format!("{}{identity}\n", stat(&path)?))?;
        return Ok(Source { path, identity });
    }
    ensure!(
        !path.join(".config").exists() && !path.join("include/config").exists(),
        "{} was built in, and such a tree cannot be built in another folder; run `make mrproper` in it, or name its tarball",
        path.display()
    );
    let mut files = String::new();
    list(&path, &mut files)?;
    let identity = format!("{makefile} {}", cache::key([("tree", files.as_bytes())]));
    Ok(Source { path, identity })
}

/// Adds a line for each file of a tree, which changes when the file is written.
fn list(folder: &Path, files: &mut String) -> Result<()> {
    let entries =
        fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    paths.sort();
    for path in paths.iter().filter(|path| !path.ends_with(".git")) {
        if path.is_dir() && !path.is_symlink() {
            list(path, files)?;
        } else {
            let data = fs::symlink_metadata(path)
                .with_context(|| format!("cannot find {}", path.display()))?;
            files.push_str(&format!(
                "{} {} {}.{}\n",
                path.display(),
                data.size(),
                data.mtime(),
                data.mtime_nsec()
            ));
        }
    }
    Ok(())
}

/// Whether dpkg finds the package's files as it installed them. It prints one line per file that
/// differs.
fn intact(package: &str) -> Result<bool> {
    let result =
        Command::new("dpkg").args(["--verify", package]).output().context("cannot run dpkg")?;
    Ok(result.status.success() && !String::from_utf8_lossy(&result.stdout).contains("/usr/src/"))
}

fn installed_version(package: &str) -> Result<String> {
    let result = Command::new("dpkg-query")
        .args(["--show", "--showformat=${Version}", package])
        .output()
        .context("cannot run dpkg-query")?;
    ensure!(
        result.status.success(),
        "dpkg-query does not know {package}: {}",
        String::from_utf8_lossy(&result.stderr)
    );
    Ok(String::from_utf8_lossy(&result.stdout).trim().to_owned())
}

/// A line that changes when the file is written.
fn stat(path: &Path) -> Result<String> {
    let data = fs::metadata(path).with_context(|| format!("cannot find {}", path.display()))?;
    let (size, inode) = (data.size(), data.ino());
    Ok(format!(
        "{} {size} {inode} {}.{} {}\n",
        path.display(),
        data.mtime(),
        data.mtime_nsec(),
        data.ctime()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use liblinux_workspace::line;

    /// A tree in `folder` with the files that a whole one has, of this version.
    fn tree(folder: &Path, version: &str) {
        for file in release::WHOLE {
            let path = folder.join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "x\n").unwrap();
        }
        let numbers: Vec<&str> = version.split('.').collect();
        let text = format!(
            "VERSION = {}\nPATCHLEVEL = {}\nSUBLEVEL = {}\nEXTRAVERSION =\n",
            numbers[0], numbers[1], numbers[2]
        );
        fs::write(folder.join("Makefile"), text).unwrap();
    }

    fn tarball(folder: &Path, name: &str) -> PathBuf {
        let path = folder.join(name);
        let status = Command::new("tar")
            .args(["--create", "--gzip", "--file"])
            .arg(&path)
            .arg("--directory")
            .args([folder, Path::new("linux")])
            .status();
        assert!(status.unwrap().success());
        path
    }

    #[test]
    fn a_tree_or_a_tarball_of_the_line_is_taken() {
        let (folder, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (folder, cache) = (folder.path(), Cache::at(cache.path()).unwrap());
        let line = line::DEFAULT;
        tree(&folder.join("linux"), line.base);
        let path = folder.join("linux");
        let first = find(line, Some(&path), &cache).unwrap();
        assert!(first.identity.starts_with(line.base), "{}", first.identity);
        assert_eq!(find(line, Some(&path), &cache).unwrap().identity, first.identity);
        fs::write(path.join("Kconfig"), "another\n").unwrap();
        assert_ne!(find(line, Some(&path), &cache).unwrap().identity, first.identity);

        let file = tarball(folder, "linux.tar.gz");
        let packed = find(line, Some(&file), &cache).unwrap();
        assert_eq!(known(line, Some(&file), &cache).unwrap().identity, packed.identity);
    }

    #[test]
    fn what_is_not_a_whole_source_of_the_line_is_refused() {
        let (folder, cache) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let (folder, cache) = (folder.path(), Cache::at(cache.path()).unwrap());
        let line = line::DEFAULT;
        let refusal = |path: &Path| {
            format!("{:#}", find(line, Some(path), &cache).err().expect("it is refused"))
        };
        let linux = folder.join("linux");
        assert!(refusal(&linux).contains("cannot find the source"));
        tree(&linux, "2.6.39");
        let why = refusal(&linux);
        assert!(why.contains("is Linux 2.6.39") && why.contains(line.version), "{why}");
        let why = refusal(&tarball(folder, "old.tar.gz"));
        assert!(why.contains("old.tar.gz is Linux 2.6.39"), "{why}");

        tree(&linux, line.base);
        fs::remove_file(linux.join(release::WHOLE[0])).unwrap();
        let why = refusal(&linux);
        assert!(why.contains("not a whole") && why.contains(release::WHOLE[0]), "{why}");
        fs::write(folder.join("text"), "no tarball\n").unwrap();
        assert!(refusal(&folder.join("text")).contains("not a tarball"), "{why}");
        tree(&linux, line.base);
        fs::write(linux.join(".config"), "").unwrap();
        assert!(refusal(&linux).contains("make mrproper"));
    }
}
