//! The kernels of a run: one for each configuration and image that its cases ask for.
//!
//! # Invariants
//!
//! 1. A [`Bootable`] lies outside the cache, so that guests run without the cache's lock.

use crate::cache::{self, Cache};
use crate::case::{Case, Image};
use crate::options::Options;
use crate::recipe::Recipe;
use crate::tree::{self, Kernel, Stage, Tree};
use crate::{config, elf, source};
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
            let kernel = build(&cache, &options.root, options.line, &case.config, image)
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
    build(&cache, &options.root, options.line, config::SMALLEST, &options.image_debug)
}

/// The same with a configuration and an image, in a cache whose lock the caller holds.
pub(crate) fn build(
    cache: &Cache,
    root: &Path,
    line: &'static Line,
    configuration: &str,
    image: &Path,
) -> Result<Kernel> {
    let tarball = source::find(line, cache)?;
    let mut tree = Tree::new(cache, line, recipe(root, line, configuration, tarball)?)?;
    let stage = tree::stage(tree.folder(), image);
    let started = Instant::now();
    let kernel = tree.build(image)?;
    if stage != Stage::Built {
        let seconds = started.elapsed().as_secs().to_string();
        cache::write_whole(&record(cache, configuration, stage), &seconds)?;
    }
    Ok(kernel)
}

fn recipe(
    root: &Path,
    line: &Line,
    configuration: &str,
    tarball: source::Tarball,
) -> Result<Recipe> {
    let workspace = Workspace::at(root);
    let fragment = config::fragment(&workspace.kernel_config(line), configuration)?;
    Ok(Recipe { tarball, fragment, patches: source::series(&workspace.series(line))? })
}

/// How far the kernel of a configuration is from being built with `image`, and how long that took
/// the last time here. Changes nothing. A kernel about which nothing can be learnt is still to be
/// built.
pub(crate) fn outlook(
    root: &Path,
    line: &Line,
    configuration: &str,
    image: &Path,
) -> (Stage, Option<Duration>) {
    let Ok(cache) = Cache::open() else { return (Stage::New, None) };
    let folder = || {
        let recipe = recipe(root, line, configuration, source::known(line, &cache)?).ok()?;
        recipe.folder(&cache).ok()
    };
    let stage = folder().map_or(Stage::New, |folder| tree::stage(&folder, image));
    let seconds = fs::read_to_string(record(&cache, configuration, stage)).ok();
    (stage, seconds.and_then(|text| text.trim().parse().ok()).map(Duration::from_secs))
}

/// The file that says how many seconds a build took.
fn record(cache: &Cache, configuration: &str, stage: Stage) -> PathBuf {
    let what = if stage == Stage::New { "build" } else { "link" };
    cache.root().join(format!("{what}-{configuration}.seconds"))
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
