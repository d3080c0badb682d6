//! Runs a program that knows nothing of us, and looks at it as it exits.
//!
//! The program runs under ptrace. At its first stop, when `execve` is done and no instruction has
//! run, the image at its `AT_SYSINFO_EHDR` is read; at the stop in which its first thread is about
//! to exit, its memory still exists and is searched for addresses of the image's functions
//! ([`crate::words`]).
//!
//! Only the first thread is traced. That is enough for programs with many threads, Go's among them:
//! whichever thread calls `exit_group`, the kernel sends the first one through its exit too, which
//! stops there and so holds the memory until we continue it. A first thread that ends before the
//! others (`pthread_exit` in `main`) would be looked at early; no program here does that. Processes
//! that the program starts are not followed; a program that becomes another by `execve` is.
//!
//! # Invariants
//!
//! 1. The thread that starts the program makes all ptrace requests, as ptrace demands.
//! 2. [`run`] returns only when the program is gone, on error paths too, and kills the rest of its
//!    process group.
//! 3. Stacks, the image itself, its data pages and executable mappings are not searched: an address
//!    there does not show that the program keeps it.

#![expect(unsafe_code, reason = "asking to be traced happens between fork and exec")]

use crate::image::Image;
use crate::streams;
use crate::words;
use anyhow::{Context, Result, bail, ensure};
use liblinux_protocol::case::Program;
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::libc;
use nix::pty::openpty;
use nix::sys::ptrace::{self, Options};
use nix::sys::signal::{Signal, kill, killpg};
use nix::sys::termios::{SetArg, cfmakeraw, tcgetattr, tcsetattr};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{Pid, pipe2};
use procfs::process::{MMPermissions, MMapPath, MemoryMap, Process};
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

/// How long the output of processes that outlive the program is waited for, and on a busy machine
/// that of the program.
const DRAIN: Duration = Duration::from_secs(10);

/// How often a running program is looked after.
const TICK: Duration = Duration::from_millis(2);

/// Bytes of memory that are read at a time.
const CHUNK: u64 = 1 << 20;

/// What is reported while the program runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// The image that it has, before its first instruction.
    Image(Option<Image>),
    /// A line that it printed, without the line end; bytes that are not UTF-8 are replaced.
    Line(String),
}

/// What was seen of a program that is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    /// The image that it had.
    pub image: Option<Image>,
    /// The image's functions whose addresses it held as it exited.
    pub resolved: BTreeSet<String>,
    /// How it ended.
    pub end: End,
}

/// How a program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// With this exit status.
    Exited(i32),
    /// By this signal.
    Signaled(Signal),
    /// It was killed because it ran longer than this.
    TimedOut(Duration),
}

impl End {
    /// Whether the program succeeded; says how it ended otherwise.
    pub fn check(self) -> Result<(), String> {
        match self {
            Self::Exited(0) => Ok(()),
            Self::Exited(status) => {
                Err(format!("the program exited with status {status}; see the console"))
            }
            Self::Signaled(signal) => Err(format!("the program was killed by {signal}")),
            Self::TimedOut(limit) => {
                Err(format!("the program was killed after {} s", limit.as_secs()))
            }
        }
    }
}

/// Runs `program`.
pub fn run(
    program: &Program,
    report: &mut dyn FnMut(Event) -> io::Result<()>,
) -> Result<Observation> {
    let mut command = Command::new(&program.path);
    command.args(&program.arguments);
    let (reader, writer) = pipe2(OFlag::O_CLOEXEC).context("cannot create a pipe")?;
    let child = start(command, vec![(streams::null()?, 0), (writer, 1)])?;
    let lines = read_lines(File::from(reader));
    let pid = Pid::from_raw(i32::try_from(child.id())?);
    let result = observe(pid, program.limit, &lines, report);
    finish(pid, result, &lines, report)
}

/// Runs `program` and leaves it alone once its image is read, before its first instruction.
///
/// Its output and its errors go to a terminal, so that it writes each line when it is known: what
/// is still in a buffer comes too late if another process of the program's prints, twice if it
/// forks, and never if it dies.
pub fn run_untraced(
    program: &Program,
    report: &mut dyn FnMut(Event) -> io::Result<()>,
) -> Result<End> {
    let terminal = openpty(None, None).context("cannot create a terminal")?;
    let mut settings = tcgetattr(&terminal.slave)?;
    cfmakeraw(&mut settings);
    tcsetattr(&terminal.slave, SetArg::TCSANOW, &settings)?;
    let mut command = Command::new(&program.path);
    command.args(&program.arguments);
    let output = terminal.slave.try_clone()?;
    let child = start(command, vec![(streams::null()?, 0), (output, 1), (terminal.slave, 2)])?;
    let lines = read_lines(File::from(terminal.master));
    let pid = Pid::from_raw(i32::try_from(child.id())?);
    let result = leave_alone(pid, program.limit, &lines, report);
    finish(pid, result, &lines, report)
}

