//! The kernels of a run: one for each configuration and image that its cases ask for.
//!
//! # Invariants
//!
//! 1. A [`Bootable`] lies outside the cache, so that guests run without the cache's lock.

use crate::cache::{self, Cache};
use crate::case::{Case, Image};
use crate::options::Options;
use crate::recipe::Recipe;
use crate::source::{self, Source};
use crate::tree::{self, Kernel, Stage, Tree};
use crate::{config, elf, unpack};
use anyhow::{Context, Result, ensure};
use liblinux_workspace::{ARCHITECTURE, Line, Workspace};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// A kernel, ready to boot.
pub(crate) struct Bootable {
    pub(crate) bz_image: PathBuf,
    /// The build-id of the project's image in it.
    pub(crate) build_id: String,
    /// The build-id of the kernel's own image.
    pub(crate) c_build_id: String,
}

impl Bootable {
    /// The name of a case's kernel: its configuration, and the image unless it is the usual one.
    pub(crate) fn key(case: &Case) -> String {
        let update = if case.image == Image::Update { "-update" } else { "" };
        format!("{}{update}", case.config)
    }

    /// The file with the image that a case's kernel takes in.
    pub(crate) fn image<'a>(case: &Case, options: &'a Options) -> &'a Path {
        match case.image {
            Image::Rust | Image::C => &options.image_debug,
            Image::Update => &options.updated_image,
        }
    }

    /// Builds the kernels of `cases` and copies them into `folder`; by their keys, and the one
    /// whose source has the selftests.
    pub(crate) fn build_all(
        options: &Options,
        folder: &Path,
        cases: &[Case],
    ) -> Result<(BTreeMap<String, Self>, Kernel)> {
        let cache = Cache::open()?;
        let _lock = cache.lock()?;
        let mut kernels = BTreeMap::new();
        let mut judged = None;
        for case in cases {
            let key = Self::key(case);
            if kernels.contains_key(&key) {
                continue;
            }
            let image = Self::image(case, options);
            let kernel = build(&cache, &options.origin(), &case.config, image)
                .with_context(|| format!("case `{}` has no kernel", case.name))?;
            let bz_image = folder.join(format!("{}-{key}", ARCHITECTURE.kernel_image));
            fs::copy(&kernel.bz_image, &bz_image)
                .with_context(|| format!("cannot write {}", bz_image.display()))?;
            let (build_id, c_build_id) = (elf::build_id(image)?, elf::build_id(&kernel.c_image)?);
            kernels.insert(key, Self { bz_image, build_id, c_build_id });
            // All configurations have the same source; the selftests run on the smallest.
            if judged.is_none() || case.config == config::SMALLEST {
                judged = Some(kernel);
            }
        }
        Ok((kernels, judged.context("no case was chosen, so there is nothing to boot")?))
    }
}

/// Builds the smallest kernel with the image in it, or finds that it is built.
pub fn kernel(options: &Options) -> Result<Kernel> {
    let cache = Cache::open()?;
    let _lock = cache.lock()?;
    build(&cache, &options.origin(), config::SMALLEST, &options.image_debug)
}

/// What a kernel is made of, beside its configuration and image.
pub(crate) struct Origin<'a> {
    /// The workspace.
    pub(crate) root: &'a Path,
    /// The kernel line.
    pub(crate) line: &'static Line,
    /// The kernel's source, if it is not to be that of Debian's package.
    pub(crate) source: Option<&'a Path>,
}

/// Finds or fetches the source of a kernel line.
pub fn require_source(line: &'static Line, named: Option<&Path>) -> Result<()> {
    let cache = Cache::open()?;
    let _lock = cache.lock()?;
    source::find(line, named, &cache).map(drop)
}

/// Builds the kernel of a configuration with `image` in it, or finds that it is built, in a cache
/// whose lock the caller holds.
pub(crate) fn build(
    cache: &Cache,
    origin: &Origin<'_>,
    configuration: &str,
    image: &Path,
) -> Result<Kernel> {
    let source = source::find(origin.line, origin.source, cache)?;
    let mut tree = Tree::new(cache, origin.line, recipe(origin, configuration, source)?)?;
    let stage = tree::stage(tree.folder(), image);
    let started = Instant::now();
    let kernel = tree.build(image)?;
    if stage != Stage::Built {
        let seconds = started.elapsed().as_secs().to_string();
        cache::write_whole(&record(cache, origin.line, configuration, stage), &seconds)?;
    }
    Ok(kernel)
}

fn recipe(origin: &Origin<'_>, configuration: &str, source: Source) -> Result<Recipe> {
    let workspace = Workspace::at(origin.root);
    let fragment = config::fragment(&workspace.kernel_config(origin.line), configuration)?;
    let mut patches = unpack::series(&workspace.series(origin.line))?;
    if config::builds_image(&fragment) {
        patches.extend(unpack::series(&workspace.in_tree(origin.line))?);
    }
    Ok(Recipe { source, fragment, patches })
}

/// How far the kernel of a configuration is from being built with `image`, and how long that took
/// the last time here. Changes nothing. A kernel about which nothing can be learnt is still to be
/// built.
pub(crate) fn outlook(
    origin: &Origin<'_>,
    configuration: &str,
    image: &Path,
) -> (Stage, Option<Duration>) {
    let Ok(cache) = Cache::open() else { return (Stage::New, None) };
    let folder = || {
        let known = source::known(origin.line, origin.source, &cache)?;
        recipe(origin, configuration, known).ok()?.folder(&cache).ok()
    };
    let stage = folder().map_or(Stage::New, |folder| tree::stage(&folder, image));
    let seconds = fs::read_to_string(record(&cache, origin.line, configuration, stage)).ok();
    (stage, seconds.and_then(|text| text.trim().parse().ok()).map(Duration::from_secs))
}

/// The file that says how many seconds a build took.
fn record(cache: &Cache, line: &Line, configuration: &str, stage: Stage) -> PathBuf {
    let what = if stage == Stage::New { "build" } else { "link" };
    cache.root().join(format!("{what}-{}-{configuration}.seconds", line.version))
}

/// The build-id of an image of which there are these two files.
pub(crate) fn build_id(image: &Path, image_debug: &Path) -> Result<String> {
    let build_id = elf::build_id(image_debug)
        .context("there is no image to boot; `cargo xtask image` makes it")?;
    ensure!(
        build_id == elf::build_id(image)?,
        "{} and {} are from different builds; run `cargo xtask image`",
        image.display(),
        image_debug.display()
    );
    Ok(build_id)
}
