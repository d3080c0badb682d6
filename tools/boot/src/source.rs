//! The kernel's source: Debian's package, checked, unpacked and patched.
//!
//! Every user can get Debian's tarball again, byte for byte, by its package's version. The usual
//! damage is a download or an unpacking that was cut short. So the tarball is compared with dpkg's
//! own checksum, and the tree appears under its name only when it is whole and patched.
//!
//! Left out while unpacking: device trees and two sets of generated tables, a quarter of the bytes.
//! No build for x86 reads them. Whole architectures have to stay, because `crypto/Kconfig` sources
//! them all.
//!
//! # Invariants
//!
//! 1. A [`Tarball`] has the bytes that dpkg installed.
//! 2. A folder called `source` is unpacked and patched in full; until then it is called
//!    `source.partial`.

use crate::cache::{self, Cache};
use crate::progress::Progress;
use crate::{job, packages};
use anyhow::{Context, Result, bail, ensure};
use liblinux_workspace::Line;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Parts of the tree that are not unpacked.
const EXCLUDED: &[&str] = &[
    "*/arch/arm/boot/dts",
    "*/arch/arm64/boot/dts",
    "*/drivers/gpu/drm/amd/include",
    "*/tools/perf/pmu-events",
];

/// An intact source package.
pub struct Tarball {
    path: PathBuf,
    /// The text that tells this tarball from another.
    pub identity: String,
}

/// The installed source package of a kernel line, if it was checked before and is the same file.
pub fn known(line: &Line, cache: &Cache) -> Option<Tarball> {
    let path = PathBuf::from(line.tarball);
    let text = fs::read_to_string(memo(line, cache)).ok()?;
    let identity = text.strip_prefix(&stat(&path).ok()?)?;
    Some(Tarball { path, identity: identity.trim().to_owned() })
}

/// The file that says which tarball was checked.
fn memo(line: &Line, cache: &Cache) -> PathBuf {
    cache.root().join(format!("{}.checked", line.package))
}

/// Finds the installed source package of a kernel line and checks that it is whole, installing it
/// again if it is not.
pub fn find(line: &Line, cache: &Cache) -> Result<Tarball> {
    let package = line.package;
    let path = PathBuf::from(line.tarball);
    // Checking reads 150 MB twice; the same file, by size and times, was the same bytes.
    if let Some(tarball) = known(line, cache) {
        return Ok(tarball);
    }
    eprintln!("checking {}", path.display());
    if !intact(package)? {
        eprintln!("{} differs from what its package brought: installing it again", path.display());
        packages::reinstall(package)?;
        ensure!(
            intact(package)?,
            "{} still differs from its package's checksum; run `apt-get clean`, then `apt-get install --reinstall \
             {package}`, and check the disk",
            path.display()
        );
    }
    let version =
        output(Command::new("dpkg-query").args(["--show", "--showformat=${Version}", package]))?;
    let identity = format!("{package} {version} {}", cache::hash_file(&path)?);
    cache::write_whole(&memo(line, cache), &format!("{}{identity}\n", stat(&path)?))?;
    Ok(Tarball { path, identity })
}

/// Makes `folder/source`, unpacked from `tarball` with `patches` applied in order.
pub fn unpack(tarball: &Tarball, patches: &[PathBuf], folder: &Path) -> Result<()> {
    let partial = folder.join("source.partial");
    if partial.exists() {
        eprintln!("a former run was stopped while unpacking the kernel: starting that over");
        cache::remove_tree(&partial)?;
    }
    fs::create_dir_all(&partial).with_context(|| format!("cannot create {}", partial.display()))?;
    let log = folder.join("unpack.log");
    let mut tar = job::supervised("KILL", "tar");
    tar.args(["--extract", "--xz", "--strip-components=1", "--no-same-owner", "--verbose"]);
    tar.args(EXCLUDED.iter().map(|path| format!("--exclude={path}")));
    tar.arg("--file").arg(&tarball.path).arg("--directory").arg(&partial);
    let mut progress = Progress::new("unpacking the kernel", None);
    let status = job::run_logged(&mut tar, &log, |line| progress.advance(line))?;
    ensure!(
        status.success(),
        "tar could not unpack {} into {}:\n{}\nfree some disk space (a build takes 2.5 GB) and try again",
        tarball.path.display(),
        partial.display(),
        job::tail(&log, 5)
    );
    progress.finish();
    for patch in patches {
        apply(patch, &partial)?;
    }
    let whole = folder.join("source");
    fs::rename(&partial, &whole).with_context(|| format!("cannot create {}", whole.display()))
}

