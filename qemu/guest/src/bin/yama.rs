//! The runner under the security module Yama, at each level of `kernel.yama.ptrace_scope`.
//!
//! Some distributions start with level 1, at which a process is traced by its ancestors or by whom
//! it has named itself (`PR_SET_PTRACER`). The runner's tracer is neither parent nor ancestor of
//! the program, so it works there only because it is named; level 2 allows only privileged tracers,
//! and level 3 none.
//!
//! At each level a process tries to trace one that has not named it, which shows that the level is
//! in force. Then the runner runs a shell and, through it, a program that shows its own memory map:
//! by a user who may do nothing special, and by root.
//!
//! Prints KTAP.
//!
//! # Invariants
//!
//! 1. Level 3 comes last: no one may lower it.
//! 2. The kernel of the guest maps its own image, so the runner's is told apart by the name of its
//!    mapping.

use anyhow::{Context, Result, bail, ensure};
use liblinux_guest::ktap::Ktap;
use nix::errno::Errno;
use nix::sys::ptrace::{self, Options};
use nix::unistd::Pid;
use std::fs;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode, Stdio};

/// Where the level is.
const LEVEL: &str = "/proc/sys/kernel/yama/ptrace_scope";

/// A user who may do nothing special.
const NOBODY: u32 = 65534;

/// The runner, and the image for it.
const RUNNER: [&str; 3] = ["/programs/liblinux-run", "--image", "/programs/vdso64.so"];

/// The status that the program ends with.
const STATUS: i32 = 7;

/// The status of a runner that has failed.
const FAILURE: i32 = 125;

/// Levels, and whether one process may trace another of the same user, whether a user's runner
/// works, and whether root's.
const LEVELS: [(u32, bool, bool, bool); 4] = [
    (0, true, true, true),
    (1, false, true, true),
    (2, false, false, true),
    (3, false, false, false),
];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let result = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => run(),
        ["trace", pid] => trace(pid),
        _ => Err(anyhow::anyhow!("usage: yama [trace PID]")),
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("yama: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn run() -> Result<bool> {
    let mut out = io::stdout().lock();
    let mut list = Ktap::begin(&mut out)?;
    list.plan(3 * LEVELS.len())?;
    let said = |result: Result<()>| result.map_err(|error| format!("{error:#}")).into();
    for (level, traces, runs_for_user, runs_for_root) in LEVELS {
        fs::write(LEVEL, level.to_string())
            .with_context(|| format!("cannot set {LEVEL} to {level}"))?;
        let name =
            format!("level {level}: {} a stranger", if traces { "traces" } else { "cannot trace" });
        list.test(&name, &said(stranger(traces)))?;
        for (user, uid, works) in [("a user", NOBODY, runs_for_user), ("root", 0, runs_for_root)] {
            let name =
                format!("level {level}: {} for {user}", if works { "runs" } else { "refuses" });
            list.test(&name, &said(runner(uid, works.then_some(()).ok_or(level))))?;
        }
    }
    Ok(list.failures() == 0)
}

/// A command of the user `uid`.
fn command(program: &str, uid: u32) -> Command {
    let mut command = Command::new(program);
    command.uid(uid).gid(uid).current_dir("/").stdin(Stdio::null());
    command
}

/// Whether a user's process may trace another one of that user.
fn stranger(expected: bool) -> Result<()> {
    let mut sleeper = command("/bin/busybox", NOBODY).args(["sleep", "100"]).spawn()?;
    let this = std::env::current_exe()?;
    let tracer = command(&this.display().to_string(), NOBODY)
        .args(["trace", &sleeper.id().to_string()])
        .output();
    sleeper.kill()?;
    sleeper.wait()?;
    let tracer = tracer?;
    let traced = match tracer.status.code() {
        Some(0) => true,
        Some(1) => false,
        _ => bail!("{}: {}", tracer.status, String::from_utf8_lossy(&tracer.stderr)),
    };
    ensure!(
        traced == expected,
        "it was {} the kernel",
        if traced { "let by" } else { "refused by" }
    );
    Ok(())
}

/// The process that tries: whether it may.
fn trace(pid: &str) -> Result<bool> {
    match ptrace::seize(Pid::from_raw(pid.parse()?), Options::empty()) {
        Ok(()) => Ok(true),
        Err(Errno::EPERM) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// Whether the runner gives the image to a shell's child, or refuses to run the shell because of
/// the level.
fn runner(uid: u32, expected: Result<(), u32>) -> Result<()> {
    let script = format!("/bin/busybox cat /proc/self/maps; exit {STATUS}");
    let output = command(RUNNER[0], uid)
        .args(&RUNNER[1..])
        .args(["--verbose", "/bin/busybox", "sh", "-c", &script])
        .output()?;
    let [said, complained] =
        [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    let status = output.status.code();
    match expected {
        Ok(()) => {
            ensure!(status == Some(STATUS), "it ended with {}: {complained}", output.status);
            ensure!(said.contains("liblinux-vdso"), "the child has not the image: {complained}");
            // The shell and its child.
            let given = complained.lines().filter(|line| line.contains(": image ")).count();
            ensure!(given == 2, "{given} programs were given the image: {complained}");
        }
        Err(level) => {
            ensure!(status == Some(FAILURE), "it ended with {}: {complained}", output.status);
            ensure!(said.is_empty(), "the program has begun: {said}");
            let reason = format!("Yama forbids it: {LEVEL} is {level}");
            ensure!(complained.contains(&reason), "it gives another reason: {complained}");
        }
    }
    Ok(())
}
