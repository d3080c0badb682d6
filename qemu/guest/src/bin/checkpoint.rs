//! Checkpoints of the program `blocked` by Debian's CRIU, and what it returns after its restore.
//!
//! - `checkpoint cycle WAY COUNT`: dumps and restores it so often in this guest.
//! - `checkpoint dump WAY ...`: dumps it to `/kept`, once for each way, for guests that follow.
//! - `checkpoint restore WAY`: restores a dump of an earlier guest.
//! - `checkpoint refuse WAY`: finds that it cannot be restored here, and that CRIU says why.
//!
//! Prints KTAP: a line per step, and one per blocked call.
//!
//! # Invariants
//!
//! 1. A call whose result is not in the report fails.

use anyhow::{Context, Result, bail, ensure};
use liblinux::Vdso;
use liblinux_guest::criu::{self, Checkpoint};
use liblinux_guest::jit::{self, Loader};
use liblinux_guest::ktap::Ktap;
use liblinux_protocol::port;
use nix::errno::Errno;
use nix::sys::prctl;
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use std::fs;
use std::io;
use std::ops::RangeInclusive;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};
use std::thread;
use std::time::{Duration, Instant};

/// Where the program leaves its files.
const PLACE: &str = "/tmp/blocked";

/// The script that takes the kernel's part of the state along.
const SCRIPT: &str = "/programs/vdso-fixup.sh";

/// How long the program may take to block, or to report.
const PATIENCE: Duration = Duration::from_secs(20);

/// How often a file that is waited for is looked at.
const TICK: Duration = Duration::from_millis(10);

/// What each call returns when it is ended (the sleeper is ended by a signal), how a child ended
/// that was a zombie, and that time has gone on.
const RESULTS: &[(&str, i64)] = &[
    ("read", 1),
    ("futex", 0),
    ("nanosleep", -(Errno::EINTR as i64)),
    ("poll", 1),
    ("epoll_wait", 1),
    ("wait4", 1),
    ("zombie", criu::ZOMBIE_STATUS as i64),
    ("time", 1),
];

/// The same for a program with fixups: the addresses of two faults.
const FAULTS: &[(&str, i64)] =
    &[("load", jit::ADDRESS.cast_signed()), ("jit", jit::ADDRESS.cast_signed())];

/// The same where landings get frames: what a load returns that was inside one.
const LANDING: &[(&str, i64)] = &[("landing", jit::LANDED as i64)];

/// Cycles that have a line together: the host waits a minute for one.
const ROUND: usize = 10;

/// The process id that the program gets, so that it is free in another guest.
const FIRST_PID: i32 = 5000;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match run(&words) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("checkpoint: {error:#}");
            ExitCode::from(2)
        }
    }
}

fn run(words: &[&str]) -> Result<bool> {
    let mut out = io::stdout().lock();
    let mut list = Ktap::begin(&mut out)?;
    prepare()?;
    let images = |way: &str| Path::new(port::KEPT_FOLDER).join(way);
    let checkpoint = |folder: &Path| Checkpoint::new(folder, Some(Path::new(SCRIPT)));
    match words {
        ["cycle", way, count] => {
            let count: usize = count.parse().context("the number of cycles")?;
            list.plan(2 + count.div_ceil(ROUND) + results(way).count())?;
            list.test("criu check", &said(criu::check()).into())?;
            let checkpoint = checkpoint(Path::new("/tmp/images"))?;
            let pid = start(way)?;
            for first in (1..=count).step_by(ROUND) {
                let last = count.min(first + ROUND - 1);
                let outcome = said(cycle(&checkpoint, pid, first..=last)).into();
                list.test(&format!("dumps and restores {first} to {last}"), &outcome)?;
            }
            report(&mut list, way, pid)?;
        }
        ["dump", ways @ ..] => {
            list.plan(1 + ways.len())?;
            list.test("criu check", &said(criu::check()).into())?;
            for way in ways {
                let dumped =
                    checkpoint(&images(way)).and_then(|checkpoint| dump(&checkpoint, start(way)?));
                list.test(&format!("dump {way}"), &said(dumped).into())?;
            }
        }
        ["refuse", way] => {
            list.plan(2)?;
            let checkpoint = checkpoint(&images(way))?;
            fs::create_dir_all(PLACE)?;
            list.test("refuse", &refused(&checkpoint).into())?;
            list.test("nothing is left", &nothing_left().into())?;
        }
        ["restore", way] => {
            list.plan(2 + results(way).count())?;
            let checkpoint = checkpoint(&images(way))?;
            fs::create_dir_all(PLACE)?;
            list.test("restore", &said(checkpoint.restore()).into())?;
            report(&mut list, way, Pid::from_raw(FIRST_PID + 1))?;
        }
        _ => bail!("usage: checkpoint cycle WAY COUNT | dump WAY ... | restore WAY | refuse WAY"),
    }
    Ok(list.failures() == 0)
}

/// What CRIU expects of a machine: the loopback device up, and a process that adopts orphans.
fn prepare() -> Result<()> {
    let up = Command::new("/bin/busybox").args(["ip", "link", "set", "lo", "up"]).status()?;
    ensure!(up.success(), "cannot bring the loopback device up: {up}");
    prctl::set_child_subreaper(true).context("cannot become the parent of orphans")
}

