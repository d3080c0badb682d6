//! Runs a 32-bit program by 64-bit system calls.
//!
//! The loader maps the program and its interpreter below 4 GiB, the shim and the 32-bit image
//! beside them, and jumps into the program, which then is this process. There is no tracer and no
//! translation. `vdso/compat` says how it works.
//!
//! # Invariants
//!
//! 1. The exit status is the program's own, or as of `env(1)`.
//! 2. Nothing is written to standard output but what `--help` and `--version` ask for.

mod arguments;
mod datapage;
mod descriptor;
mod file;
mod launch;
mod memory;
mod proof;
mod status;
mod system;
mod words;

use arguments::{Line, NAME};
use std::ffi::OsString;

/// Does what the command line asks for; the exit status if no program was started.
pub fn run(words: impl Iterator<Item = OsString>) -> i32 {
    let failure = match arguments::read(words) {
        Ok(Line::Print(text)) => {
            println!("{text}");
            return 0;
        }
        Ok(Line::Run(arguments)) => match launch::run(arguments) {
            Ok(never) => match never {},
            Err(failure) => failure,
        },
        Err(failure) => failure,
    };
    eprintln!("{NAME}: {}", failure.message);
    failure.status
}
