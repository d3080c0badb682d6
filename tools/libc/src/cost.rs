//! What programs pay for their calls on the rerouted musl, by time: one program, linked with each
//! musl, in turns.

use crate::runner::Runner;
use crate::{build, build_stock};
use anyhow::{Context as _, Result};
use liblinux_workspace::Workspace;
use liblinux_workspace::command::run;
use std::path::Path;
use std::process::Command;

/// How often each program is run in turn, twice: the median of these rounds counts.
const ROUNDS: u32 = 101;

/// Thousandths of the other musl's time that a piece of work may take.
const MOST: u32 = 1020;

/// How the program is linked. In a dynamic one calls look at whether the thread is cancelled; a
/// static one that cancels no thread lacks that.
const LINKS: [(&str, &[&str]); 2] = [("static", &["-static"]), ("dynamic", &[])];

/// Prints the comparison; whether all work is within the limit.
pub fn cost(workspace: &Workspace, source: Option<&Path>, runner: &Runner) -> Result<bool> {
    let musls =
        [("rerouted", build(workspace, source)?), ("stock", build_stock(workspace, source)?)];
    let folder = tempfile::tempdir().context("cannot create a folder")?;
    let mut is_within = true;
    for (link, flags) in LINKS {
        for (name, musl) in &musls {
            let mut compiler = Command::new(&musl.compiler);
            compiler.arg("-O2").args(flags).arg("-o").arg(folder.path().join(name));
            run(compiler.arg(workspace.libc().join("work/costs.c")))?;
        }
        println!("# {link} programs");
        let mut command = runner.command(None);
        command.current_dir(folder.path()).arg("./rerouted").arg("./stock");
        command.args([ROUNDS, MOST].map(|number| number.to_string()));
        is_within &= command.status().context("cannot run the runner")?.success();
    }
    Ok(is_within)
}
