//! The programs for guests: those that [`check`](crate::check()) compares, under their plain names.

use crate::programs::PROGRAMS;
use crate::{build, build_stock};
use anyhow::{Context as _, Result};
use liblinux_boot::cache::Cache;
use liblinux_workspace::Workspace;
use std::fs;

/// Builds musl, and with it the programs of Debian's source packages, into `target/libc.programs`.
pub fn build_programs(workspace: &Workspace) -> Result<()> {
    let (rerouted, stock) = (build(workspace, None)?, build_stock(workspace, None)?);
    let cache = Cache::open()?;
    let place = workspace.libc_programs();
    fs::create_dir_all(&place).with_context(|| format!("cannot create {}", place.display()))?;
    for program in PROGRAMS.iter().filter(|program| program.package().is_some()) {
        // The loader that runs the others decides which musl they have.
        let musl = if program.is_static() { &rerouted } else { &stock };
        let file = program.build(workspace, &cache, musl, program.kind("rerouted"))?;
        // Whole or not at all, since another boot may be reading it.
        let partial = place.join(format!("{}.partial", program.name));
        fs::copy(&file, &partial)
            .and_then(|_| fs::rename(&partial, place.join(program.name)))
            .with_context(|| format!("cannot copy {} to {}", file.display(), place.display()))?;
    }
    Ok(())
}
