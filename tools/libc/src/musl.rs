//! The recipe of musl: Debian's source, a series of patches or none, and musl's own build.
//!
//! What is built is kept in the user's cache under a key of all that goes into it, and copied from
//! there to where programs are linked with it. A copy is all of a C library: headers, archives,
//! the shared object that is the dynamic loader, too, and a compiler that uses them.
//!
//! # Invariants
//!
//! 1. A build is in the cache whole or not at all: it is made beside its place and renamed.
//! 2. Nothing outside the cache and the target folder is read from or written to: the machine's own
//!    musl, if there is one, stays as it is.

use anyhow::{Context as _, Result, ensure};
use liblinux_boot::cache::{self, Cache};
use liblinux_boot::progress::Progress;
use liblinux_boot::source_package::SourcePackage;
use liblinux_boot::{job, unpack};
use liblinux_workspace::command::output;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The lines that a build prints, about.
const LINES: u64 = 2700;

/// The dynamic loader's name, which is that of musl on this architecture.
const LOADER: &str = "ld-musl-x86_64.so.1";

/// What a build has, below its folder.
const PARTS: [&str; 2] = ["include", "lib"];

/// How musl is configured. The prefix is written into nothing that is kept. Debugging adds nothing
/// to what a program loads: with its tables debuggers and profilers see the callers of musl.
const CONFIGURE: [&str; 5] =
    ["./configure", "--prefix=/usr", "--syslibdir=/usr/lib", "--disable-wrapper", "--enable-debug"];

/// A C library that programs can be linked with.
#[derive(Clone, Debug)]
pub struct Musl {
    /// The compiler.
    pub compiler: PathBuf,
    /// The dynamic loader, which runs a program that is linked with any musl.
    pub loader: PathBuf,
    /// The name of this build: another source, series or compiler has another.
    pub(crate) key: String,
}

/// What is built.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Recipe<'a> {
    /// The source.
    pub(crate) source: &'a SourcePackage,
    /// The patches, in order; none for the musl that it was.
    pub(crate) patches: &'a [PathBuf],
}

/// Builds musl, or finds it built, and puts it into `folder`.
pub(crate) fn install(recipe: Recipe<'_>, cache: &Cache, folder: &Path) -> Result<Musl> {
    let _lock = cache::lock(&cache.root().join("libc.lock"), "the cache of musl")?;
    let key = key(recipe)?;
    let built = cache.root().join(format!("libc-{}", &key[..16]));
    if !built.is_dir() {
        build(recipe, cache, &built)?;
    }
    let musl = Musl {
        compiler: folder.join("bin/liblinux-musl-gcc"),
        loader: folder.join("lib").join(LOADER),
        key: key[..16].to_owned(),
    };
    let stamp = folder.join("key");
    if fs::read_to_string(&stamp).is_ok_and(|found| found == key) && musl.compiler.is_file() {
        return Ok(musl);
    }
    cache::remove_tree(folder)?;
    fs::create_dir_all(folder.join("bin"))
        .with_context(|| format!("cannot create {}", folder.display()))?;
    for part in PARTS {
        output(Command::new("cp").arg("-a").arg(built.join(part)).arg(folder))?;
    }
    symlink("libc.so", &musl.loader)
        .with_context(|| format!("cannot create {}", musl.loader.display()))?;
    write_compiler(&built, folder, &musl)?;
    cache::write_whole(&stamp, &key)?;
    Ok(musl)
}

/// The name of a build: all that its bytes depend on.
fn key(recipe: Recipe<'_>) -> Result<String> {
    let description = fs::read(&recipe.source.description)
        .with_context(|| format!("cannot read {}", recipe.source.description.display()))?;
    let compiler = output(Command::new("gcc").arg("-v").arg("-E").arg("/dev/null"))
        .and(output(Command::new("gcc").arg("--version")))?;
    let mut parts = vec![
        ("source", description),
        ("compiler", compiler.into_bytes()),
        ("configure", CONFIGURE.join(" ").into_bytes()),
    ];
    for patch in recipe.patches {
        let text = fs::read(patch).with_context(|| format!("cannot read {}", patch.display()))?;
        parts.push(("patch", text));
    }
    Ok(cache::key(parts.iter().map(|(label, bytes)| (*label, &bytes[..]))))
}

/// Makes `built` of the source.
fn build(recipe: Recipe<'_>, cache: &Cache, built: &Path) -> Result<()> {
    let folder = tempfile::Builder::new().prefix("libc-new-").tempdir_in(cache.root());
    let folder =
        folder.with_context(|| format!("cannot create a folder in {}", cache.root().display()))?;
    let (tree, made) = (folder.path().join("musl"), folder.path().join("made"));
    recipe.source.unpack(&tree)?;
    for patch in recipe.patches {
        unpack::apply(patch, &tree, &format!("musl {}", recipe.source.version))?;
    }
    let (kind, jobs) = (
        if recipe.patches.is_empty() { "unchanged " } else { "" },
        std::thread::available_parallelism().map_or(1, usize::from),
    );
    let label = format!("building musl {} {kind}(kept)", recipe.source.version);
    let mut progress = Progress::new(label, Some(LINES));
    let jobs = format!("--jobs={jobs}");
    let destination = format!("DESTDIR={}", made.display());
    for words in [&CONFIGURE[..], &["make", &jobs], &["make", "--silent", "install", &destination]]
    {
        let mut command = job::supervised("KILL", words[0]);
        command.args(&words[1..]).current_dir(&tree).env("CC", "gcc").env_remove("CFLAGS");
        let log = folder.path().join("log");
        // A line is a compiler's command, whose last word is the file.
        let status = job::run_logged(&mut command, &log, |line| {
            progress.advance(line.and_then(|line| line.rsplit(' ').next()));
        })?;
        ensure!(
            status.success(),
            "musl {} does not build; the last lines of `{}` were\n{}",
            recipe.source.version,
            words[0],
            job::tail(&log, 8)
        );
    }
    progress.finish();
    let made = made.join("usr");
    // It is made anew where programs are linked.
    fs::remove_file(made.join("lib").join(LOADER)).context("musl's build makes no loader")?;
    let specs = "musl-gcc.specs.sh";
    fs::copy(tree.join("tools").join(specs), made.join(specs))
        .with_context(|| format!("musl has no tools/{specs}"))?;
    fs::rename(&made, built).with_context(|| format!("cannot create {}", built.display()))
}

/// Writes the compiler: gcc, with musl's own description of where its files are.
fn write_compiler(built: &Path, folder: &Path, musl: &Musl) -> Result<()> {
    let mut script = Command::new("sh");
    script.arg(built.join("musl-gcc.specs.sh"));
    script.args(PARTS.map(|part| folder.join(part))).arg(&musl.loader);
    let specs = folder.join("lib/musl-gcc.specs");
    cache::write_whole(&specs, &output(&mut script)?)?;
    let text =
        format!("#!/bin/sh\nexec \"${{REALGCC:-gcc}}\" \"$@\" -specs '{}'\n", specs.display());
    cache::write_whole(&musl.compiler, &text)?;
    fs::set_permissions(&musl.compiler, fs::Permissions::from_mode(0o755))
        .with_context(|| format!("cannot make {} a program", musl.compiler.display()))
}
