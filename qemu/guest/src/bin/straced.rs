//! What strace shows of a private call.
//!
//! With an argument it is the program that strace follows: two threads make the call by the image,
//! and one of them with the number from here.
//!
//! Prints KTAP.
//!
//! # Invariants
//!
//! 1. A line counts only if it has this boot's number.

use anyhow::{Context, Result, ensure};
use liblinux_abi::kernel::errno::{ENOENT, ENOSYS};
use liblinux_guest::ktap::{Ktap, Outcome};
use liblinux_guest::query::Query;
use std::io;
use std::process::{Command, ExitCode};
use std::{env, fs, thread};

/// Where strace writes.
const LOG: &str = "/tmp/strace";

fn main() -> ExitCode {
    match if env::args().count() > 1 { call() } else { run() } {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("straced: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// The calls; whether they return what they should.
fn call() -> Result<bool> {
    let query = Query::find()?;
    let here = query.by_image();
    let there =
        thread::spawn(move || query.by_image()).join().ok().context("the thread panicked")?;
    let expected = -(ENOENT as i64);
    Ok((here, there) == (expected, expected) && query.from_here() == -(ENOSYS as i64))
}

fn run() -> Result<bool> {
    let name = format!("syscall_{:#x}", Query::find()?.number());
    let followed = strace(&["-f"])?;
    let counted = strace(&["-f", "-c"])?;
    ensure!(
        followed.contains("execve") && counted.contains("execve"),
        "strace wrote\n{followed}\n{counted}"
    );
    // A line that another thread's call interrupted has the name again where it continues.
    let with = |result: &str| {
        followed.lines().filter(|line| line.contains(&name) && line.ends_with(result)).count()
    };

    let mut out = io::stdout().lock();
    let mut list = Ktap::begin(&mut out)?;
    list.plan(3)?;
    let mut judge = |test: &str, is_so: bool, log: &str| -> Result<()> {
        let complaint = || Outcome::Fail(format!("of {name} strace wrote: {}", lines(log, &name)));
        Ok(list.test(test, &if is_so { Outcome::Pass } else { complaint() })?)
    };
    judge(
        "strace -f shows both threads' calls, their number and the error",
        with("= -1 ENOENT (No such file or directory)") == 2,
        &followed,
    )?;
    judge(
        "the same number from here is not implemented",
        with("= -1 ENOSYS (Function not implemented)") == 1,
        &followed,
    )?;
    judge("strace -c leaves them out", !counted.contains("syscall_0x"), &counted)?;
    Ok(list.failures() == 0)
}

/// What strace writes of this program's calls. It ends as the program does.
fn strace(options: &[&str]) -> Result<String> {
    let own = env::current_exe().context("this program has no path")?;
    let mut command = Command::new("/usr/bin/strace");
    let status = command.args(options).args(["-o", LOG]).arg(own).arg("call").status();
    let status = status.context("cannot run strace")?;
    let log = fs::read_to_string(LOG).context("strace wrote nothing")?;
    ensure!(status.success(), "strace ended with {status}:\n{log}");
    Ok(log)
}

/// The lines of the log with this call.
fn lines(log: &str, name: &str) -> String {
    log.lines().filter(|line| line.contains(name)).collect::<Vec<_>>().join("; ")
}
