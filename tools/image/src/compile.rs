//! Compiling the image: one run of the compiler for each of its crates, and nothing else.
//!
//! The kernel's build does the same by the same flags ([`crate::recipe`]), so this is not left to
//! cargo, which puts a hash of its own into every symbol. Only the last crate's object is linked;
//! the other two are compiled for their metadata.
//!
//! # Invariants
//!
//! 1. The object depends on the sources, the flags and the compiler alone: no path of this machine
//!    is in it, and no date.
//! 2. An object of an earlier run is taken only if all of these have the same bytes as then. It is
//!    put in its place as a whole, so commands that run at the same time may share it.

use crate::recipe::Recipe;
use anyhow::{Context as _, Result, ensure};
use liblinux_workspace::command::{output, run};
use liblinux_workspace::{Line, Workspace, product};
use sha2::{Digest as _, Sha256};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The crates in the order in which they are compiled: each may use those before it. The last one
/// is the image.
const CRATES: [&str; 3] = ["abi", "fixup", "image"];

/// A compiler, and flags that it needs beside the recipe's.
#[derive(Clone, Debug)]
pub struct Compiler {
    /// The program.
    pub program: PathBuf,
    /// Its flags; one that begins with `-Z` is for a compiler that has to be told that it may.
    pub flags: Vec<String>,
}

impl Compiler {
    /// The compiler of the toolchain that runs this program.
    pub fn current() -> Self {
        Self { program: liblinux_workspace::command::rustc(), flags: Vec::new() }
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        if self.flags.iter().any(|flag| flag.starts_with("-Z")) {
            command.env("RUSTC_BOOTSTRAP", "1");
        }
        command
    }
}

/// Compiles the image for a kernel line into a folder and returns its object.
pub(crate) fn compile(
    workspace: &Workspace,
    line: &Line,
    compiler: &Compiler,
    recipe: &Recipe,
    folder: &Path,
) -> Result<PathBuf> {
    compile_crates(workspace, &CRATES, line, compiler, recipe, folder)
}

/// Compiles crates below `vdso`, each of which may use those before it, and returns the object of
/// the last one.
pub(crate) fn compile_crates(
    workspace: &Workspace,
    crates: &[&str],
    line: &Line,
    compiler: &Compiler,
    recipe: &Recipe,
    folder: &Path,
) -> Result<PathBuf> {
    let mut flags = recipe.compiler.clone();
    flags.extend(compiler.flags.iter().cloned());
    flags.push(line_flag(line));
    let last = crates.last().context("there is a crate to compile")?;
    let object = folder.join(format!("{}.o", name(last)));
    let (mark, inputs) = (folder.join("inputs"), inputs(workspace, crates, compiler, &flags)?);
    if object.is_file() && fs::read_to_string(&mark).is_ok_and(|last| last == inputs) {
        return Ok(object);
    }
    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let scratch = tempfile::tempdir_in(folder).context("cannot create a folder for objects")?;
    for (index, krate) in crates.iter().enumerate() {
        let mut rustc = compiler.command();
        rustc.current_dir(workspace.root()).args(&flags);
        rustc.arg(format!("--remap-path-prefix={}=/liblinux", workspace.root().display()));
        rustc.arg(format!("--crate-name={}", name(krate))).arg("-L").arg(scratch.path());
        rustc.args(crates[..index].iter().map(|other| format!("--extern={}", name(other))));
        for (kind, file) in [
            ("metadata", format!("lib{}.rmeta", name(krate))),
            ("obj", format!("{}.o", name(krate))),
        ] {
            rustc.arg(format!("--emit={kind}={}", scratch.path().join(file).display()));
        }
        rustc.arg(source(workspace, krate).join("lib.rs"));
        run(&mut rustc).with_context(|| format!("vdso/{krate} does not compile"))?;
    }
    let new = scratch.path().join(object.file_name().context("the object has a name")?);
    product::install(&new, &object)?;
    product::write(&mark, inputs)?;
    Ok(object)
}

/// The compiler's flag by which `abi` and `image` are compiled for a kernel line.
pub fn line_flag(line: &Line) -> String {
    format!("--cfg=kernel_line=\"{}\"", line.version)
}

/// The name of a crate, as its dependents have it in their code.
fn name(krate: &str) -> String {
    format!("liblinux_{krate}")
}

/// The folder of a crate's sources.
fn source(workspace: &Workspace, krate: &str) -> PathBuf {
    workspace.root().join("vdso").join(krate).join("src")
}

/// The hash of all that the object depends on.
fn inputs(
    workspace: &Workspace,
    crates: &[&str],
    compiler: &Compiler,
    flags: &[String],
) -> Result<String> {
    let version = output(compiler.command().arg("-vV")).context("there is no Rust compiler")?;
    let mut hash = Sha256::new();
    let mut add = |bytes: &[u8]| {
        hash.update(bytes.len().to_le_bytes());
        hash.update(bytes);
    };
    add(version.as_bytes());
    flags.iter().for_each(|flag| add(flag.as_bytes()));
    for krate in crates {
        let folder = source(workspace, krate);
        let files = liblinux_generate::kernel_tree::files_below(&folder)?;
        ensure!(!files.is_empty(), "{} has no sources", folder.display());
        for file in files {
            let path = folder.join(&file);
            add(file.as_os_str().as_encoded_bytes());
            add(&fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?);
        }
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}
