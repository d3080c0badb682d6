//! The image that the kernel's own make builds, from the sources that a patch puts into its tree.

use crate::configuration::{Base, Configuration};
use crate::tree::Tree;
use anyhow::{Context as _, Result, ensure};
use liblinux_boot::job;
use liblinux_workspace::command::rustc;
use std::env;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// Where the build makes the image.
const PLACE: &str = "arch/x86/entry/vdso/rust/vdso64-rust.so.dbg";

const CONFIGURATION: Configuration = Configuration {
    name: "in-tree",
    about: "",
    base: Base::Target("allnoconfig"),
    lines: "CONFIG_64BIT=y\nCONFIG_X86_VDSO64_RUST_BUILT=y\n",
    architecture: "x86_64",
    words: &[],
    is_whole: false,
};

impl Tree<'_> {
    /// Builds the image in this tree, by make and rustc alone, and compares it with the one that
    /// `cargo xtask image` made.
    pub(crate) fn compare_image(&self) -> Result<()> {
        let (built, ours) = (self.image()?, self.workspace.debug_image(self.line));
        let read =
            |path: &Path| fs::read(path).with_context(|| format!("cannot read {}", path.display()));
        ensure!(
            read(&built)? == read(&ours)?,
            "make built another image than `cargo xtask image`: compare {} with {}",
            built.display(),
            ours.display()
        );
        Ok(())
    }

    fn image(&self) -> Result<PathBuf> {
        let build = self.folder.join(CONFIGURATION.name);
        fs::create_dir_all(&build).with_context(|| format!("cannot create {}", build.display()))?;
        let asked = build.join("asked.config");
        fs::write(&asked, CONFIGURATION.lines)
            .with_context(|| format!("cannot write {}", asked.display()))?;
        let path = without_cargo(&build.join("no-cargo"))?;
        for (target, log) in
            [("allnoconfig", "configure.log"), ("arch/x86/entry/vdso/", "build.log")]
        {
            let mut make = self.make(&CONFIGURATION);
            make.arg(target).env("KCONFIG_ALLCONFIG", &asked);
            make.arg(format!("RUSTC={}", rustc().display()));
            make.env("PATH", &path);
            let log = build.join(log);
            let status = job::run_logged(&mut make, &log, |_| {})?;
            ensure!(
                status.success(),
                "make failed; the last lines of {} are\n{}",
                log.display(),
                job::tail(&log, 15)
            );
        }
        let image = build.join(PLACE);
        ensure!(
            image.is_file(),
            "the kernel's configuration did not offer CONFIG_X86_VDSO64_RUST_BUILT, so make built no image; see {}",
            build.join(".config").display()
        );
        Ok(image)
    }
}

/// The search path with a cargo in front that always fails, in a folder that this makes.
fn without_cargo(folder: &Path) -> Result<OsString> {
    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    symlink("/bin/false", folder.join("cargo"))
        .with_context(|| format!("cannot write to {}", folder.display()))?;
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = [folder.to_owned()].into_iter().chain(env::split_paths(&path));
    env::join_paths(folders).context("PATH cannot be put together again")
}