/// The patches that the file `series` in `folder` names, in order.
pub fn series(folder: &Path) -> Result<Vec<PathBuf>> {
    let path = folder.join("series");
    let text =
        fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let names = text.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
    let patches: Vec<PathBuf> =
        names.filter(|name| !name.is_empty()).map(|name| folder.join(name)).collect();
    ensure!(
        !patches.is_empty(),
        "{} names no patch, so the kernel could not take the image",
        path.display()
    );
    if let Some(absent) = patches.iter().find(|patch| !patch.is_file()) {
        bail!("{} names {}, which is not there", path.display(), absent.display());
    }
    Ok(patches)
}

fn apply(patch: &Path, tree: &Path) -> Result<()> {
    let result = Command::new("patch")
        .args([
            "--strip=1",
            "--batch",
            "--forward",
            "--fuzz=0",
            "--no-backup-if-mismatch",
            "--directory",
        ])
        .arg(tree)
        .arg("--input")
        .arg(patch)
        .env("LC_ALL", "C")
        .output()
        .context("cannot run patch")?;
    if result.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&result.stdout);
    let mut rejects = String::new();
    for name in said.lines().filter_map(|line| line.split_once("saving rejects to file ")) {
        let text = fs::read_to_string(tree.join(name.1)).unwrap_or_default();
        rejects.extend(text.lines().take(30).map(|line| format!("    {line}\n")));
    }
    bail!(
        "{} does not apply to the kernel's source (with the patches before it in the series); patch says\n\
         {}\nand rejects\n{rejects}rebase it on Debian's linux-source and run again",
        patch.display(),
        said.lines().map(|line| format!("    {line}")).collect::<Vec<_>>().join("\n"),
    )
}

/// Whether dpkg finds the package's files as it installed them. It prints one line per file that
/// differs.
fn intact(package: &str) -> Result<bool> {
    let result =
        Command::new("dpkg").args(["--verify", package]).output().context("cannot run dpkg")?;
    Ok(result.status.success() && !String::from_utf8_lossy(&result.stdout).contains("/usr/src/"))
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

fn output(command: &mut Command) -> Result<String> {
    let result = command
        .output()
        .with_context(|| format!("cannot run {}", command.get_program().display()))?;
    ensure!(
        result.status.success(),
        "{:?} failed: {}",
        command,
        String::from_utf8_lossy(&result.stderr)
    );
    Ok(String::from_utf8_lossy(&result.stdout).trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATCH: &str = "--- a/file\n+++ b/file\n@@ -1,3 +1,3 @@\n one\n-two\n+2\n three\n";

    #[test]
    fn a_patch_applies_or_shows_its_rejects() {
        let folder = tempfile::tempdir().unwrap();
        let patch = folder.path().join("0001-two.patch");
        fs::write(&patch, PATCH).unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "one\ntwo\nthree\n").unwrap();
        apply(&patch, folder.path()).unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "one\n2\nthree\n");

        fs::write(&file, "quite\nother\nlines\n").unwrap();
        let error = apply(&patch, folder.path()).unwrap_err().to_string();
        assert!(error.contains("0001-two.patch") && error.contains("Hunk #1 FAILED"), "{error}");
        assert!(error.contains("+2"), "the rejected hunk is shown: {error}");
    }

    #[test]
    fn a_series_names_patches_that_exist() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        assert!(format!("{:#}", series(folder).unwrap_err()).contains("cannot read"));
        fs::write(folder.join("series"), "# none\n\n").unwrap();
        assert!(series(folder).unwrap_err().to_string().contains("names no patch"));
        fs::write(folder.join("series"), "# first\na.patch # why\n").unwrap();
        assert!(series(folder).unwrap_err().to_string().contains("a.patch"));
        fs::write(folder.join("a.patch"), PATCH).unwrap();
        assert_eq!(series(folder).unwrap(), [folder.join("a.patch")]);
    }
}
