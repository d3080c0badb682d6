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

use crate::{exception, identity, layout};
use anyhow::{Context as _, Result, ensure};
use liblinux_abi::image::export::SONAME;
use liblinux_abi::image::layout::{
    BODIES, CANCEL, CANCELLABLE, FIXUPS, HOT, LIBRARY, PAGE_SIZE, PRIVATE, SGX, SLOTS, TEXT, TICK,
};
use liblinux_workspace::command::{cargo, output, run};
use liblinux_workspace::product;
use liblinux_workspace::{ARCHITECTURE, Line, Workspace, line};
use object::{Object as _, ObjectSegment as _};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

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

/// Builds both files of a kernel line's image and returns the path of the stripped one.
pub fn build(workspace: &Workspace, line: &Line) -> Result<PathBuf> {
    let library = compile(workspace, line, "image", &[])?;
    let (debug, image) = (workspace.debug_image(line), workspace.image(line));
    finish(workspace, line, &library, &debug, &image)?;
    Ok(image)
}

/// Builds an updated image, as a checkpoint meets it: other code behind the same offsets. It comes
/// from the same sources, with less optimization. Returns the path of the one with symbols, beside
/// which is the stripped one.
pub fn build_updated_image(workspace: &Workspace, line: &Line) -> Result<PathBuf> {
    let less = ["--config=profile.image.opt-level=2"];
    let library = compile(workspace, line, "updated-image", &less)?;
    let linked = workspace.updated_image(line);
    finish(workspace, line, &library, &linked, &linked.with_extension(""))?;
    Ok(linked)
}

/// Links a compiled image to the files `linked` and `stripped`, which share a folder.
fn finish(
    workspace: &Workspace,
    line: &Line,
    library: &Path,
    linked: &Path,
    stripped: &Path,
) -> Result<()> {
    liblinux_generate::require_fresh(workspace)?;
    let folder = linked.parent().context("the image has a folder")?;
    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let scratch =
        tempfile::tempdir_in(folder).context("cannot create a scratch folder for the link")?;
    let (new, new_stripped) =
        (scratch.path().join("vdso64.so.dbg"), scratch.path().join("vdso64.so"));
    link(workspace, line, library, &new)?;
    exception::sort(&new)?;
    strip(&new, &new_stripped)?;
    identity::stamp(&new, &new_stripped)?;
    product::install(&new, linked)?;
    product::install(&new_stripped, stripped)
}

/// Compiles the image's crate for a kernel line into `target/FOLDER/VERSION` and returns its
/// library, an archive of one object.
fn compile(workspace: &Workspace, line: &Line, folder: &str, more: &[&str]) -> Result<PathBuf> {
    let target = workspace.root().join("target").join(folder).join(line.version);
    let remap = format!("--remap-path-prefix={}=/liblinux", workspace.root().display());
    let chosen = line_flag(line);
    let flags: Vec<&str> = RUSTFLAGS.iter().copied().chain([remap.as_str(), &chosen]).collect();
    let mut cargo = cargo(workspace);
    cargo.args(["build", "--quiet", "--locked", "--package=liblinux-image", "--profile=image"]);
    cargo
        .args(more)
        .arg(format!("--target={}", ARCHITECTURE.triple))
        .arg("--target-dir")
        .arg(&target);
    cargo.env("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}"));
    run(&mut cargo).context("the image does not compile")?;
    Ok(target.join(ARCHITECTURE.triple).join("image/libliblinux_image.rlib"))
}

/// The compiler's flag by which `abi` and `image` are compiled for a kernel line.
pub fn line_flag(line: &Line) -> String {
    format!("--cfg=kernel_line=\"{}\"", line.version)
}

fn link(workspace: &Workspace, line: &Line, library: &Path, linked: &Path) -> Result<()> {
    let data = layout::of(line)?;
    let mut ld = Command::new("ld");
    ld.args([
        "-m",
        ARCHITECTURE.emulation,
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
        ("DATA_SIZE", data.size()),
    ] {
        ld.arg(format!("--defsym=LAYOUT_{name}={value:#x}"));
    }
    for (function, offset) in HOT {
        ld.arg(format!("--defsym=LAYOUT_HOT_{function}={offset:#x}"));
    }
    for (name, offset) in data.symbols {
        ld.arg(format!("--defsym=LAYOUT_DATA_{name}={offset:#x}"));
    }
    for (name, offset) in data.kernel_symbols {
        ld.arg(format!("--defsym={name}=data_start+{offset:#x}"));
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
