//! Builds the image: Rust to one object, the linker script to an ELF file, and a stripped copy for
//! mapping.
//!
//! # Invariants
//!
//! 1. A file at its final path is whole, and keeps its time if nothing has changed ([`product`]).
//! 2. The bytes depend on the sources and the tools alone, not on the workspace's folder, the user
//!    or the time: paths are remapped, and no date goes in.
//! 3. Equal bytes have equal build-ids, wherever their sources stand: see `identity`.
//! 4. The link takes the image's own object and nothing else; an undefined symbol is an error.

use crate::exception;
use crate::identity;
use anyhow::{Context as _, Result, ensure};
use liblinux_abi::image::export::SONAME;
use liblinux_abi::image::layout::{
    BODIES, CANCEL, CANCELLABLE, DATA_SIZE, FIXUPS, HOT, LIBRARY, PAGE_SIZE, PRIVATE, SGX, SLOTS,
    TEXT, TICK,
};
use liblinux_workspace::Workspace;
use liblinux_workspace::command::{cargo, output, run};
use liblinux_workspace::product;
use object::{Object as _, ObjectSegment as _};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What the image is compiled for.
const TARGET: &str = "x86_64-unknown-linux-gnu";

/// Compiler flags of the image alone, each with its reason.
const RUSTFLAGS: &[&str] = &[
    // Own functions are called directly, not through a global offset table.
    "-Crelocation-model=pie",
    // Unwinding information for every function, although none panics.
    "-Cforce-unwind-tables=yes",
    // No vector registers: runtimes with small stacks or lazily saved vector state call in here.
    "-Cno-vectorize-loops",
    "-Cno-vectorize-slp",
];

/// Builds both files of the image and returns the path of the stripped one.
pub fn build(workspace: &Workspace) -> Result<PathBuf> {
    let library = compile(workspace, "image", &[])?;
    finish(workspace, &library, &workspace.debug_image(), &workspace.image())?;
    Ok(workspace.image())
}

/// Builds an updated image, as a checkpoint meets it: other code behind the same offsets. It comes
/// from the same sources, with less optimization. Returns the path of the one with symbols, beside
/// which is the stripped one.
pub fn build_updated_image(workspace: &Workspace) -> Result<PathBuf> {
    let library = compile(workspace, "updated-image", &["--config=profile.image.opt-level=2"])?;
    let linked = workspace.updated_image();
    finish(workspace, &library, &linked, &linked.with_extension(""))?;
    Ok(linked)
}

/// Links a compiled image to the files `linked` and `stripped`, which share a folder.
fn finish(workspace: &Workspace, library: &Path, linked: &Path, stripped: &Path) -> Result<()> {
    liblinux_generate::require_fresh(workspace)?;
    let folder = linked.parent().context("the image has a folder")?;
    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let scratch =
        tempfile::tempdir_in(folder).context("cannot create a scratch folder for the link")?;
    let (new, new_stripped) =
        (scratch.path().join("vdso64.so.dbg"), scratch.path().join("vdso64.so"));
    link(workspace, library, &new)?;
    exception::sort(&new)?;
    strip(&new, &new_stripped)?;
    identity::stamp(&new, &new_stripped)?;
    product::install(&new, linked)?;
    product::install(&new_stripped, stripped)
}

/// Compiles the image's crate into `target/FOLDER` and returns its library, an archive of one
/// object.
fn compile(workspace: &Workspace, folder: &str, more: &[&str]) -> Result<PathBuf> {
    let target = workspace.root().join("target").join(folder);
    let remap = format!("--remap-path-prefix={}=/liblinux", workspace.root().display());
    let flags: Vec<&str> = RUSTFLAGS.iter().copied().chain([remap.as_str()]).collect();
    let mut cargo = cargo(workspace);
    cargo.args(["build", "--quiet", "--locked", "--package=liblinux-image", "--profile=image"]);
    cargo.args(more).arg(format!("--target={TARGET}")).arg("--target-dir").arg(&target);
    cargo.env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}"));
    run(&mut cargo).context("the image does not compile")?;
    Ok(target.join(TARGET).join("image/libliblinux_image.rlib"))
}

fn link(workspace: &Workspace, library: &Path, linked: &Path) -> Result<()> {
    let mut ld = Command::new("ld");
    ld.args([
        "-m",
        "elf_x86_64",
        "-shared",
        "-Bsymbolic",
        "--no-undefined",
        "--orphan-handling=error",
    ]);
    ld.args(["-soname", SONAME, "--hash-style=both", "--eh-frame-hdr"]);
    // Room for the id, which is known when the bytes are.
    ld.arg(format!("--build-id=0x{}", "00".repeat(identity::SIZE)));
    ld.args(["-z", "noexecstack", "-z"]).arg(format!("max-page-size={PAGE_SIZE}"));
    // The linker script takes the layout from the table.
    for (name, value) in [
        ("PRIVATE", PRIVATE),
        ("TICK", TICK),
        ("TEXT", TEXT),
        ("LIBRARY", LIBRARY),
        ("SGX", SGX),
        ("CANCELLABLE", CANCELLABLE),
        ("CANCEL", CANCEL),
        ("FIXUPS", FIXUPS),
        ("SLOTS", SLOTS),
        ("BODIES", BODIES),
        ("PAGE_SIZE", PAGE_SIZE),
        ("DATA_SIZE", DATA_SIZE),
    ] {
        ld.arg(format!("--defsym=LAYOUT_{name}={value:#x}"));
    }
    for (function, offset) in HOT {
        ld.arg(format!("--defsym=LAYOUT_HOT_{function}={offset:#x}"));
    }
    ld.arg("-T").arg(workspace.linker_script());
    ld.arg("--version-script").arg(workspace.version_script());
    ld.arg("--whole-archive").arg(library).arg("-o").arg(linked);
    run(&mut ld).context(
        "the image does not link; an undefined symbol is code that is not in the image: \
         a panic, a call into `core`, a copy that became `memcpy`",
    )
}

/// Strips as the kernel's build does, and fills the last page: what is mapped is whole pages.
fn strip(linked: &Path, stripped: &Path) -> Result<()> {
    let mut objcopy = Command::new("objcopy");
    objcopy.args(["-S", "--remove-section", "__ex_table", "--remove-section", ".legacy_syscalls"]);
    objcopy.arg(linked).arg(stripped);
    run(&mut objcopy).context("the image cannot be stripped")?;
    let mut bytes =
        fs::read(stripped).with_context(|| format!("cannot read {}", stripped.display()))?;
    // The program headers are those of the linked image, which the kernel's exception table makes
    // longer.
    let linked = fs::read(linked).with_context(|| format!("cannot read {}", linked.display()))?;
    let elf = object::File::parse(linked.as_slice()).context("the linked image is not readable")?;
    let loaded = elf.segments().map(|segment| segment.address() + segment.size()).max();
    let len = bytes.len().max(usize::try_from(loaded.context("the image has no segment")?)?);
    bytes.resize(len.next_multiple_of(PAGE_SIZE), 0);
    fs::write(stripped, bytes).with_context(|| format!("cannot write {}", stripped.display()))
}

/// Builds the image again from a copy of the sources in another folder and compares all bytes.
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
    build(&other)?;
    for (here, there) in
        [(workspace.image(), other.image()), (workspace.debug_image(), other.debug_image())]
    {
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