/// Starts a program that stops when its `execve` is done, with `streams` as its descriptors of
/// these numbers. Our hold on them is gone when this returns.
fn start(mut command: Command, streams: Vec<(OwnedFd, u64)>) -> Result<Child> {
    command.process_group(0);
    streams::lay(&mut command, streams);
    // SAFETY: the closure makes one system call.
    unsafe { command.pre_exec(|| ptrace::traceme().map_err(io::Error::from)) };
    command.spawn().with_context(|| format!("cannot start {}", command.get_program().display()))
}

/// Kills the rest of the program, and reports the last of what it printed.
fn finish<T>(
    pid: Pid,
    result: Result<T>,
    lines: &Receiver<String>,
    report: &mut dyn FnMut(Event) -> io::Result<()>,
) -> Result<T> {
    if result.is_err() {
        finish_off(pid);
    }
    // Processes that it left behind hold its output open.
    match killpg(pid, Signal::SIGKILL) {
        Ok(()) | Err(Errno::ESRCH | Errno::EPERM) => {}
        Err(error) => return Err(error).context("cannot kill the program's process group"),
    }
    let result = result?;
    let deadline = Instant::now() + DRAIN;
    while let Ok(line) = lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
        report(Event::Line(line))?;
    }
    Ok(result)
}

/// Reads the program's image at its first stop.
fn first_stop(
    pid: Pid,
    report: &mut dyn FnMut(Event) -> io::Result<()>,
) -> Result<(Process, Option<Image>)> {
    match waitpid(pid, Some(WaitPidFlag::__WALL))? {
        WaitStatus::Stopped(_, Signal::SIGTRAP) => {}
        other => bail!("the program did not stop after execve but: {other:?}"),
    }
    let process = Process::new(pid.as_raw())?;
    let image = Image::of(&process)?;
    report(Event::Image(image.clone()))?;
    Ok((process, image))
}

/// Lets the program go after its first stop, and waits for its end.
fn leave_alone(
    pid: Pid,
    limit: Duration,
    lines: &Receiver<String>,
    report: &mut dyn FnMut(Event) -> io::Result<()>,
) -> Result<End> {
    let deadline = Instant::now() + limit;
    first_stop(pid, report)?;
    ptrace::detach(pid, None)?;
    let mut timed_out = false;
    let end = loop {
        match waitpid(pid, Some(WaitPidFlag::__WALL | WaitPidFlag::WNOHANG))? {
            WaitStatus::Exited(_, status) => break End::Exited(status),
            WaitStatus::Signaled(_, signal, _) => break End::Signaled(signal),
            WaitStatus::StillAlive => report_line(lines, report)?,
            other => bail!("unexpected state of the program: {other:?}"),
        }
        if Instant::now() > deadline && !timed_out {
            timed_out = true;
            kill(pid, Signal::SIGKILL)?;
        }
    };
    Ok(if timed_out { End::TimedOut(limit) } else { end })
}

/// Reports the next line that the program prints, or waits a little for one.
fn report_line(
    lines: &Receiver<String>,
    report: &mut dyn FnMut(Event) -> io::Result<()>,
) -> Result<()> {
    match lines.recv_timeout(TICK) {
        Ok(line) => report(Event::Line(line))?,
        Err(RecvTimeoutError::Timeout) => {}
        Err(RecvTimeoutError::Disconnected) => std::thread::sleep(TICK),
    }
    Ok(())
}

