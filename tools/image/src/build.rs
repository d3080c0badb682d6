//! Builds the image: Rust to one object, the linker script to an ELF file, and a stripped copy for
//! mapping.
//!
//! # Invariants
//!
//! 1. A file at its final path is whole, and keeps its time if nothing has changed ([`product`]).
//! 2. The bytes depend on the sources and the tools alone, not on the workspace's folder, the user
//!    or the time. The build-id is the linker's hash of all of them.
//! 3. The kernel's build makes the same bytes of the same files: no step here is missing there.

use crate::compile::{self, Compiler};
use crate::link;
use crate::recipe::Recipe;
use anyhow::{Context as _, Result, ensure};
use liblinux_workspace::command::output;
use liblinux_workspace::product;
use liblinux_workspace::{Line, Workspace, line};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Builds both files of a kernel line's image and returns the path of the stripped one.
pub fn build(workspace: &Workspace, line: &Line) -> Result<PathBuf> {
    let (debug, image) = (workspace.debug_image(line), workspace.image(line));
    make(workspace, line, &Compiler::current(), &debug, &image)?;
    Ok(image)
}

/// Builds an updated image, as a checkpoint meets it: other code behind the same offsets. It comes
/// from the same sources, with less optimization. Returns the path of the one with symbols, beside
/// which is the stripped one.
pub fn build_updated_image(workspace: &Workspace, line: &Line) -> Result<PathBuf> {
    let mut compiler = Compiler::current();
    compiler.flags.push("-Copt-level=2".to_owned());
    let linked = workspace.updated_image(line);
    make(workspace, line, &compiler, &linked, &linked.with_extension(""))?;
    Ok(linked)
}

/// Builds an image with a compiler, into a folder; the path of the one with symbols.
pub fn build_with(
    workspace: &Workspace,
    line: &Line,
    compiler: &Compiler,
    folder: &Path,
) -> Result<PathBuf> {
    let linked = folder.join("vdso64.so.dbg");
    make(workspace, line, compiler, &linked, &linked.with_extension(""))?;
    Ok(linked)
}

/// Makes the files `linked` and `stripped`, which share a folder.
fn make(
    workspace: &Workspace,
    line: &Line,
    compiler: &Compiler,
    linked: &Path,
    stripped: &Path,
) -> Result<()> {
    liblinux_generate::require_fresh(workspace)?;
    let recipe = Recipe::read(workspace)?;
    let folder = linked.parent().context("the image has a folder")?;
    let object = compile::compile(workspace, line, compiler, &recipe, &folder.join("objects"))?;
    let scratch =
        tempfile::tempdir_in(folder).context("cannot create a scratch folder for the link")?;
    let (new, new_stripped) =
        (scratch.path().join("vdso64.so.dbg"), scratch.path().join("vdso64.so"));
    link::link(workspace, line, &recipe, &object, &new)?;
    link::strip(&recipe, &new, &new_stripped)?;
    product::install(&new, linked)?;
    product::install(&new_stripped, stripped)
}

/// Builds all images again from a copy of the sources in another folder and compares all bytes.
pub fn require_reproducible(workspace: &Workspace) -> Result<()> {
    let listed = output(Command::new("git").current_dir(workspace.root()).args([
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
    ]))?;
    let elsewhere = tempfile::Builder::new()
        .prefix("liblinux-elsewhere-")
        .tempdir()
        .context("cannot create a folder for the second build")?;
    let mut copied = 0;
    for file in
        listed.split('\0').filter(|file| !file.is_empty() && workspace.root().join(file).is_file())
    {
        let copy = elsewhere.path().join(file);
        let folder = copy.parent().context("a file has a folder")?;
        fs::create_dir_all(folder)
            .with_context(|| format!("cannot create {}", folder.display()))?;
        fs::copy(workspace.root().join(file), &copy)
            .with_context(|| format!("cannot copy {file}"))?;
        copied += 1;
    }
    ensure!(copied > 0, "git lists no file of the workspace, so nothing was compared");
    let other = Workspace::at(elsewhere.path());
    let mut pairs = Vec::new();
    for line in line::LINES {
        build(&other, line)?;
        pairs.push((workspace.image(line), other.image(line)));
        pairs.push((workspace.debug_image(line), other.debug_image(line)));
    }
    for (here, there) in pairs {
        let (here_bytes, there_bytes) = (fs::read(&here)?, fs::read(&there)?);
        ensure!(
            here_bytes == there_bytes,
            "{} is not reproducible: the build in {} differs. A path or a date got into it; compare both with \
             `readelf --debug-dump=info` and `strings`.",
            here.display(),
            elsewhere.path().display()
        );
    }
    Ok(())
}
