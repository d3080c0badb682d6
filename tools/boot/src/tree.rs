//! The kernel: configured, built once, and relinked round each new image.
//!
//! Everything but the image goes into the tree's name, so a tree is never reconfigured: it is
//! built, or on the way there, or damaged. Each stage leaves its mark only when it is complete, and
//! a run starts at the first mark that is missing or does not hold. Damaged objects and a faulty
//! image look the same. So a build that fails in a tree from an earlier run, and is asked for again
//! with the same image, gets a new tree, unless the kernel's own checks refused the image.
//!
//! Deliberately missing: a way to keep an older kernel's build beyond the trees that the cache
//! keeps.
//!
//! # Invariants
//!
//! 1. A kernel that [`Tree::build`] returns was made by a make that succeeded with the image given,
//!    and has not changed since: its hash is in the mark beside the image's.
//! 2. Every line that the fragment asks for holds in `.config`; kconfig would drop one silently.
//! 3. The caller holds the cache's lock.

use crate::cache::{self, Cache, hash_file, write_whole};
use crate::progress::Progress;
use crate::recipe::Recipe;
use crate::{config, job, unpack};
use anyhow::{Context, Result, bail, ensure};
use liblinux_mkimage::embed::embed;
use liblinux_workspace::command::rustc;
use liblinux_workspace::{ARCHITECTURE, Line};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::available_parallelism;

const SHOWN_LINES: usize = 30;

/// How far a kernel is from being built with an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// No kernel was built from its recipe yet.
    New,
    /// It was built with another image, which is to be replaced.
    Linked,
    /// It is there.
    Built,
}

/// The folder in which one recipe is built.
pub struct Tree {
    line: &'static Line,
    folder: PathBuf,
    recipe: Recipe,
    /// Unpacked in this run: not damaged by an earlier one.
    fresh: bool,
}

/// A built kernel.
pub struct Kernel {
    /// The file that QEMU loads.
    pub bz_image: PathBuf,
    /// The kernel's own 64-bit image, with its symbols.
    pub c_image: PathBuf,
    /// The patched source.
    pub source: PathBuf,
    /// Its headers for user space.
    pub headers: PathBuf,
    /// Where it was configured and built.
    pub build: PathBuf,
}

impl Kernel {
    /// The kernel of a line that is built from `source` in the folder `build`.
    pub fn of(line: &Line, source: PathBuf, build: PathBuf) -> Self {
        Self {
            bz_image: build.join(boot()).join(ARCHITECTURE.kernel_image),
            c_image: build.join(line.c_image_folder).join("vdso64.so.dbg"),
            source,
            headers: build.join("usr/include"),
            build,
        }
    }
}

impl Tree {
    /// The tree of `recipe`, a kernel of `line`, in the cache; nothing is built yet.
    pub fn new(cache: &Cache, line: &'static Line, recipe: Recipe) -> Result<Self> {
        let folder = recipe.folder(cache)?;
        fs::create_dir_all(&folder)
            .with_context(|| format!("cannot create {}", folder.display()))?;
        cache.prune(&folder)?;
        Ok(Self { line, folder, recipe, fresh: false })
    }

