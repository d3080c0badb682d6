//! From an image to a verdict: a patched kernel, a guest, and what its programs saw.
//!
//! An image is judged by the programs that will use it, on the kernel that will map it. [`boot`] makes both come about
//! from nothing but a C compiler and the Rust toolchain: it installs Debian's packages ([`packages`]), unpacks and
//! patches the kernel ([`source`]), builds it once and keeps it ([`mod@kernel`], [`cache`]), builds the guest's programs
//! ([`programs`], [`workshop`]) into a file system ([`initramfs`]), runs QEMU ([`qemu`]) for each case ([`case`],
//! [`cases`]), reads the KTAP that comes back ([`ktap`]) and holds it against what the case demands ([`verdict`],
//! [`report`]). The kernel's own selftests ([`selftests`]) are held against a second guest with the kernel's image
//! ([`control`]). A guest may also be there for one program of the user's ([`session`]).
//!
//! # Invariants
//!
//! 1. Every step that a run was stopped in, by whatever, is noticed and done again by the next run.
//! 2. `Ok` from [`boot`] means that each program of each case reported, saw the image it had to see, and passed or did
//!    the same as in the case's control.

pub mod apt;
pub mod archives;
pub mod cache;
pub mod case;
pub mod cases;
pub mod config;
pub mod control;
pub mod declared;
pub mod elf;
pub mod initramfs;
pub mod job;
pub mod kernel;
pub mod ktap;
pub mod library;
pub mod log;
pub mod luggage;
pub mod packages;
pub mod programs;
pub mod progress;
pub mod qemu;
pub mod report;
pub mod schedule;
pub mod selftests;
pub mod session;
pub mod source;
pub mod stream;
pub mod subject;
pub mod verdict;
pub mod workshop;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};

use crate::cache::Cache;
use crate::case::{Case, Image};
use crate::control::Comparison;
use crate::initramfs::Initramfs;
use crate::kernel::{Kernel, Recipe, Tree};
use crate::programs::Program;
use crate::qemu::Guest;
pub use crate::report::Summary;
use crate::verdict::Verdict;
use crate::workshop::Workshop;
use liblinux_workspace::{Line, Workspace};

/// Where the kernel looks for the next of several archives (`init/initramfs.c`).
const ARCHIVE_ALIGNMENT: usize = 4;

/// What to boot.
#[derive(Clone, Debug)]
pub struct Options {
    /// The workspace.
    pub root: PathBuf,
    /// The image as it is mapped: `vdso64.so`.
    pub image: PathBuf,
    /// The image with its symbols, which the kernel build takes in: `vdso64.so.dbg`.
    pub image_debug: PathBuf,
    /// An update of it, with symbols.
    pub updated_image: PathBuf,
    /// The kernel line.
    pub line: &'static Line,
    /// Names of cases; the default ones if there are none.
    pub cases: Vec<String>,
}

/// Boots every case in a kernel with the image, and prints the table.
pub fn boot(options: &Options) -> Result<Summary> {
    let started = Instant::now();
    let cases = cases::choose(cases::all(&options.root)?, &options.cases)?;
    packages::require(packages::BOOT)?;
    let build_id = image_of(&options.image, &options.image_debug)?;
    let folder = Workspace::at(&options.root).boot();
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let _lock = cache::lock(&folder.join("lock"), "target/boot")?;
    let Built { files, kernels } = Built::build(options, &folder, &cases)?;

    let names: Vec<&str> = cases.iter().map(|case| case.name.as_str()).collect();
    eprintln!("booting {} (console and verdict in {}/CASE)", names.join(", "), folder.display());
    let run = |case: &Case| {
        let kernel = &kernels[&Bootable::key(case)];
        let build_id = match case.image {
            Image::Rust | Image::Update => &kernel.build_id,
            Image::C => &kernel.c_build_id,
        };
        let verdict = run_case(case, &files, &kernel.bz_image, &folder.join(&case.name), build_id);
        verdict.unwrap_or_else(|error| Verdict::failed(case, format!("{error:#}")))
    };
    let verdicts = schedule::in_parallel(&cases, run);
    let comparisons = compare(&cases, &verdicts, &folder)?;
    let summary = Summary { verdicts, comparisons };

    println!("{summary}");
    let problems = summary.problems();
    problems.iter().for_each(|problem| eprintln!("{problem}"));
    let seconds = started.elapsed().as_secs_f32();
    if !summary.passed() {
        bail!("{} problems in {} cases ({seconds:.1} s)", problems.len(), cases.len());
    }
    eprintln!("image {build_id}: {} cases passed in {seconds:.1} s", cases.len());
    Ok(summary)
}

/// Builds the smallest kernel with the image in it, or finds that it is built.
pub fn kernel(options: &Options) -> Result<Kernel> {
    let cache = Cache::open()?;
    let _lock = cache.lock()?;
    kernel_in(&cache, &options.root, options.line, config::SMALLEST, &options.image_debug)
}

/// The same with a configuration and an image, in a cache whose lock the caller holds.
fn kernel_in(cache: &Cache, root: &Path, line: &Line, configuration: &str, image: &Path) -> Result<Kernel> {
    let workspace = Workspace::at(root);
    let fragment = config::fragment(&workspace.kernel_config(line), configuration)?;
    let patches = source::series(&workspace.series(line))?;
    let tarball = source::find(line, cache)?;
    Tree::new(cache, Recipe { tarball, fragment, patches })?.build(image)
}

/// The build-id of an image of which there are these two files.
fn image_of(image: &Path, image_debug: &Path) -> Result<String> {
    let build_id =
        elf::build_id(image_debug).context("there is no image to boot; `cargo xtask image` makes it")?;
    ensure!(
        build_id == elf::build_id(image)?,
        "{} and {} are from different builds; run `cargo xtask image`",
        image.display(),
        image_debug.display()
    );
    Ok(build_id)
}

