//! A run: cases booted, judged, compared and shown.

use crate::bootable::{self, Bootable};
use crate::case::{Case, Image};
use crate::contents::Contents;
use crate::control::Comparison;
use crate::options::Options;
use crate::outlook::{self, Outlook};
use crate::progress::Progress;
use crate::qemu::{self, Guest};
use crate::report::Summary;
use crate::tree::Kernel;
use crate::verdict::{self, Verdict};
use crate::{cache, cases, elf, ktap, log, packages, schedule, workshop};
use anyhow::{Context, Result, bail, ensure};
use liblinux_workspace::{Line, Workspace, line};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

/// Where the kernel looks for the next of several archives (`init/initramfs.c`).
const ARCHIVE_ALIGNMENT: usize = 4;

/// Boots every case in a kernel with the image, and prints the table.
pub fn boot(options: &Options) -> Result<Summary> {
    let started = Instant::now();
    let cases = cases::choose(cases::all(&options.root)?, &options.cases)?;
    let cases = cases::on(cases, options.line)?;
    let workspace = Workspace::at(&options.root);
    let (folder, programs) = (workspace.boots(options.line), workspace.boot());
    eprintln!("{}", Outlook::of_cases(options, &folder, &cases));
    packages::require(packages::BOOT)?;
    let build_id = bootable::build_id(&options.image, &options.image_debug)?;
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    let _lock = cache::lock(&folder.join("lock"), "target/boot")?;
    let (kernels, judged) = Bootable::build_all(options, &folder, &cases)?;
    let contents = Contents::build(options, &programs, &judged, &cases)?;

    eprintln!("console and verdict of each guest are in {}/CASE", folder.display());
    let progress = Mutex::new(Progress::exact("booting", cases.len()));
    let run = |case: &Case| {
        let started = Instant::now();
        let boot = Boot {
            case,
            line: options.line,
            folder: folder.join(&case.name),
            kernel: &kernels[&Bootable::key(case)],
        };
        let tick = || progress.lock().unwrap_or_else(PoisonError::into_inner).tick();
        let verdict = boot.run(&contents, &tick);
        let verdict = verdict.unwrap_or_else(|error| Verdict::failed(case, format!("{error:#}")));
        let seconds = started.elapsed().as_secs_f32();
        let word = if verdict.passed() { "done" } else { "FAILED" };
        let mut progress = progress.lock().unwrap_or_else(PoisonError::into_inner);
        progress.note(&format!("{}: {word} in {seconds:.1} s", case.name));
        progress.advance(Some(&case.name));
        verdict
    };
    let verdicts = schedule::in_parallel(&cases, run);
    progress.into_inner().unwrap_or_else(PoisonError::into_inner).finish();
    let comparisons = compare(&cases, &verdicts, &folder)?;
    let summary = Summary { verdicts, comparisons };

    println!("{summary}");
    let problems = summary.problems();
    problems.iter().for_each(|problem| eprintln!("{problem}"));
    let seconds = started.elapsed().as_secs_f32();
    if !summary.passed() {
        for case in summary.failed() {
            eprintln!("to repeat it alone: cargo xtask boot {}--case {case}", version(options));
        }
        bail!("{} problems in {} ({seconds:.1} s)", problems.len(), cases::count(cases.len()));
    }
    eprintln!("image {build_id}: {} passed in {seconds:.1} s", cases::count(cases.len()));
    Ok(summary)
}