    /// The folder itself.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Builds the kernel with `image` (the unstripped one) in it, or finds that it is built.
    pub fn build(&mut self, image: &Path) -> Result<Kernel> {
        let image_hash =
            hash_file(image).context("the image is not built; `cargo xtask image` makes it")?;
        let failed = fs::read_to_string(self.mark("failed")).unwrap_or_default();
        if failed.trim() == image_hash {
            eprintln!(
                "the last build with this image failed in an old tree: starting from a fresh one"
            );
            self.remove()?;
        }
        self.unpack()?;
        self.configure()?;
        let place = self.image_place()?;
        let kernel = Kernel::of(self.line, self.folder.join("source"), self.folder.join("build"));
        let mark = self.mark("built");
        let recorded = fs::read_to_string(&mark).unwrap_or_default();
        if !recorded.is_empty() {
            let recorded: Vec<&str> = recorded.split_whitespace().collect();
            let sound = hash_file(&kernel.bz_image)
                .is_ok_and(|hash| recorded.get(1) == Some(&hash.as_str()))
                && kernel.c_image.is_file();
            if sound && recorded[0] == image_hash {
                return Ok(kernel);
            }
            if !sound {
                eprintln!(
                    "the cached kernel {} is missing or damaged: building it again",
                    kernel.bz_image.display()
                );
                // Make compares times, so files that may be damaged have to go.
                for name in [boot(), "vmlinux".into(), "vmlinux.o".into(), vdso()] {
                    let path = self.folder.join("build").join(name);
                    if path.is_dir() { cache::remove_tree(&path)? } else { remove_file(&path)? }
                }
            }
        }
        remove_file(&mark)?;
        if let Some(place) = place {
            embed(image, &place, self.line, self.hz()?)?;
        }
        self.make(&image_hash)?;
        ensure!(
            fs::metadata(&kernel.bz_image).is_ok_and(|data| data.len() > 0),
            "make succeeded without making {}; see {}",
            kernel.bz_image.display(),
            self.folder.join("build.log").display()
        );
        write_whole(&mark, &format!("{image_hash} {}\n", hash_file(&kernel.bz_image)?))?;
        Ok(kernel)
    }

    /// The configured `CONFIG_HZ`.
    fn hz(&self) -> Result<u32> {
        let path = self.folder.join("build/.config");
        let config =
            fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        config::number(&config, "CONFIG_HZ")
            .with_context(|| format!("{} has no CONFIG_HZ", path.display()))
    }

    fn unpack(&mut self) -> Result<()> {
        let source = self.folder.join("source");
        if source.join("Makefile").is_file() && source.join(vdso()).join("Makefile").is_file() {
            return Ok(());
        }
        if source.exists() || self.mark("configured").exists() {
            eprintln!(
                "the cached kernel source {} is not whole: starting from a fresh one",
                source.display()
            );
        }
        self.remove()?;
        unpack::unpack(&self.recipe.source, self.line, &self.recipe.patches, &self.folder)?;
        self.fresh = true;
        Ok(())
    }

    fn configure(&self) -> Result<()> {
        let path = self.folder.join("build/.config");
        let mark = self.mark("configured");
        let recorded = fs::read_to_string(&mark).unwrap_or_default();
        if !recorded.is_empty() {
            if hash_file(&path).is_ok_and(|hash| hash == recorded.trim()) {
                return Ok(());
            }
            eprintln!("the cached kernel's .config is missing or damaged: configuring again");
            remove_file(&mark)?;
        }
        let build = self.folder.join("build");
        fs::create_dir_all(&build).with_context(|| format!("cannot create {}", build.display()))?;
        let asked = config::with_image(&self.recipe.fragment, self.line);
        let fragment = self.folder.join("asked.config");
        write_whole(&fragment, &asked)?;
        let log = self.folder.join("configure.log");
        let mut make = self.make_command();
        make.arg("allnoconfig").env("KCONFIG_ALLCONFIG", &fragment);
        let status = job::run_logged(&mut make, &log, |_| {})?;
        ensure!(
            status.success(),
            "kconfig failed ({}):\n{}",
            log.display(),
            job::tail(&log, SHOWN_LINES)
        );
        let text =
            fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let dropped = config::dropped(&asked, &text);
        ensure!(
            dropped.is_empty(),
            "kconfig dropped these lines of qemu/config, whose dependencies are not met:\n    {}",
            dropped.join("\n    ")
        );
        write_whole(&mark, &hash_file(&path)?)
    }

