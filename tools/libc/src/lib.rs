//! musl on the image's entries: built, and shown to be the musl that it was.
//!
//! [`build`] fetches Debian's source package of musl, applies the series in `vdso/libc/patches`,
//! and builds it. [`check`] builds the same source without the series, too, and compares the two:
//! the programs of Debian's POSIX test suite, test by test, and real programs with real work. The
//! rerouted one runs under the runner, pinned: the kernel executes no system call of it that does
//! not come from the image.
//!
//! The guide is `vdso/libc/README.md`.

#![forbid(unsafe_code)]

mod ab;
mod busybox;
mod check;
mod cost;
mod guest;
mod job;
mod musl;
mod posix;
mod programs;
mod runner;
mod server;

pub use crate::check::{Count, check};
pub use crate::cost::cost;
pub use crate::guest::build_programs;
pub use crate::musl::Musl;
pub use crate::runner::Runner;

use crate::musl::Recipe;
use anyhow::Result;
use liblinux_boot::cache::Cache;
use liblinux_boot::source_package::{self, SourcePackage};
use liblinux_boot::unpack;
use liblinux_workspace::Workspace;
use std::path::Path;

/// Builds musl on the image's entries into `target/libc`; from the package that the file `source`
/// describes, if not from Debian's.
pub fn build(workspace: &Workspace, source: Option<&Path>) -> Result<Musl> {
    let cache = Cache::open()?;
    let source = package(source, &cache)?;
    let patches = unpack::series(&workspace.libc().join("patches"))?;
    let recipe = Recipe { source: &source, patches: &patches };
    musl::install(recipe, &cache, &workspace.built_libc())
}

/// Builds the same source without the series into `target/libc.stock`.
pub fn build_stock(workspace: &Workspace, source: Option<&Path>) -> Result<Musl> {
    let cache = Cache::open()?;
    let source = package(source, &cache)?;
    let recipe = Recipe { source: &source, patches: &[] };
    musl::install(recipe, &cache, &workspace.stock_libc())
}

fn package(source: Option<&Path>, cache: &Cache) -> Result<SourcePackage> {
    match source {
        Some(description) => source_package::of_file("musl", description),
        None => source_package::get("musl", cache),
    }
}

/// Why musl's source package cannot be had here, if so.
pub fn obstacle() -> Option<String> {
    unobtainable(["musl"])
}

/// Why a source package that [`check()`] or [`build_programs`] needs cannot be had here, if so.
pub fn check_obstacle() -> Option<String> {
    unobtainable(["musl"].into_iter().chain(programs::packages()))
}

fn unobtainable(names: impl IntoIterator<Item = &'static str>) -> Option<String> {
    let all = || -> Result<()> {
        let cache = Cache::open()?;
        names.into_iter().try_for_each(|name| source_package::get(name, &cache).map(drop))
    };
    all().err().map(|error| format!("{error:#}"))
}
