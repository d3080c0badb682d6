//! `cargo xtask boot`: from the sources to a verdict, or to the end of a program of the user.

use anyhow::{Context as _, Result};
use liblinux_boot::session::{Machine, Request, Session};
use liblinux_boot::subject::{self, Refusal};
use liblinux_boot::{Kernel, Options, Summary};
use liblinux_mkimage::{build, checked, stub};
use liblinux_workspace::{Line, Workspace};
use std::fs;
use std::os::unix::fs::symlink;
use std::process::ExitCode;

/// Boots cases, the default ones if none is named.
pub(crate) fn cases(
    workspace: &Workspace,
    line: &'static Line,
    names: &[String],
) -> Result<Summary> {
    let options = options(workspace, line, names)?;
    let summary = liblinux_boot::boot(&options)?;
    link(workspace, line, &liblinux_boot::kernel(&options)?)?;
    Ok(summary)
}

/// Runs a program of the user's in a guest; the exit status. Nothing but its output is written to
/// standard output.
pub(crate) fn program(workspace: &Workspace, line: &'static Line, request: Request) -> ExitCode {
    match session(workspace, line, request) {
        Ok(status) => status.into(),
        Err(error) => {
            eprintln!("error: {error:#}");
            error.downcast_ref::<Refusal>().map_or(subject::FAILED, |refusal| refusal.status).into()
        }
    }
}

fn session(workspace: &Workspace, line: &'static Line, request: Request) -> Result<u8> {
    let session = Session::prepare(request)?;
    let (image, _) = checked::judged(workspace, line)?;
    let machine = Machine {
        root: workspace.root().to_owned(),
        image,
        image_debug: workspace.debug_image(line),
        line,
    };
    session.run(&machine)
}

/// Builds the kernel with the image in it, or finds that it is built.
pub(crate) fn kernel(workspace: &Workspace, line: &'static Line) -> Result<()> {
    link(workspace, line, &liblinux_boot::kernel(&options(workspace, line, &[])?)?)
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

fn options(workspace: &Workspace, line: &'static Line, cases: &[String]) -> Result<Options> {
    // A guest's program links with the stub.
    stub::build(workspace)?;
    Ok(Options {
        root: workspace.root().to_owned(),
        image: checked::image(workspace, line)?,
        image_debug: workspace.debug_image(line),
        updated_image: build::build_updated_image(workspace, line)?,
        line,
        cases: cases.to_vec(),
    })
}
