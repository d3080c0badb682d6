//! `cargo xtask boot`: from the sources to a verdict, or to the end of a program of the user.

use crate::Wanted;
use anyhow::{Context as _, Result, bail};
use liblinux_boot::session::{Machine, Request, Session};
use liblinux_boot::subject::{self, Refusal};
use liblinux_boot::{Kernel, LibcNeed, Options, Summary, Unobtainable, packages};
use liblinux_mkimage::{build, checked, stub};
use liblinux_workspace::{Line, Workspace, line};
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::ExitCode;

/// A kernel line, and its source if that is not to be Debian's package.
#[derive(Clone, Copy)]
pub(crate) struct Choice<'a> {
    pub(crate) line: &'static Line,
    pub(crate) source: Option<&'a Path>,
}

impl<'a> Choice<'a> {
    /// The line, with the source of Debian's package.
    pub(crate) fn packaged(line: &'static Line) -> Self {
        Self { line, source: None }
    }

    /// The choice of a user. Who asks for no line gets the first one whose source can be had:
    /// archives drop old versions.
    pub(crate) fn of(wanted: &'a Wanted) -> Result<Self> {
        let source = wanted.source.as_deref();
        if wanted.kernel.is_some() || source.is_some() {
            return Ok(Self { line: wanted.kernel.unwrap_or(line::DEFAULT), source });
        }
        Self::first()
    }

    /// The first line whose source can be had.
    pub(crate) fn first() -> Result<Self> {
        let first = Self::packaged(line::DEFAULT);
        let Some(why) = first.obstacle()? else { return Ok(first) };
        for line in &line::LINES[1..] {
            let other = Self::packaged(line);
            if other.obstacle()?.is_none() {
                eprintln!("{why}\ntaking Linux {} instead", line.version);
                return Ok(other);
            }
        }
        bail!("{why}")
    }

    /// Why the source cannot be had here, if so.
    pub(crate) fn obstacle(self) -> Result<Option<Unobtainable>> {
        match liblinux_boot::require_source(self.line, self.source) {
            Ok(()) => Ok(None),
            Err(error) => error.downcast().map(Some),
        }
    }
}

/// Boots cases, the default ones if none is named.
pub(crate) fn cases(workspace: &Workspace, wanted: &Wanted, names: &[String]) -> Result<Summary> {
    chosen_cases(workspace, Choice::of(wanted)?, names)
}

/// The same on a kernel line that was chosen.
pub(crate) fn chosen_cases(
    workspace: &Workspace,
    choice: Choice<'_>,
    names: &[String],
) -> Result<Summary> {
    let mut need = LibcNeed::Nothing;
    for case in liblinux_boot::list_cases(workspace.root())? {
        if names.contains(&case.name) {
            need = need.max(liblinux_boot::libc_need(&case)?);
        }
    }
    if need != LibcNeed::Nothing {
        packages::require(packages::BOOT)?;
    }
    match need {
        LibcNeed::Nothing => {}
        LibcNeed::Library => drop(liblinux_libc::build(workspace, None)?),
        LibcNeed::Both => {
            liblinux_libc::build(workspace, None)?;
            liblinux_libc::build_stock(workspace, None)?;
        }
        LibcNeed::Programs => liblinux_libc::build_programs(workspace)?,
    }
    let options = options(workspace, choice, names)?;
    let summary = liblinux_boot::boot(&options)?;
    link(workspace, choice.line, &liblinux_boot::kernel(&options)?)?;
    Ok(summary)
}

/// Runs a program of the user's in a guest; the exit status. Nothing but its output is written to
/// standard output.
pub(crate) fn program(workspace: &Workspace, wanted: Wanted, request: Request) -> ExitCode {
    match session(workspace, &wanted, request) {
        Ok(status) => status.into(),
        Err(error) => {
            eprintln!("error: {error:#}");
            error.downcast_ref::<Refusal>().map_or(subject::FAILED, |refusal| refusal.status).into()
        }
    }
}

fn session(workspace: &Workspace, wanted: &Wanted, request: Request) -> Result<u8> {
    let session = Session::prepare(request)?;
    let Choice { line, source } = Choice::of(wanted)?;
    let (image, _) = checked::judged(workspace, line)?;
    let machine = Machine {
        root: workspace.root().to_owned(),
        image,
        image_debug: workspace.debug_image(line),
        line,
        source: source.map(Path::to_owned),
    };
    session.run(&machine)
}

/// Builds the kernel with the image in it, or finds that it is built.
pub(crate) fn kernel(workspace: &Workspace, line: &'static Line) -> Result<()> {
    let options = options(workspace, Choice::packaged(line), &[])?;
    link(workspace, line, &liblinux_boot::kernel(&options)?)
}

/// Lays the links by which tests and benches find the kernel.
fn link(workspace: &Workspace, line: &Line, kernel: &Kernel) -> Result<()> {
    let folder = workspace.kernel(line);
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    for (name, target) in [("source", &kernel.source), ("build", &kernel.build)] {
        let link = folder.join(name);
        if fs::read_link(&link).is_ok_and(|present| present == *target) {
            continue;
        }
        if link.is_symlink() {
            fs::remove_file(&link).with_context(|| format!("cannot remove {}", link.display()))?;
        }
        symlink(target, &link)
            .with_context(|| format!("cannot lay the link {}", link.display()))?;
    }
    Ok(())
}

fn options(workspace: &Workspace, choice: Choice<'_>, cases: &[String]) -> Result<Options> {
    let Choice { line, source } = choice;
    // A guest's program links with the stub.
    stub::build(workspace)?;
    Ok(Options {
        root: workspace.root().to_owned(),
        image: checked::image(workspace, line)?,
        image_debug: workspace.debug_image(line),
        updated_image: build::build_updated_image(workspace, line)?,
        line,
        source: source.map(Path::to_owned),
        cases: cases.to_vec(),
    })
}
