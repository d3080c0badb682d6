//! The version that a kernel's source says it has, and whether the source is whole.
//!
//! # Invariants
//!
//! 1. The version is that of the Makefile at the top.

use anyhow::{Context, Result, bail, ensure};
use liblinux_workspace::Line;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

/// Files of every source, from the beginning of its tarball to the end.
pub(crate) const WHOLE: &[&str] = &[
    "Kconfig",
    "Makefile",
    "arch/x86/Makefile",
    "arch/x86/entry/vdso/vma.c",
    "include/linux/mm.h",
    "kernel/signal.c",
    "mm/mmap.c",
    "scripts/Makefile.build",
    "tools/testing/selftests/vDSO/Makefile",
    "usr/Makefile",
];

/// The version of a whole tree.
pub(crate) fn of_tree(tree: &Path) -> Result<String> {
    if let Some(missing) = WHOLE.iter().find(|file| !tree.join(file).is_file()) {
        bail!(
            "{} is not a whole source of Linux: it has no {missing}; unpack the tarball again",
            tree.display()
        );
    }
    let path = tree.join("Makefile");
    let text =
        fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    parse(&text).with_context(|| format!("{} says no version", path.display()))
}

/// The version of a tarball, of which no more is read than up to the Makefile at the top.
pub(crate) fn of_tarball(tarball: &Path) -> Result<String> {
    let result = Command::new("tar")
        .args(["--extract", "--to-stdout", "--occurrence=1"])
        .args(["--wildcards", "--no-wildcards-match-slash", "--file"])
        .arg(tarball)
        .arg("*/Makefile")
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .output()
        .context("cannot run tar")?;
    let found = parse(&String::from_utf8_lossy(&result.stdout));
    found.with_context(|| {
        format!(
            "{} is not a tarball of Linux's source: it has no Makefile that says a version; tar says `{}`",
            tarball.display(),
            String::from_utf8_lossy(&result.stderr).trim()
        )
    })
}

/// Fails unless `found` is a patch level of `line`; warns of one that the series was not made for.
pub(crate) fn require(found: &str, line: &Line, source: &Path) -> Result<()> {
    let level = found.strip_prefix(line.version).and_then(|rest| rest.strip_prefix('.'));
    ensure!(
        level.is_some(),
        "{} is Linux {found}, but a source of Linux {} is needed; `--kernel` chooses another line",
        source.display(),
        line.version
    );
    if found != line.base {
        eprintln!(
            "warning: {} is Linux {found}, and the series was made for {}: a patch may not apply",
            source.display(),
            line.base
        );
    }
    Ok(())
}

/// The version that a Makefile says.
fn parse(makefile: &str) -> Option<String> {
    let value = |name: &str| {
        makefile.lines().find_map(|line| {
            let (key, value) = line.split_once('=')?;
            (key.trim() == name).then(|| value.trim())
        })
    };
    let numbers = [value("VERSION")?, value("PATCHLEVEL")?, value("SUBLEVEL")?];
    numbers.iter().all(|number| number.parse::<u32>().is_ok()).then(|| numbers.join("."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use liblinux_workspace::line;

    #[test]
    fn a_makefile_says_its_version() {
        let text = "# SPDX\nVERSION = 7\nPATCHLEVEL = 3\nSUBLEVEL = 4\nEXTRAVERSION =\n";
        assert_eq!(parse(text).as_deref(), Some("7.3.4"));
        assert_eq!(parse("VERSION = 7\nPATCHLEVEL = x\nSUBLEVEL = 4\n"), None);
        assert_eq!(parse("all:\n"), None);
    }

    #[test]
    fn another_line_is_refused_and_another_patch_level_is_not() {
        let [one, other] = [&line::LINES[0], &line::LINES[1]];
        require(&format!("{}.999", one.version), one, Path::new("x")).unwrap();
        let error = require(other.base, one, Path::new("x")).unwrap_err().to_string();
        assert!(error.contains(&format!("is Linux {}", other.base)), "{error}");
        assert!(require(&format!("{}9.1", one.version), one, Path::new("x")).is_err());
    }
}