/// What must be in the report of a program that makes its calls this way.
fn results(way: &str) -> impl Iterator<Item = &'static (&'static str, i64)> {
    let (faults, landing) = match way {
        "fixups" if has_frames().unwrap_or(true) => (FAULTS, LANDING),
        "fixups" => (FAULTS, &[][..]),
        _ => (&[][..], &[][..]),
    };
    RESULTS.iter().chain(faults).chain(landing)
}

/// Whether landings get frames here.
fn has_frames() -> Result<bool> {
    let vdso = Box::leak(Box::new(Vdso::find()?));
    // It never lands: nothing calls the function.
    Ok(Loader::register(&jit::by_kernel(vdso)?, nowhere)?.is_some())
}

extern "C" fn nowhere() {}

fn said<T>(result: Result<T>) -> Result<(), String> {
    result.map(drop).map_err(|error| format!("{error:#}"))
}

/// Starts the program in a session of its own, and waits until all of it is blocked.
fn start(way: &str) -> Result<Pid> {
    // What the program of an earlier dump left would be taken for this one's.
    if let Err(error) = fs::remove_dir_all(PLACE)
        && error.kind() != io::ErrorKind::NotFound
    {
        return Err(error).context("cannot remove the folder of an earlier program");
    }
    fs::create_dir_all(PLACE).context("cannot make a folder for the program")?;
    fs::write("/proc/sys/kernel/ns_last_pid", FIRST_PID.to_string())
        .context("cannot choose a process id")?;
    let mut command = Command::new("/bin/busybox");
    command.args(["setsid", "/programs/blocked", PLACE, way]).current_dir("/");
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let child = command.spawn().context("cannot start the program")?;
    let pid = await_file("ready")?.trim().parse().context("the program's process id")?;
    ensure!(pid == child.id().cast_signed(), "the program is {pid} and not {}", child.id());
    Ok(Pid::from_raw(pid))
}

fn await_file(name: &str) -> Result<String> {
    let path = Path::new(PLACE).join(name);
    let deadline = Instant::now() + PATIENCE;
    loop {
        match fs::read_to_string(&path) {
            Ok(text) => return Ok(text),
            Err(_) if Instant::now() < deadline => thread::sleep(TICK),
            Err(error) => {
                return Err(error).with_context(|| format!("no {} appeared", path.display()));
            }
        }
    }
}

fn dump(checkpoint: &Checkpoint, pid: Pid) -> Result<()> {
    checkpoint.dump(pid)?;
    // CRIU killed the program and its children; their numbers must be free for the restored ones.
    while waitpid(None, None).is_ok() {}
    Ok(())
}

fn cycle(checkpoint: &Checkpoint, pid: Pid, mut numbers: RangeInclusive<usize>) -> Result<()> {
    numbers.try_for_each(|number| {
        let turn = dump(checkpoint, pid).and_then(|()| checkpoint.restore());
        turn.with_context(|| format!("cycle {number}"))
    })
}

/// Whether CRIU refuses to restore a program with fixups because the script did, which says why.
fn refused(checkpoint: &Checkpoint) -> Result<(), String> {
    let Err(error) = checkpoint.restore() else {
        return Err("the program was restored, on a kernel that has no fixups for it".to_owned());
    };
    let error = format!("{error:#}");
    let said = ["Aborting restore due to post-restore script", "this kernel's vDSO has none"];
    if said.iter().all(|part| error.contains(part)) { Ok(()) } else { Err(error) }
}

/// Whether no process of the program is there.
fn nothing_left() -> Result<(), String> {
    let place = Path::new("/proc").join((FIRST_PID + 1).to_string());
    let deadline = Instant::now() + PATIENCE;
    loop {
        while waitpid(None, Some(WaitPidFlag::WNOHANG))
            .is_ok_and(|status| status != WaitStatus::StillAlive)
        {}
        if !place.exists() {
            return Ok(());
        }
        if Instant::now() > deadline {
            return Err("half a restored program is still there".to_owned());
        }
        thread::sleep(TICK);
    }
}

/// Ends the program's calls and compares what they returned.
fn report(list: &mut Ktap<'_>, way: &str, pid: Pid) -> Result<()> {
    fs::write(Path::new(PLACE).join("go"), "").context("cannot tell the program to continue")?;
    let report = await_file("report");
    for (name, expected) in results(way) {
        let result = report.as_ref().map_err(|error| format!("{error:#}")).and_then(|report| {
            let line = report.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
            match line {
                Some(result) if result == expected.to_string() => Ok(()),
                Some(result) => Err(format!("{name} returned {result} and not {expected}")),
                None => Err(format!("the report has no result of {name}")),
            }
        });
        list.test(name, &result.into())?;
    }
    let end = waitpid(pid, None).context("cannot wait for the program");
    list.test(
        "exit",
        &said(end.and_then(|status| {
            ensure!(matches!(status, WaitStatus::Exited(_, 0)), "the program ended so: {status:?}");
            Ok(())
        }))
        .into(),
    )?;
    Ok(())
}
