//! The task table: every developer command is `cargo xtask NAME`.
//!
//! # Invariants
//!
//! 1. Exit status 0 means done; 1 that the work failed or an image was refused; 2 that the command line or a file could
//!    not be understood.

mod command;
mod image;
mod version_script;
mod workspace;

use anyhow::Result;
use clap::{Parser, Subcommand};
use std::process::ExitCode;
use workspace::Workspace;

/// Developer commands of liblinux.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Build target/vdso/x86_64/vdso64.so and vdso64.so.dbg.
    Image,
    /// Accept an intended ABI change: write linker/vdso.map and linker/vdso.abi.
    Bless,
}

fn main() -> ExitCode {
    match perform(Arguments::parse().task) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn perform(task: Task) -> Result<ExitCode> {
    let workspace = Workspace::current();
    match task {
        Task::Image => {
            println!("{}", image::build(&workspace)?.display());
            image::require_reproducible(&workspace)?;
        }
        Task::Bless => version_script::write(&workspace)?,
    }
    Ok(ExitCode::SUCCESS)
}
