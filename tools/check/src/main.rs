//! `liblinux-check FILE`: see [`liblinux_check::cli`].

use clap::Parser as _;
use liblinux_check::cli::Arguments;
use std::process::ExitCode;

fn main() -> ExitCode {
    liblinux_check::cli::run(&Arguments::parse()).into()
}
