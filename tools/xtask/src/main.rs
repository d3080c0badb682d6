//! The task table: every developer command is `cargo xtask NAME`.
//!
//! # Invariants
//!
//! 1. Exit status 0 means done; 1 that the work failed or an image was refused; 2 that the command
//!    line or a file could not be understood. `run` and `boot --run` end as their program does, or
//!    as `env` would.

mod bench;
mod boot;
#[cfg(test)]
mod idle;
mod libc;
mod oldest;
mod run;
mod run32;
mod series;
mod tally;
mod test;

use anyhow::Result;
use clap::{Parser, Subcommand};
use liblinux_boot::session::Request;
use liblinux_check::cli;
use liblinux_check::profile::LIBLINUX;
use liblinux_mkimage::{build, checked, lock, stub};
use liblinux_workspace::{Line, Workspace, line};
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

/// Developer commands of liblinux.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

/// The kernel to boot.
#[derive(Debug, clap::Args)]
pub(crate) struct Wanted {
    /// The kernel line; if none is given, the default one, or another if the source of that cannot
    /// be had
    #[arg(long, value_name = "VERSION", value_parser = line::find)]
    pub(crate) kernel: Option<&'static Line>,
    /// The kernel's source: a tarball of that line, or the folder of its tree; that of Debian's
    /// package if none is given
    #[arg(long, value_name = "FILE|DIR")]
    pub(crate) source: Option<PathBuf>,
}

/// A program of the user in the guest.
#[derive(Debug, clap::Args)]
struct Own {
    /// Run this program in the guest, with its libraries and the files among ARGS, and end as it
    /// does; all words behind --run are its own
    #[arg(long, value_names = ["PROGRAM", "ARGS"], num_args = 1.., allow_hyphen_values = true,
        conflicts_with_all = ["cases", "list"])]
    run: Vec<OsString>,
    /// Take this file or folder along; may be given several times
    #[arg(long, value_name = "PATH", requires = "run")]
    take: Vec<PathBuf>,
    /// Kill the program after so many seconds, with exit status 124
    #[arg(long, value_name = "SECONDS", default_value_t = 60, requires = "run")]
    limit: u32,
    /// Virtual processors of the guest
    #[arg(long, value_name = "N", default_value_t = 1, requires = "run")]
    cpus: u32,
    /// Memory of the guest in MiB, if what its files need is not enough
    #[arg(long, value_name = "MIB", requires = "run")]
    memory: Option<u32>,
    /// Words for the kernel's command line, such as `legacy_syscalls=off`
    #[arg(
        long,
        value_name = "WORDS",
        default_value = "",
        allow_hyphen_values = true,
        requires = "run"
    )]
    append: String,
}

