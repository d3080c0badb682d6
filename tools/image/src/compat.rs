//! The two files for 32-bit programs: the shim, which is 64-bit code, and the 32-bit image.
//!
//! The shim is compiled by the image's own recipe and linked to a file that is mapped as it is, at
//! a fixed place. The
//! 32-bit image is assembled and linked by binutils, so no compiler for i386 is needed.
//!
//! # Invariants
//!
//! 1. The link of the shim takes its own object and nothing else; an undefined symbol is an error.
//! 2. In the shim, `syscall` occurs between its entries' labels alone.

use crate::compile::{self, Compiler};
use crate::recipe::Recipe;
use anyhow::{Context as _, Result, ensure};
use liblinux_compat::facts::BASE;
use liblinux_workspace::command::run;
use liblinux_workspace::{Workspace, line};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The crates of the shim, in the order in which they are compiled.
const CRATES: [&str; 2] = ["abi", "compat"];

/// The files, in a folder.
#[derive(Clone, Debug)]
pub struct Compat {
    /// The shim: bytes to map behind its page of facts.
    pub shim: PathBuf,
    /// The 32-bit image: an ELF file.
    pub gate: PathBuf,
}

/// Makes both files.
pub fn build(workspace: &Workspace, folder: &Path) -> Result<Compat> {
    let recipe = Recipe::read(workspace)?;
    let compiler = Compiler::current();
    let objects = folder.join("objects");
    let object =
        compile::compile_crates(workspace, &CRATES, line::DEFAULT, &compiler, &recipe, &objects)?;
    let shim = link_shim(workspace, &object, folder)?;
    let gate = link_gate(workspace, folder)?;
    Ok(Compat { shim, gate })
}

fn link_shim(workspace: &Workspace, object: &Path, folder: &Path) -> Result<PathBuf> {
    let (linked, shim) = (folder.join("shim.elf"), folder.join("shim.bin"));
    let mut ld = Command::new("ld");
    ld.args(["-m", "elf_x86_64", "-static", "--no-undefined", "--orphan-handling=error"]);
    ld.args(["--gc-sections", "-e", "compat_enter", "-z", "noexecstack", "--strip-debug"]);
    ld.arg(format!("--defsym=COMPAT_BASE={BASE:#x}"));
    ld.arg("-T").arg(workspace.root().join("linker/x86_64/compat.lds"));
    ld.arg(object).arg("-o").arg(&linked);
    run(&mut ld).context(
        "the shim does not link; an undefined symbol is code that is not in it: a panic or a call \
         into `core`",
    )?;
    let mut objcopy = Command::new("objcopy");
    objcopy.args(["-O", "binary", "-j", ".text"]).arg(&linked).arg(&shim);
    run(&mut objcopy).context("the shim cannot be made a plain file")?;
    ensure!(fs::metadata(&shim)?.len() > 0, "{} is empty", shim.display());
    Ok(shim)
}

fn link_gate(workspace: &Workspace, folder: &Path) -> Result<PathBuf> {
    let (object, gate) = (folder.join("linux-gate.o"), folder.join("linux-gate.so.1"));
    let source = workspace.root().join("vdso/compat/gate/linux-gate.S");
    let mut assemble = Command::new("as");
    assemble.arg("--32").arg(source).arg("-o").arg(&object);
    run(&mut assemble).context("the 32-bit image cannot be assembled")?;
    let mut ld = Command::new("ld");
    ld.args(["-m", "elf_i386", "-shared", "-soname", "linux-gate.so.1", "--hash-style=both"]);
    ld.args(["--build-id=sha1", "--no-undefined", "--eh-frame-hdr", "-Bsymbolic"]);
    ld.args(["-z", "noexecstack", "-z", "max-page-size=4096"]);
    ld.arg("-T").arg(workspace.root().join("linker/x86_64/gate.lds"));
    ld.arg(&object).arg("-o").arg(&gate);
    run(&mut ld).context("the 32-bit image does not link")?;
    Ok(gate)
}