/// The cases of the workspace at `root`, in the order of their names.
pub fn list_cases(root: &Path) -> Result<Vec<Case>> {
    cases::all(root)
}

/// What the guests are made of, outside the cache, so that they run without its lock.
struct Built {
    files: Files,
    /// By [`Bootable::key`].
    kernels: BTreeMap<String, Bootable>,
}

/// A kernel, ready to boot.
struct Bootable {
    bz_image: PathBuf,
    /// The build-id of our image in it.
    build_id: String,
    /// The build-id of the kernel's own image.
    c_build_id: String,
}

impl Built {
    fn build(options: &Options, folder: &Path, cases: &[Case]) -> Result<Self> {
        let cache = Cache::open()?;
        let _lock = cache.lock()?;
        let mut kernels = BTreeMap::new();
        let mut judged = None;
        for case in cases {
            let key = Bootable::key(case);
            if kernels.contains_key(&key) {
                continue;
            }
            let image = match case.image {
                Image::Rust | Image::C => &options.image_debug,
                Image::Update => &options.updated_image,
            };
            let kernel = kernel_in(&cache, &options.root, options.line, &case.config, image)
                .with_context(|| format!("case `{}` has no kernel", case.name))?;
            let bz_image = folder.join(format!("bzImage-{key}"));
            fs::copy(&kernel.bz_image, &bz_image)
                .with_context(|| format!("cannot write {}", bz_image.display()))?;
            let (build_id, c_build_id) = (elf::build_id(image)?, elf::build_id(&kernel.c_image)?);
            kernels.insert(key, Bootable { bz_image, build_id, c_build_id });
            // All configurations have the same source; the selftests run on the smallest.
            if judged.is_none() || case.config == config::SMALLEST {
                judged = Some(kernel);
            }
        }
        let files = Files::build(options, folder, &judged.context("there is no case to boot")?, cases)?;
        Ok(Self { files, kernels })
    }
}

impl Bootable {
    /// What a case's kernel differs in from other cases'.
    fn key(case: &Case) -> String {
        let update = if case.image == Image::Update { "-update" } else { "" };
        format!("{}{update}", case.config)
    }
}

/// Everything that goes into a guest, on the host.
struct Files {
    init: PathBuf,
    programs: Vec<(Program, PathBuf)>,
}

impl Files {
    fn build(options: &Options, folder: &Path, kernel: &Kernel, cases: &[Case]) -> Result<Self> {
        let mut wanted: Vec<Program> = Vec::new();
        for name in cases.iter().flat_map(Case::files) {
            if !wanted.iter().any(|known| known.name == name) {
                wanted.push(programs::find(name)?);
            }
        }
        let _lock = workshop::lock(folder)?;
        let workshop = Workshop {
            root: &options.root,
            folder: folder.join("programs"),
            kernel: &kernel.source,
            image: &options.image,
            image_debug: &options.image_debug,
            c_image_debug: &kernel.c_image,
        };
        let files = workshop.build(&wanted)?;
        Ok(Self { init: workshop.init()?, programs: wanted.into_iter().zip(files).collect() })
    }

    fn initramfs(&self, case: &Case) -> Result<Vec<u8>> {
        let mut archive = Initramfs::new();
        archive.program("/init", &self.init)?;
        for (program, file) in &self.programs {
            if case.files().any(|name| name == program.name) {
                program.add_to(&mut archive, file)?;
            }
        }
        archive.text(
            liblinux_protocol::case::FILE,
            &case.guest_file(|name| Ok(programs::find(name)?.guest_path()))?,
        );
        archive.archive()
    }
}

/// Compares each case that has a control, and writes each comparison where the case's guest wrote its verdict.
fn compare(cases: &[Case], verdicts: &[Verdict], folder: &Path) -> Result<Vec<Comparison>> {
    let mut comparisons = Vec::new();
    let pairs = cases.iter().zip(verdicts);
    for (control, verdict) in pairs.clone() {
        let Some(name) = &control.control_of else { continue };
        let (_, subject) =
            pairs.clone().find(|(case, _)| case.name == *name).context("no case to compare")?;
        let comparison = Comparison::of(subject, verdict);
        let file = folder.join(name).join("compared.ktap");
        fs::write(&file, comparison.ktap()).with_context(|| format!("cannot write {}", file.display()))?;
        comparisons.push(comparison);
    }
    Ok(comparisons)
}

fn run_case(case: &Case, files: &Files, bz_image: &Path, folder: &Path, build_id: &str) -> Result<Verdict> {
    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let mut initramfs = files.initramfs(case)?;
    if let Some(first) = &case.follows {
        // The kernel unpacks one archive after the other.
        let kept = folder.with_file_name(first).join(qemu::KEPT);
        initramfs.resize(initramfs.len().next_multiple_of(ARCHIVE_ALIGNMENT), 0);
        initramfs.extend(fs::read(&kept).with_context(|| format!("cannot read {}", kept.display()))?);
    }
    let guest = Guest {
        folder: folder.to_owned(),
        bz_image: bz_image.to_owned(),
        initramfs,
        command_line: case.command_line.clone(),
        cpus: case.cpus,
        counts_instructions: case.counts_instructions,
        memory_mib: case.memory_mib,
        streams: &[],
    };
    let text = qemu::run(&guest, case.limits())?;
    let report = ktap::parse(&text).map_err(|error| {
        qemu::failure(folder, &format!("the guest's verdict cannot be believed: {error:#}"))
    })?;
    let mut verdict = verdict::judge(case, &report, build_id);
    verdict.problems.extend(log::problems(&qemu::console(folder), &case.log_says));
    Ok(verdict)
}