impl Own {
    fn request(self) -> Request {
        Request {
            words: self.run,
            take: self.take,
            limit_s: self.limit,
            cpus: self.cpus,
            memory_mib: self.memory,
            append: self.append,
        }
    }
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Build and check the image, build the patched kernel (cached), boot it in QEMU, and show what
    /// programs saw
    Boot {
        /// Boot this case instead of the default ones; may be given several times
        #[arg(long = "case", value_name = "NAME")]
        cases: Vec<String>,
        /// List the cases
        #[arg(long)]
        list: bool,
        #[command(flatten)]
        wanted: Wanted,
        #[command(flatten)]
        own: Own,
    },
    /// Install the Debian packages that `boot` and `test` lack
    Packages,
    /// Run every test, boots included, but for the cases that take long
    Test {
        /// Run this step instead of all; may be given several times
        #[arg(long = "step", value_name = "NAME")]
        steps: Vec<String>,
    },
    /// Build target/vdso/x86_64/vdso64.so and vdso64.so.dbg, and the same in a folder there for
    /// each other kernel line
    Image,
    /// Check that every loader can read an image; exit status 0 good, 1 refused, 2 could not read
    Check {
        /// The image, by default the one that `image` builds
        file: Option<PathBuf>,
        /// List the rules that hold, too
        #[arg(short, long)]
        verbose: bool,
        /// Refuse the image if a rule could not be judged
        #[arg(long)]
        strict: bool,
    },
    /// Compare the speed of the image's functions with that of the kernel's C image
    Bench {
        /// Write the ratios to FILE as well
        #[arg(long, value_name = "FILE")]
        json: Option<PathBuf>,
    },
    /// Run a program on this machine's kernel, with the image in place of the kernel's vDSO
    Run {
        /// Say on standard error what was mapped where, a line for each program
        #[arg(short, long)]
        verbose: bool,
        /// The program and its arguments
        #[arg(required = true, trailing_var_arg = true, value_names = ["PROGRAM", "ARGS"])]
        command: Vec<OsString>,
    },
    /// Run a 32-bit program (i386) on this machine's kernel by 64-bit system calls
    Run32 {
        /// Look for the program's interpreter below this folder first
        #[arg(long, value_name = "DIR")]
        prefix: Option<PathBuf>,
        /// The program and its arguments
        #[arg(required = true, trailing_var_arg = true, value_names = ["PROGRAM", "ARGS"])]
        command: Vec<OsString>,
    },
    /// Build target/client: the headers, the libraries to link with and a pkg-config file
    Client,
    /// Build musl that makes its system calls by the image: target/libc, with liblinux-musl-gcc
    Libc {
        /// The source package: its file musl_VERSION.dsc, in place of Debian's by apt
        #[arg(long, value_name = "FILE")]
        source: Option<PathBuf>,
        /// Build the same source without the patches, too, and compare the two by real programs;
        /// on the rerouted one the kernel executes no call that does not come from the image
        #[arg(long)]
        check: bool,
        /// With --check, compare them by Debian's POSIX tests, too, those of the interfaces whose
        /// names begin with PREFIX (`--posix ''` is all of them)
        #[arg(long, value_name = "PREFIX", requires = "check")]
        posix: Option<String>,
        /// Compare what programs pay for their calls on the two, by time: on idle processors
        #[arg(long, conflicts_with = "check")]
        cost: bool,
    },
    /// Build the kernel series patch by patch, in each configuration, and the image
    /// in the kernel's tree
    Series {
        /// Build this configuration instead of all; may be given several times
        #[arg(long = "configuration", value_name = "NAME")]
        configurations: Vec<String>,
        /// List the configurations
        #[arg(long)]
        list: bool,
        #[command(flatten)]
        wanted: Wanted,
    },
    /// Accept an intended change of the table: write linker/x86_64/vdso.abi and all files that are
    /// generated from the table
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
        Task::Boot { list: true, .. } => {
            let cases = liblinux_boot::list_cases(workspace.root())?;
            let width = cases.iter().map(|case| case.name.len()).max().unwrap_or(0);
            for case in cases {
                println!("{:width$} {}", case.name, case.about);
            }
        }
        Task::Boot { wanted, own, .. } if !own.run.is_empty() => {
            return Ok(boot::program(&workspace, wanted, own.request()));
        }
        Task::Packages => test::packages()?,
        Task::Boot { cases, wanted, .. } => drop(boot::cases(&workspace, &wanted, &cases)?),
        Task::Test { steps } => {
            return test::run_steps(&workspace, &steps)
                .map(|good| if good { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        Task::Image => image(&workspace)?,
        Task::Check { file, verbose, strict } => return check(&workspace, file, verbose, strict),
        Task::Bench { json } => bench::run(&workspace, json.as_deref())?,
        Task::Run { verbose, command } => return Ok(run::run(&workspace, verbose, &command)),
        Task::Run32 { prefix, command } => {
            return Ok(run32::run(&workspace, prefix.as_deref(), &command));
        }
        Task::Client => println!("{}", stub::build(&workspace)?.display()),
        Task::Libc { source, cost: true, .. } => {
            return libc::cost(&workspace, source.as_deref());
        }
        Task::Libc { source, check: false, .. } => libc::build(&workspace, source.as_deref())?,
        Task::Libc { source, posix, .. } => {
            return libc::check(&workspace, source.as_deref(), posix.as_deref());
        }
        Task::Series { list: true, .. } => series::list(),
        Task::Series { configurations, wanted, .. } => {
            return series::run(&workspace, &wanted, &configurations);
        }
        Task::Bless => lock::bless(&workspace)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Builds and checks the image of each kernel line.
fn image(workspace: &Workspace) -> Result<()> {
    line::LINES.iter().try_for_each(|line| checked::image(workspace, line).map(drop))
}

/// Checks a file, or this workspace's image against the lock.
fn check(
    workspace: &Workspace,
    file: Option<PathBuf>,
    verbose: bool,
    strict: bool,
) -> Result<ExitCode> {
    let own = file.is_none();
    let file = match file {
        Some(file) => file,
        None => build::build(workspace, line::DEFAULT)?,
    };
    let lock = if own { lock::file(workspace, line::DEFAULT) } else { None };
    let profile = own.then_some(&LIBLINUX);
    let files = vec![file];
    let arguments =
        cli::Arguments { files, lock, verbose, strict, profile, ..cli::Arguments::default() };
    Ok(cli::run(&arguments).into())
}
