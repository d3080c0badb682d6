//! A kernel series, built patch by patch.
//!
//! Who bisects a kernel stops between any two patches, so each has to build by itself, in every
//! configuration that it can meet. [`build`] unpacks the kernel's source, builds every
//! configuration without the series, and again after each patch. What it then warns of is compared
//! with what the kernel without the series warned of. The kernel that is built whole is booted.
//!
//! [`compare_in_tree`] builds the image by the kernel's own make.
//!
//! # Invariants
//!
//! 1. A fault of one build does not keep the others from being tried.
//! 2. Nothing of an earlier run is used: the source and the builds are made anew.

mod booted;
pub mod configuration;
mod in_tree;
pub mod objects;
pub mod outcome;
mod tree;

use crate::configuration::Configuration;
use crate::objects::Touched;
use crate::outcome::{Build, Outcome};
use crate::tree::Tree;
use anyhow::{Context as _, Result, bail};
use liblinux_boot::cache::{self, Cache};
use liblinux_boot::progress::Progress;
use liblinux_boot::{source, unpack};
use liblinux_workspace::{Line, Workspace};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// A series, and the kernel that it is for.
#[derive(Clone, Copy, Debug)]
pub struct Series<'a> {
    /// The workspace that has it.
    pub workspace: &'a Workspace,
    /// The kernel line.
    pub line: &'static Line,
    /// The kernel's source, if it is not to be that of Debian's package.
    pub source: Option<&'a Path>,
}

/// Builds each patch in each of the configurations.
pub fn build(series: Series<'_>, configurations: &[&'static Configuration]) -> Result<Outcome> {
    let patches = series.patches()?;
    let touched = Touched::by(&patches)?;
    let tree = series.unpack("patches", &[])?;
    let mut outcome = Outcome {
        columns: configurations.iter().map(|configuration| configuration.name).collect(),
        rows: Vec::new(),
    };
    let count = (patches.len() + 1) * configurations.len();
    let mut progress = Progress::exact("building the series", count);
    let mut known = vec![BTreeSet::new(); configurations.len()];
    for number in 0..=patches.len() {
        let name = match number.checked_sub(1) {
            None => "without the series".to_owned(),
            Some(last) => {
                unpack::apply(&patches[last], &tree.source(), "the kernel's source")?;
                title(&patches[last])
            }
        };
        let mut builds = Vec::new();
        for (configuration, known) in configurations.iter().zip(&mut known) {
            progress.advance(Some(&format!("{name}, {}", configuration.name)));
            let started = Instant::now();
            let made = tree
                .configure(configuration, number == patches.len())
                .and_then(|config| {
                    tree.compile(configuration, &touched, &config, |_| progress.tick())
                })
                .and_then(|warnings| judged(warnings, known, number == 0))
                .and_then(|()| match configuration.is_whole && number > 0 {
                    true => booted::boot(series, &tree, configuration.name, &patches[..number]),
                    false => Ok(()),
                });
            let fault = made.err().map(|error| format!("{error:#}"));
            if let Some(fault) = &fault {
                progress.note(&format!("{name}, {}: {fault}", configuration.name));
            }
            builds.push(Build { duration: started.elapsed(), fault });
        }
        outcome.rows.push((name, builds));
    }
    progress.finish();
    Ok(outcome)
}

/// Builds the image in the kernel's tree, and compares it; false if the line has no sources for it.
pub fn compare_in_tree(series: Series<'_>) -> Result<bool> {
    if !series.workspace.in_tree(series.line).is_dir() {
        return Ok(false);
    }
    let tree = series.unpack("in-tree", &series.patches()?)?;
    tree.compare_image()?;
    cache::remove_tree(&tree.folder)?;
    Ok(true)
}

impl<'a> Series<'a> {
    /// The patches in order, those that bring the image's sources last.
    fn patches(&self) -> Result<Vec<PathBuf>> {
        let mut patches = unpack::series(&self.workspace.series(self.line))?;
        let sources = self.workspace.in_tree(self.line);
        if sources.is_dir() {
            patches.extend(unpack::series(&sources)?);
        }
        Ok(patches)
    }

    /// A tree of its own, with these patches.
    fn unpack(&self, name: &str, patches: &[PathBuf]) -> Result<Tree<'a>> {
        let folder = self.workspace.root().join("target/series").join(self.line.version).join(name);
        cache::remove_tree(&folder)?;
        let cache = Cache::open()?;
        let source = {
            let _lock = cache.lock()?;
            source::find(self.line, self.source, &cache)?
        };
        unpack::unpack(&source, self.line, patches, &folder)?;
        Ok(Tree { workspace: self.workspace, line: self.line, folder })
    }
}

/// Fails if there are warnings that the kernel without the series does not have.
fn judged(warnings: BTreeSet<String>, known: &mut BTreeSet<String>, is_first: bool) -> Result<()> {
    if is_first {
        *known = warnings;
        return Ok(());
    }
    let new: Vec<&str> = warnings.difference(known).map(String::as_str).collect();
    if !new.is_empty() {
        bail!(
            "warnings that the kernel does not have without the series:\n    {}",
            new.join("\n    ")
        );
    }
    Ok(())
}

/// The number of a patch, with its folder if that is not the series' own.
fn title(patch: &Path) -> String {
    let text =
        |name: Option<&std::ffi::OsStr>| name.unwrap_or_default().to_string_lossy().into_owned();
    let name = text(patch.file_stem());
    let number = name.split_once('-').map_or(name.as_str(), |(number, _)| number);
    match text(patch.parent().and_then(Path::file_name)) {
        folder if folder == "in-tree" => format!("{folder}/{number}"),
        _ => number.to_owned(),
    }
}

/// The configurations of these names, all if there are none.
pub fn chosen(names: &[String]) -> Result<Vec<&'static Configuration>> {
    configuration::chosen(names).context("no series is built")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_warning_counts_if_it_is_new() {
        let set = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
        let mut known = BTreeSet::new();
        judged(set(&["a: warning: old"]), &mut known, true).unwrap();
        judged(set(&["a: warning: old"]), &mut known, false).unwrap();
        let error = judged(set(&["a: warning: new"]), &mut known, false).unwrap_err().to_string();
        assert!(error.contains("a: warning: new"), "{error}");
    }
}
