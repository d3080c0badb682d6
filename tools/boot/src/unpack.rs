//! A kernel's tree: its source, unpacked or copied, with the series applied.
//!
//! Left out are device trees and two sets of generated tables, a quarter of the bytes. No build for
//! x86 reads them. Whole architectures have to stay, because `crypto/Kconfig` sources them all.
//!
//! # Invariants
//!
//! 1. A folder called `source` is whole and patched in full; until then it is called
//!    `source.partial`.

use crate::cache;
use crate::progress::Progress;
use crate::source::Source;
use crate::{job, release};
use anyhow::{Context, Result, bail, ensure};
use liblinux_workspace::Line;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Parts of the tree that are left out.
const EXCLUDED: &[&str] = &[
    "*/arch/arm/boot/dts",
    "*/arch/arm64/boot/dts",
    "*/drivers/gpu/drm/amd/include",
    "*/tools/perf/pmu-events",
    "./.git",
];

/// Makes `folder/source` of the source of a line's kernel, with `patches` applied in order.
pub fn unpack(source: &Source, line: &Line, patches: &[PathBuf], folder: &Path) -> Result<()> {
    let partial = folder.join("source.partial");
    if partial.exists() {
        eprintln!("a former run was stopped while unpacking the kernel: starting that over");
        cache::remove_tree(&partial)?;
    }
    fs::create_dir_all(&partial).with_context(|| format!("cannot create {}", partial.display()))?;
    let log = folder.join("unpack.log");
    let mut progress = Progress::new("unpacking the kernel", None);
    let tree = source.path.is_dir();
    let status = if tree {
        copy(&source.path, &partial, &log, &mut progress)?
    } else {
        let mut tar = extract(&partial);
        tar.arg("--strip-components=1").arg("--file").arg(&source.path);
        job::run_logged(&mut tar, &log, |line| progress.advance(line))?
    };
    ensure!(
        status.success(),
        "tar could not unpack {} into {}:\n{}\nfree some disk space (a build takes 2.5 GB), or get the source again if it \
         is cut short, and try again",
        source.path.display(),
        partial.display(),
        job::tail(&log, 5)
    );
    progress.finish();
    let made = release::of_tree(&partial)
        .and_then(|found| release::require(&found, line, &source.path))
        .and_then(|()| {
            patches.iter().try_for_each(|patch| apply(patch, &partial, "the kernel's source"))
        });
    if let Err(error) = made {
        // What it says is of the source, which the next run may have another of.
        cache::remove_tree(&partial)?;
        return Err(error);
    }
    let whole = folder.join("source");
    fs::rename(&partial, &whole).with_context(|| format!("cannot create {}", whole.display()))
}

/// A tar that fills `partial`, and ends with this process.
fn extract(partial: &Path) -> Command {
    let mut tar = job::supervised("KILL", "tar");
    tar.args(["--extract", "--no-same-owner", "--verbose"]);
    tar.args(EXCLUDED.iter().map(|path| format!("--exclude={path}")));
    tar.arg("--directory").arg(partial);
    tar
}

/// Copies a tree.
fn copy(
    tree: &Path,
    partial: &Path,
    log: &Path,
    progress: &mut Progress,
) -> Result<std::process::ExitStatus> {
    let mut reader = job::supervised("KILL", "tar");
    reader.args(["--create", "--directory"]).arg(tree);
    reader.args(EXCLUDED.iter().map(|path| format!("--exclude={path}"))).arg(".");
    let mut reader = reader.stdout(Stdio::piped()).spawn().context("cannot run tar")?;
    let output = reader.stdout.take().context("tar's output is a pipe")?;
    let written = job::run_logged(extract(partial).stdin(output), log, |line| {
        progress.advance(line);
    })?;
    let read = reader.wait().context("cannot wait for tar")?;
    Ok(if read.success() { written } else { read })
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
        "{} names no patch, so there is nothing to build with",
        path.display()
    );
    if let Some(absent) = patches.iter().find(|patch| !patch.is_file()) {
        bail!("{} names {}, which is not there", path.display(), absent.display());
    }
    Ok(patches)
}

/// Applies a patch to a tree that `name` says in an error.
pub fn apply(patch: &Path, tree: &Path, name: &str) -> Result<()> {
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
        "{} does not apply to {name} (with the patches before it in the series); patch says\n\
         {}\nand rejects\n{rejects}rebase it on this source (the folder's README says what it was made for) and run again",
        patch.display(),
        said.lines().map(|line| format!("    {line}")).collect::<Vec<_>>().join("\n"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use liblinux_workspace::line;

    const PATCH: &str = "--- a/file\n+++ b/file\n@@ -1,3 +1,3 @@\n one\n-two\n+2\n three\n";

    /// A tree in `folder` that passes for a whole one, of this version.
    fn tree(folder: &Path, version: &str) {
        for file in release::WHOLE {
            let path = folder.join(file);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, "one\ntwo\nthree\n").unwrap();
        }
        let [version, patchlevel] =
            <[&str; 2]>::try_from(version.split('.').collect::<Vec<_>>()).unwrap();
        let text = format!("VERSION = {version}\nPATCHLEVEL = {patchlevel}\nSUBLEVEL = 1\n");
        fs::write(folder.join("Makefile"), text).unwrap();
        fs::create_dir_all(folder.join(".git")).unwrap();
        fs::write(folder.join(".git/config"), "").unwrap();
    }

    #[test]
    fn a_tree_and_a_tarball_give_the_same_patched_tree() {
        let folder = tempfile::tempdir().unwrap();
        let (folder, line) = (folder.path(), line::DEFAULT);
        let linux = folder.join("linux");
        tree(&linux, line.version);
        let tarball = folder.join("linux.tar.xz");
        let mut tar = Command::new("tar");
        tar.args(["--create", "--xz", "--exclude=.git", "--file"]).arg(&tarball);
        assert!(tar.arg("--directory").arg(folder).arg("linux").status().unwrap().success());
        let patch = folder.join("0001-two.patch");
        fs::write(&patch, PATCH.replace("file", "Kconfig")).unwrap();
        for (name, path) in [("a", &linux), ("b", &tarball)] {
            let place = folder.join(name);
            let source = Source { path: path.clone(), identity: String::new() };
            fs::create_dir(&place).unwrap();
            unpack(&source, line, std::slice::from_ref(&patch), &place).unwrap();
            let made = place.join("source");
            assert_eq!(fs::read_to_string(made.join("Kconfig")).unwrap(), "one\n2\nthree\n");
            assert!(made.join("mm/mmap.c").is_file() && !made.join(".git").exists());
        }

        tree(&linux, "2.6");
        let (source, place) = (Source { path: linux, identity: String::new() }, folder.join("c"));
        fs::create_dir(&place).unwrap();
        let error = unpack(&source, line, &[], &place).unwrap_err().to_string();
        assert!(error.contains("is Linux 2.6.1"), "{error}");
        assert!(!place.join("source.partial").exists(), "a wrong source is not kept");
    }

    #[test]
    fn a_patch_applies_or_shows_its_rejects() {
        let folder = tempfile::tempdir().unwrap();
        let patch = folder.path().join("0001-two.patch");
        fs::write(&patch, PATCH).unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "one\ntwo\nthree\n").unwrap();
        apply(&patch, folder.path(), "a tree").unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "one\n2\nthree\n");

        fs::write(&file, "quite\nother\nlines\n").unwrap();
        let error = apply(&patch, folder.path(), "a tree").unwrap_err().to_string();
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