/// Follows the program from its first stop to its end.
fn observe(
    pid: Pid,
    limit: Duration,
    lines: &Receiver<String>,
    report: &mut dyn FnMut(Event) -> io::Result<()>,
) -> Result<Observation> {
    let deadline = Instant::now() + limit;
    let (process, mut image) = first_stop(pid, report)?;
    let options =
        Options::PTRACE_O_EXITKILL | Options::PTRACE_O_TRACEEXIT | Options::PTRACE_O_TRACEEXEC;
    ptrace::setoptions(pid, options)?;
    ptrace::cont(pid, None)?;

    let mut resolved = None;
    let mut timed_out = false;
    let end = loop {
        match waitpid(pid, Some(WaitPidFlag::__WALL | WaitPidFlag::WNOHANG))? {
            WaitStatus::Exited(_, status) => break End::Exited(status),
            WaitStatus::Signaled(_, signal, _) => break End::Signaled(signal),
            WaitStatus::PtraceEvent(_, _, libc::PTRACE_EVENT_EXIT) => {
                resolved = Some(match &image {
                    Some(image) => functions_held(&process, image)?,
                    None => BTreeSet::new(),
                });
                ptrace::cont(pid, None)?;
            }
            WaitStatus::PtraceEvent(_, _, libc::PTRACE_EVENT_EXEC) => {
                // A shell became the program that it was to run, which has the image elsewhere.
                image = Image::of(&process)?;
                ptrace::cont(pid, None)?;
            }
            WaitStatus::Stopped(_, signal) => ptrace::cont(pid, signal)?,
            WaitStatus::StillAlive => report_line(lines, report)?,
            other => bail!("unexpected state of the program: {other:?}"),
        }
        if Instant::now() > deadline && !timed_out {
            timed_out = true;
            kill(pid, Signal::SIGKILL)?;
        }
    };
    let end = if timed_out { End::TimedOut(limit) } else { end };
    let resolved = match (resolved, timed_out) {
        (Some(resolved), _) => resolved,
        (None, true) => BTreeSet::new(),
        (None, false) => bail!("the program went away without stopping at its exit: {end:?}"),
    };
    Ok(Observation { image, resolved, end })
}

/// Kills the program and waits until it is gone.
fn finish_off(pid: Pid) {
    // An error means that there is nothing left to kill, to continue or to wait for.
    let _ = kill(pid, Signal::SIGKILL);
    while let Ok(status) = waitpid(pid, Some(WaitPidFlag::__WALL)) {
        match status {
            WaitStatus::Exited(..) | WaitStatus::Signaled(..) => break,
            _ => drop(ptrace::cont(pid, None)),
        }
    }
}

/// Reads the program's output line by line, in a thread of its own, since the reader must not wait
/// for it.
fn read_lines(output: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(output).split(b'\n') {
            let Ok(line) = line else { break };
            if sender.send(String::from_utf8_lossy(&line).into_owned()).is_err() {
                break;
            }
        }
    });
    receiver
}

/// The functions of `image` whose addresses the process holds in its data.
pub fn functions_held(process: &Process, image: &Image) -> Result<BTreeSet<String>> {
    let memory = process.mem().context("cannot open the program's memory")?;
    let maps = process.maps().context("cannot read the program's memory map")?;
    let mut found = BTreeSet::new();
    let mut searched = 0;
    let mut chunk = vec![0; usize::try_from(CHUNK)?];
    for map in maps.iter().filter(|map| holds_data(map, image)) {
        let (mut address, end) = map.address;
        while address < end {
            let size = usize::try_from((end - address).min(CHUNK))?;
            let bytes = &mut chunk[..size];
            // Some pages cannot be read at all: a file mapping beyond the file's end, a guard page.
            if memory.read_exact_at(bytes, address).is_ok() {
                let names =
                    words::aligned(bytes, address).filter_map(|word| image.function_at(word));
                found.extend(names.map(str::to_owned));
                searched += size;
            }
            address += size as u64;
        }
    }
    ensure!(searched > 0, "none of the program's memory could be read");
    Ok(found)
}

/// Whether a mapping is private data: written by the program or, read-only now, by its loader.
fn holds_data(map: &MemoryMap, image: &Image) -> bool {
    let special = match &map.pathname {
        MMapPath::Stack
        | MMapPath::TStack(_)
        | MMapPath::Vdso
        | MMapPath::Vvar
        | MMapPath::Vsyscall => true,
        MMapPath::Other(name) => name.starts_with("vvar") || name.starts_with("[vvar"),
        _ => false,
    };
    let (start, end) = map.address;
    let is_image = start <= image.address && image.address < end;
    map.perms.contains(MMPermissions::READ | MMPermissions::PRIVATE)
        && !map.perms.contains(MMPermissions::EXECUTE)
        && !special
        && !is_image
}