/// Boots cases in a kernel that the caller has built, with its files in `folder`, where the source
/// may have changed since the last call; fails if any of them does.
pub fn boot_built(options: &Options, kernel: &Kernel, folder: &Path, cases: &[Case]) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
    cache::remove_tree(&workshop::selftests(folder))?;
    let contents = Contents::build(options, folder, kernel, cases)?;
    let bootable = Bootable {
        bz_image: kernel.bz_image.clone(),
        build_id: elf::build_id(&options.image_debug)?,
        c_build_id: elf::build_id(&kernel.c_image)?,
    };
    let mut verdicts = Vec::new();
    for case in cases {
        let folder = folder.join(&case.name);
        let boot = Boot { case, line: options.line, folder, kernel: &bootable };
        verdicts.push(boot.run(&contents, &|| {})?);
    }
    let summary = Summary { verdicts, comparisons: Vec::new() };
    ensure!(summary.passed(), "{}", summary.problems().join("\n"));
    Ok(())
}

/// The option that asks for the same kernel line again.
fn version(options: &Options) -> String {
    let is_default = options.line == line::DEFAULT;
    if is_default { String::new() } else { format!("--kernel {} ", options.line.version) }
}

/// Compares each case that has a control, and writes each comparison where the case's guest wrote
/// its verdict.
fn compare(cases: &[Case], verdicts: &[Verdict], folder: &Path) -> Result<Vec<Comparison>> {
    let mut comparisons = Vec::new();
    let pairs = cases.iter().zip(verdicts);
    for (control, verdict) in pairs.clone() {
        let Some(name) = &control.control_of else { continue };
        let (_, subject) =
            pairs.clone().find(|(case, _)| case.name == *name).context("no case to compare")?;
        let comparison = Comparison::of(subject, verdict);
        let file = folder.join(name).join("compared.ktap");
        fs::write(&file, comparison.ktap())
            .with_context(|| format!("cannot write {}", file.display()))?;
        comparisons.push(comparison);
    }
    Ok(comparisons)
}

/// One guest of a run.
struct Boot<'a> {
    case: &'a Case,
    line: &'static Line,
    /// Where its files go.
    folder: PathBuf,
    kernel: &'a Bootable,
}

impl Boot<'_> {
    /// Boots it; what it reported, judged. How long that took is written down for the next run.
    fn run(&self, contents: &Contents, tick: &dyn Fn()) -> Result<Verdict> {
        let Self { case, line, folder, kernel } = self;
        fs::create_dir_all(folder)
            .with_context(|| format!("cannot create {}", folder.display()))?;
        let guest = Guest {
            folder: folder.clone(),
            bz_image: kernel.bz_image.clone(),
            initramfs: self.initramfs(contents)?,
            command_line: format!("{} {}", case.image.word(line), case.command_line),
            cpus: case.cpus,
            counts_instructions: case.counts_instructions,
            lacks_smap: case.lacks_smap,
            memory_mib: case.memory_mib,
            streams: &[],
        };
        let started = Instant::now();
        let text = qemu::run_watched(&guest, case.limits(), &mut || {
            tick();
            Ok(())
        })?;
        cache::write_whole(&outlook::record(folder), &started.elapsed().as_secs_f32().to_string())?;
        let report = ktap::parse(&text).map_err(|error| {
            qemu::failure(folder, &format!("the guest's verdict cannot be believed: {error:#}"))
        })?;
        let build_id = match case.image {
            Image::Rust | Image::Update => &kernel.build_id,
            Image::C => &kernel.c_build_id,
        };
        let mut verdict = verdict::judge(case, &report, build_id);
        verdict.problems.extend(log::problems(&qemu::console(folder), &case.log_says));
        Ok(verdict)
    }

    /// The file system, and behind it what the guest that this one follows has left.
    fn initramfs(&self, contents: &Contents) -> Result<Vec<u8>> {
        let mut initramfs = contents.initramfs(self.case)?;
        if let Some(first) = &self.case.follows {
            // The kernel unpacks one archive after the other.
            let kept = self.folder.with_file_name(first).join(qemu::KEPT);
            initramfs.resize(initramfs.len().next_multiple_of(ARCHIVE_ALIGNMENT), 0);
            initramfs.extend(
                fs::read(&kept).with_context(|| format!("cannot read {}", kept.display()))?,
            );
        }
        Ok(initramfs)
    }
}