    fn make(&self, image_hash: &str) -> Result<()> {
        let log = self.folder.join("build.log");
        let objects = self.mark("objects");
        let first = !objects.exists();
        let expected = fs::read_to_string(&objects).ok().and_then(|text| text.trim().parse().ok());
        let label = if first { "building the kernel" } else { "relinking the kernel" };
        let mut progress =
            Progress::new(label, expected.or(first.then_some(self.line.build_lines)));
        let mut make = self.make_command();
        // The selftests are compiled with this kernel's headers for user space.
        make.args([ARCHITECTURE.kernel_image, "headers"]);
        let status = job::run_logged(&mut make, &log, |line| {
            progress.advance(line.and_then(|line| line.split_whitespace().last()));
        })?;
        if status.success() {
            remove_file(&self.mark("failed"))?;
            write_whole(&objects, &progress.count().to_string())?;
            progress.finish();
            return Ok(());
        }
        drop(progress);
        let text = fs::read_to_string(&log).unwrap_or_default();
        let refused = text
            .lines()
            .any(|line| line.starts_with("make") && line.contains(self.line.image_target));
        if !self.fresh && !refused {
            write_whole(&self.mark("failed"), image_hash)?;
        }
        bail!(
            "{}; the last lines of {} are\n{}",
            if refused {
                "the kernel's own checks refuse the image"
            } else {
                "the kernel build failed"
            },
            log.display(),
            job::tail(&log, SHOWN_LINES)
        )
    }

    /// A make that ends with this process, and whose result depends on the tree alone.
    fn make_command(&self) -> Command {
        let mut make = job::supervised("TERM", "make");
        let cores = available_parallelism().map_or(1, usize::from);
        make.arg(format!("-j{cores}")).arg("-C").arg(self.folder.join("source"));
        make.arg(format!("O={}", self.folder.join("build").display())).arg("ARCH=x86_64");
        for name in ["MAKEFLAGS", "MAKELEVEL", "CROSS_COMPILE", "CC", "LD", "KCFLAGS", "LLVM"] {
            make.env_remove(name);
        }
        if config::builds_image(&self.recipe.fragment) {
            make.arg(format!("RUSTC={}", rustc().display()));
        }
        make.env("LC_ALL", "C").env("LOCALVERSION", "").env("KBUILD_BUILD_VERSION", "1");
        make.env("KBUILD_BUILD_USER", "liblinux").env("KBUILD_BUILD_HOST", "liblinux");
        make.env("KBUILD_BUILD_TIMESTAMP", "Thu Jan  1 00:00:00 UTC 1970");
        make
    }

    /// Where the build reads the image; none if it makes its own.
    fn image_place(&self) -> Result<Option<PathBuf>> {
        if config::builds_image(&self.recipe.fragment) {
            return Ok(None);
        }
        let path = self.folder.join("build/.config");
        let text =
            fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let image = config::image(&text, self.line).with_context(|| {
            format!("{} names no vDSO image: does the series apply?", path.display())
        })?;
        Ok(Some(self.folder.join("build").join(image)))
    }

    fn mark(&self, stage: &str) -> PathBuf {
        self.folder.join(stage)
    }

    /// Removes all stages.
    fn remove(&self) -> Result<()> {
        for stage in ["built", "configured", "failed", "objects"] {
            remove_file(&self.mark(stage))?;
        }
        cache::remove_tree(&self.folder.join("build"))?;
        cache::remove_tree(&self.folder.join("source"))
    }
}

/// How far the kernel in a tree's folder is from being built with `image`, by its marks alone.
pub fn stage(folder: &Path, image: &Path) -> Stage {
    let mark = |name: &str| fs::read_to_string(folder.join(name)).unwrap_or_default();
    let Ok(image_hash) = hash_file(image) else { return Stage::New };
    if mark("built").split_whitespace().next() == Some(&image_hash) {
        Stage::Built
    } else if mark("objects").is_empty() || mark("failed").trim() == image_hash {
        Stage::New
    } else {
        Stage::Linked
    }
}

/// The folder of the kernel that boots, in a source tree and in a build.
fn boot() -> PathBuf {
    Path::new(ARCHITECTURE.kernel_folder).join("boot")
}

/// The folder of the vDSO.
fn vdso() -> PathBuf {
    Path::new(ARCHITECTURE.kernel_folder).join("entry/vdso")
}

fn remove_file(path: &Path) -> Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot remove {}", path.display()))
        }
        _ => Ok(()),
    }
}
