//! `cargo xtask series`: the kernel series, patch by patch, and the image in the kernel's tree.

use crate::Wanted;
use crate::boot::Choice;
use crate::tally::Tally;
use anyhow::Result;
use liblinux_boot::packages;
use liblinux_mkimage::checked;
use liblinux_series::configuration::CONFIGURATIONS;
use liblinux_series::{Series, build, chosen, compare_in_tree};
use liblinux_workspace::{Workspace, line};
use std::process::ExitCode;

/// Prints the configurations.
pub(crate) fn list() {
    let width = CONFIGURATIONS.iter().map(|configuration| configuration.name.len()).max();
    for configuration in CONFIGURATIONS {
        println!(
            "{:width$} {}",
            configuration.name,
            configuration.about,
            width = width.unwrap_or(0)
        );
    }
}

/// Builds the series of a line in configurations, all if none is named.
pub(crate) fn run(workspace: &Workspace, wanted: &Wanted, names: &[String]) -> Result<ExitCode> {
    let configurations = chosen(names)?;
    packages::require(packages::BOOT)?;
    packages::require(packages::SERIES)?;
    let Choice { line, source } = Choice::of(wanted)?;
    checked::image(workspace, line)?;
    let series = Series { workspace, line, source };
    println!(
        "building Linux {0} without the series, and with each patch of kernel-patch/{0}; the configurations are: {1}",
        line.version,
        configurations
            .iter()
            .map(|configuration| configuration.name)
            .collect::<Vec<_>>()
            .join(", ")
    );
    if compare_in_tree(series)? {
        println!("the image that make builds in the kernel's tree is that of `cargo xtask image`");
    }
    let outcome = build(series, &configurations)?;
    println!("{outcome}");
    Ok(if outcome.counts().1 == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The image in the kernel's tree, as a step of the tests.
pub(crate) fn test_in_tree(workspace: &Workspace) -> Result<Tally> {
    let mut tally = Tally::default();
    for line in line::LINES {
        let choice = Choice::packaged(line);
        if let Some(why) = choice.obstacle()? {
            println!("skipped: the image in the tree of Linux {}: {why}", line.version);
            tally = tally.plus(Tally::SKIPPED);
            continue;
        }
        checked::judged(workspace, line)?;
        if compare_in_tree(Series { workspace, line, source: None })? {
            println!("Linux {}: make builds the image of `cargo xtask image`", line.version);
            tally = tally.plus(Tally::PASSED);
        }
    }
    Ok(tally)
}
