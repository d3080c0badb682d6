//! The oldest Rust that the kernel takes, for building what is built in the kernel's tree: the
//! image.
//!
//! Debian 12's main archive has that compiler, under a name that leaves the system's own alone. It
//! is unpacked apart, in the user's cache, and nothing is installed.
//!
//! # Invariants
//!
//! 1. The compiler is in the cache whole or not at all: it is unpacked beside its place and
//!    renamed.
//! 2. A machine that cannot have the packages is told from one where the code does not compile.

use crate::tally::Tally;
use anyhow::{Context as _, Result, bail};
use liblinux_boot::cache::{self, Cache};
use liblinux_boot::job;
use liblinux_boot::progress::Progress;
use liblinux_mkimage::{Compiler, build};
use liblinux_workspace::command::{output, run};
use liblinux_workspace::{Workspace, line};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The compiler's version.
const VERSION: &str = "1.85";

/// Debian's packages of it: each with how the version begins that is wanted.
const PACKAGES: &[(&str, &str)] = &[
    ("rustc-web", "1.85."),
    ("libstd-rust-web-dev", "1.85."),
    ("libstd-rust-web-1.85", "1.85."),
    ("libllvm19", "1:19."),
];

/// What the kernel's build of Rust code allows beside stable features, and the image uses.
const FLAG: &str = "-Zcrate-attr=feature(asm_goto)";

/// The compiler's name in its folder: a script that lets it find its libraries.
const COMPILER: &str = "rustc";

/// Runs the compiler that lies beside it.
const SCRIPT: &str = "\
#!/bin/sh
root=${0%/*}
LD_LIBRARY_PATH=$root/usr/lib:$root/usr/lib/x86_64-linux-gnu exec \"$root/usr/bin/rustc\" \"$@\"
";

/// Builds the images with it, or says why it cannot be had here.
pub(crate) fn check(workspace: &Workspace) -> Result<Tally> {
    let compiler = match compiler()? {
        Ok(compiler) => compiler,
        Err(why) => {
            println!("skipped: Rust {VERSION} cannot be had here: {why}");
            return Ok(Tally::SKIPPED);
        }
    };
    println!("{}", output(Command::new(&compiler).arg("--version"))?.trim_end());
    let compiler = Compiler { program: compiler, flags: vec![FLAG.to_owned()] };
    for line in line::LINES {
        let folder = workspace.root().join(format!("target/rust-{VERSION}")).join(line.version);
        build::build_with(workspace, line, &compiler, &folder).with_context(|| {
            format!(
                "the image does not build with Rust {VERSION}, which kernels may be built with; write what is newer \
                 in an older way"
            )
        })?;
    }
    Ok(Tally::PASSED)
}

/// The compiler in the cache, unpacked if need be; or why the packages cannot be had.
fn compiler() -> Result<Result<PathBuf, String>> {
    let cache = Cache::open()?;
    let folder = cache.root().join(format!("rust-{VERSION}"));
    let _lock =
        cache::lock(&cache.root().join(format!("rust-{VERSION}.lock")), "the old compiler")?;
    let compiler = folder.join(COMPILER);
    if compiler.is_file() {
        return Ok(Ok(compiler));
    }
    let mut names = Vec::new();
    for (name, wanted) in PACKAGES {
        match version(name, wanted) {
            Some(version) => names.push(format!("{name}={version}")),
            None => {
                return Ok(Err(format!(
                    "apt lists no {name} {wanted}*; Debian 12's main archive has it, see `apt-cache madison {name}`"
                )));
            }
        }
    }
    let new = tempfile::tempdir_in(cache.root()).context("the cache takes no folder")?;
    if let Err(error) = download(&names, new.path()) {
        return Ok(Err(format!("{error:#}")));
    }
    unpack(new.path(), &folder)?;
    Ok(Ok(compiler))
}

/// The version of a package that begins like that, if apt knows one.
fn version(name: &str, wanted: &str) -> Option<String> {
    let listed = output(Command::new("apt-cache").args(["madison", name])).ok()?;
    listed_version(&listed, wanted)
}

/// The version in a line `NAME | VERSION | SOURCE`.
fn listed_version(listed: &str, wanted: &str) -> Option<String> {
    let versions = listed.lines().filter_map(|line| line.split('|').nth(1)).map(str::trim);
    versions.into_iter().find(|version| version.starts_with(wanted)).map(str::to_owned)
}

/// Downloads packages into a folder.
fn download(names: &[String], folder: &Path) -> Result<()> {
    let mut progress = Progress::new(format!("downloading Rust {VERSION} (90 MB, kept)"), None);
    let log = folder.join("apt.log");
    let mut apt = Command::new("apt-get");
    // Nothing of the system is touched, so apt needs no other user than this one.
    apt.args(["-o", "APT::Sandbox::User=root", "download"]).args(names).current_dir(folder);
    let status = job::run_logged(&mut apt, &log, |line| progress.advance(line))?;
    if !status.success() {
        bail!("`apt-get download {}` failed: {}", names.join(" "), job::tail(&log, 4));
    }
    progress.finish();
    Ok(())
}

/// Unpacks the packages in `new` and moves all to `folder`.
fn unpack(new: &Path, folder: &Path) -> Result<()> {
    let root = new.join("root");
    for entry in fs::read_dir(new).with_context(|| format!("cannot read {}", new.display()))? {
        let file = entry?.path();
        if file.extension().is_some_and(|extension| extension == "deb") {
            run(Command::new("dpkg").arg("-x").arg(&file).arg(&root))?;
        }
    }
    let script = root.join(COMPILER);
    fs::write(&script, SCRIPT).with_context(|| format!("cannot write {}", script.display()))?;
    fs::set_permissions(&script, fs::Permissions::from_mode(0o755))
        .with_context(|| format!("cannot make {} a program", script.display()))?;
    output(Command::new(&script).arg("--version"))
        .context("the compiler that was unpacked does not run")?;
    // A folder without the script is what an older program left.
    cache::remove_tree(folder)?;
    fs::rename(&root, folder).with_context(|| format!("cannot make {}", folder.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_taken_that_is_asked_for() {
        let listed = " rustc-web | 1.96.0+dfsg1-1 | http://a security/main\n rustc-web | 1.85.0+dfsg3-1 | http://a main\n";
        assert_eq!(listed_version(listed, "1.85."), Some("1.85.0+dfsg3-1".to_owned()));
        assert_eq!(listed_version(listed, "1.84."), None);
        assert_eq!(listed_version("", "1.85."), None);
    }
}
