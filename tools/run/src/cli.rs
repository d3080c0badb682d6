//! The command line, and how it ends.
//!
//! # Invariants
//!
//! 1. The exit status is the program's own, or one of [`crate::status`].

use crate::copy::Image;
use crate::ground::{self, Work};
use crate::launch::Launch;
use crate::messages::{NAME, printable};
use crate::pin::Pin;
use crate::status::{FAILURE, NOT_EXECUTABLE, NOT_FOUND};
use anyhow::{Context as _, Result};
use clap::Parser;
use nix::errno::Errno;
use std::ffi::{CString, OsString};
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};

/// Runs a program with the liblinux image in place of the kernel's vDSO.
///
/// The programs that it starts get the image too. The standard functions (clock_gettime and so on)
/// are answered by the running kernel's own vDSO.
#[derive(Debug, Parser)]
#[command(
    name = NAME,
    version,
    after_help = "Exit status: the program's; 125 if liblinux-run failed, 126 if the program cannot be run, \
                  127 if it was not found."
)]
struct Arguments {
    /// Say on standard error what was mapped where, a line for each program
    #[arg(short, long)]
    verbose: bool,
    /// The image, in place of the one that is part of this program
    #[arg(long, value_name = "FILE")]
    image: Option<PathBuf>,
    /// Give the image to PROGRAM alone and then let go of it: others can trace it (gdb, strace,
    /// LeakSanitizer), its signals are as fast as without the runner, and the programs that it
    /// starts have the kernel's vDSO
    #[arg(long)]
    no_follow: bool,
    /// Let every thread make system calls from the image alone (Syscall User Dispatch): a call from
    /// elsewhere is SIGSYS. REPORT, which is written when the last program has ended, says which
    /// calls were made and which came from elsewhere
    #[arg(long, value_name = "REPORT", conflicts_with = "no_follow")]
    pin: Option<PathBuf>,
    /// With --pin: programs keep the kernel's vDSO, on a kernel whose own is the image
    #[arg(long, requires = "pin", conflicts_with = "image")]
    keep: bool,
    /// The program and its arguments
    #[arg(required = true, trailing_var_arg = true, value_names = ["PROGRAM", "ARGS"])]
    command: Vec<OsString>,
}

/// Does what the command line asks for. Returns only if the program could not be run: the exit
/// status.
pub fn run() -> u8 {
    ground::run::<Program>()
}

/// This program.
struct Program;

impl Work for Program {
    fn run() -> u8 {
        perform()
    }
}

fn perform() -> u8 {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // A closed output does not change the exit status.
            let _ = error.print();
            return if error.use_stderr() { FAILURE } else { 0 };
        }
    };
    match start(&arguments) {
        Ok((message, status)) => {
            eprintln!("{NAME}: {message}");
            status
        }
        Err(error) => {
            eprintln!("{NAME}: {error:#}");
            FAILURE
        }
    }
}

fn start(arguments: &Arguments) -> Result<(String, u8)> {
    let image = match &arguments.image {
        _ if arguments.keep => None,
        Some(file) => Some(Image::from_file(file)?),
        None => Some(Image::embedded()?),
    };
    let pin = arguments.pin.as_deref().map(Pin::to).transpose()?;
    let words = arguments.command.iter().cloned().map(OsString::into_vec).map(CString::new);
    let words =
        words.collect::<Result<Vec<_>, _>>().context("an argument has a zero byte in it")?;
    let is_following = !arguments.no_follow;
    let launch = Launch { words, image, is_following, pin, is_verbose: arguments.verbose };
    Ok(explain(Path::new(&arguments.command[0]), launch.run()?))
}

/// Why a program could not be run, and the exit status for that.
fn explain(program: &Path, error: Errno) -> (String, u8) {
    let is_path = program.as_os_str().as_encoded_bytes().contains(&b'/');
    let (why, status) = match error {
        Errno::ENOENT if is_path && program.exists() => {
            ("the interpreter that it names does not exist".to_owned(), NOT_FOUND)
        }
        Errno::ENOENT if is_path => ("there is no such file".to_owned(), NOT_FOUND),
        Errno::ENOENT => ("there is no such program on the PATH".to_owned(), NOT_FOUND),
        Errno::EACCES if program.is_dir() => ("it is a directory".to_owned(), NOT_EXECUTABLE),
        Errno::EACCES => (
            "permission denied: neither the file nor a folder above it may forbid execution (`chmod +x FILE`)"
                .to_owned(),
            NOT_EXECUTABLE,
        ),
        other => (other.desc().to_owned(), NOT_EXECUTABLE),
    };
    (format!("cannot run {}: {why}", printable(program.as_os_str())), status)
}
