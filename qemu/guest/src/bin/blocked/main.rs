//! A process that a checkpoint finds blocked: each thread inside another system call.
//!
//! `blocked FOLDER fixups|entries|syscalls`: the calls are made by the image's entries, or by bare
//! instructions for the control. When everything blocks it writes its process id to `FOLDER/ready`.
//! When `FOLDER/go` appears the main thread ends each call, collects what it returned, and writes
//! `FOLDER/report`: one line `name result` per thread.
//!
//! It also has a child that has ended and that it has not waited for. A line of the report has the
//! child's exit status.
//!
//! With `fixups` it has attached an area in which itself and code made at run time are registered,
//! and no signal handler: two lines of the report have the results of faults, `load` of the
//! program's own and `jit`. Without an area a fault ends it. Where landings get frames, one thread
//! more is inside a landing (`landing.rs`), whose line is `landing`.
//!
//! # Invariants
//!
//! 1. No file but the pipes is open while it waits: a checkpoint need not know the guest's
//!    terminals and ports.
//! 2. A call that returns `-EINTR` is made again, as any program does: the kernel's interrupted
//!    calls with a relative time-out cannot be restarted in a restored process.

#![expect(unsafe_code, reason = "calls addresses of the image")]

mod landing;

use crate::landing::Landed;
use anyhow::{Context, Result, bail, ensure};
use liblinux::fixup::Fixups;
use liblinux::{Vdso, probe};
use liblinux_guest::bare;
use liblinux_guest::criu::ZOMBIE_STATUS;
use liblinux_guest::image::Image;
use liblinux_guest::jit::{self, Function};
use nix::errno::Errno;
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, kill, sigaction};
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid, waitpid};
use nix::unistd::{ForkResult, Pid, fork};
use procfs::process::Process;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};
use std::thread::{self, JoinHandle};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How often the main thread looks for `go`.
const TICK: Duration = Duration::from_millis(10);

/// What the sleeper asks for, in seconds: longer than any guest runs.
const LONG: i64 = 1_000_000;

/// A system call by its name, the image's entry or the bare instruction.
#[derive(Clone, Copy)]
enum Way {
    Entries { image: &'static Image },
    Syscalls,
}

impl Way {
    /// Makes the call until it is not interrupted.
    fn call(self, name: &str, arguments: [u64; 6]) -> i64 {
        loop {
            let result = self.once(name, arguments);
            if result != -(Errno::EINTR as i64) {
                return result;
            }
        }
    }

    fn once(self, name: &str, [a, b, c, d, e, f]: [u64; 6]) -> i64 {
        match self {
            // SAFETY: the calls below block, and touch memory that lives as long as the process.
            Self::Syscalls => unsafe { bare::call(name, [a, b, c, d, e, f]) },
            Self::Entries { image } => {
                let offset = image.offset(&format!("__vdso_{name}")).expect("checked at the start");
                let entry = (image.address + offset) as *const ();
                // SAFETY: an entry takes six integers and returns one.
                let entry: extern "C" fn(u64, u64, u64, u64, u64, u64) -> i64 =
                    unsafe { std::mem::transmute(entry) };
                entry(a, b, c, d, e, f)
            }
        }
    }
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("blocked: {error:#}");
            ExitCode::FAILURE
        }
    }
}

extern "C" fn wake(_: i32) {}

fn run() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, name] = arguments.as_slice() else {
        bail!("usage: blocked FOLDER fixups|entries|syscalls")
    };
    let folder = PathBuf::from(folder);
    let way = match name.as_str() {
        "syscalls" => Way::Syscalls,
        "entries" | "fixups" => {
            let image = Image::of(&Process::myself()?)?.context("this process has no image")?;
            for name in ["read", "futex", "nanosleep", "poll", "epoll_wait", "wait4"] {
                ensure!(
                    image.offset(&format!("__vdso_{name}")).is_some(),
                    "the image has no {name}"
                );
            }
            Way::Entries { image: Box::leak(Box::new(image)) }
        }
        other => bail!("`{other}` is none of `fixups`, `entries` and `syscalls`"),
    };
    let action = SigAction::new(SigHandler::Handler(wake), SaFlags::empty(), SigSet::empty());
    // SAFETY: the handler does nothing.
    unsafe { sigaction(Signal::SIGUSR1, &action)? };
    let faults = if name == "fixups" { Some(Faults::register()?) } else { None };
    let started = SystemTime::now();
    let calls = Calls::start(way)?;
    let landed = match &faults {
        Some(faults) => Landed::start(way, &faults.fixups)?,
        None => None,
    };
    await_blocked(calls.threads.len() + usize::from(landed.is_some()))?;
    write_whole(&folder.join("ready"), &std::process::id().to_string())?;
    while !folder.join("go").exists() {
        thread::sleep(TICK);
    }
    let mut report = calls.finish()?;
    report += &format!("time {}\n", i64::from(time_goes_on(started)));
    if let Some(faults) = faults {
        report += &faults.raise();
    }
    if let Some(landed) = landed {
        report += &landed.resume()?;
    }
    write_whole(&folder.join("report"), &report)
}

/// Waits until so many threads beside the main one sleep in the kernel.
fn await_blocked(count: usize) -> Result<()> {
    let main = std::process::id().cast_signed();
    for _ in 0..1000 {
        let tasks = Process::myself()?.tasks()?.collect::<Result<Vec<_>, _>>()?;
        let others = tasks.iter().filter(|task| task.tid != main);
        let asleep = others.filter(|task| task.stat().is_ok_and(|stat| stat.state == 'S')).count();
        if asleep == count {
            return Ok(());
        }
        thread::sleep(TICK);
    }
    bail!("the threads do not block")
}

/// Whether the clock that the libc reads from the image is past where it was, and within a second
/// of the kernel's.
fn time_goes_on(started: SystemTime) -> bool {
    let Ok(elapsed) = started.elapsed() else { return false };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let kernel = bare::clock_gettime(bare::CLOCK_REALTIME).unwrap_or_default();
    let apart = now.abs_diff(Duration::from_nanos(kernel.unsigned_abs()));
    elapsed > Duration::ZERO && apart < Duration::from_secs(1)
}

/// What is registered, to be tried.
struct Faults {
    fixups: Fixups<'static>,
    function: Function,
}

impl Faults {
    fn register() -> Result<Self> {
        let vdso = Box::leak(Box::new(Vdso::find()?));
        let fixups = jit::by_kernel(vdso)?;
        let function = Function::register(&fixups)?;
        fixups.register_own().context("cannot register the program")?.keep();
        Ok(Self { fixups, function })
    }

    /// Faults in both texts; the addresses.
    fn raise(&self) -> String {
        let load = probe::read(std::ptr::without_provenance::<u64>(jit::ADDRESS as usize));
        let load = load.map_or_else(|fault| fault.address, |_| jit::NO_FAULT);
        format!("load {load}\njit {}\n", self.function.call())
    }
}

/// Writes a file that appears whole.
fn write_whole(path: &Path, text: &str) -> Result<()> {
    let partial = path.with_extension("partial");
    fs::write(&partial, text).with_context(|| format!("cannot write {}", partial.display()))?;
    fs::rename(&partial, path).with_context(|| format!("cannot write {}", path.display()))
}

static WORD: AtomicU32 = AtomicU32::new(0);

/// The threads, and what ends their calls.
struct Calls {
    threads: Vec<(&'static str, JoinHandle<i64>)>,
    pipes: Vec<std::io::PipeWriter>,
    child: Pid,
    zombie: Pid,
}

/// A child that has ended. This process must have one thread.
fn zombie() -> Result<Pid> {
    // SAFETY: the child ends at once.
    match unsafe { fork() }? {
        // SAFETY: nothing of this process is to be cleaned up by it.
        ForkResult::Child => unsafe { nix::libc::_exit(ZOMBIE_STATUS) },
        ForkResult::Parent { child } => {
            waitid(Id::Pid(child), WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT)?;
            Ok(child)
        }
    }
}

impl Calls {
    fn start(way: Way) -> Result<Self> {
        let zombie = zombie()?;
        // SAFETY: this process has one thread, and the child only waits for a signal.
        let child = match unsafe { fork() }? {
            ForkResult::Child => loop {
                nix::unistd::pause();
            },
            ForkResult::Parent { child } => child,
        };
        let mut threads = Vec::new();
        let mut pipes = Vec::new();
        let mut pipe = || -> Result<u64> {
            let (reader, writer) = std::io::pipe()?;
            pipes.push(writer);
            let number = std::os::fd::IntoRawFd::into_raw_fd(reader);
            Ok(u64::try_from(number)?)
        };
        let mut start = |name: &'static str, work: Box<dyn FnOnce() -> i64 + Send>| {
            threads.push((name, thread::spawn(work)));
        };
        let reader = pipe()?;
        start(
            "read",
            Box::new(move || {
                let mut buffer = [0_u8; 8];
                way.call(
                    "read",
                    [reader, buffer.as_mut_ptr().expose_provenance() as u64, 8, 0, 0, 0],
                )
            }),
        );
        start(
            "futex",
            Box::new(move || {
                let word = WORD.as_ptr().expose_provenance() as u64;
                // FUTEX_WAIT | FUTEX_PRIVATE_FLAG
                way.call("futex", [word, 128, 0, 0, 0, 0])
            }),
        );
        start(
            "nanosleep",
            Box::new(move || {
                let time = [LONG, 0];
                // A signal ends it: what it returns then is its result.
                loop {
                    let result = way.once(
                        "nanosleep",
                        [time.as_ptr().expose_provenance() as u64, 0, 0, 0, 0, 0],
                    );
                    if WORD.load(SeqCst) != 0 {
                        return result;
                    }
                }
            }),
        );
        let polled = pipe()?;
        start(
            "poll",
            Box::new(move || {
                // `struct pollfd`: descriptor, POLLIN, no result yet.
                let set = [polled | 1 << 32];
                way.call("poll", [set.as_ptr().expose_provenance() as u64, 1, u64::MAX, 0, 0, 0])
            }),
        );
        let watched = pipe()?;
        let epoll = way.call("epoll_create1", [0; 6]);
        // `struct epoll_event`, packed: EPOLLIN, data.
        let event = [1_u32, 0, 0];
        let added = way.call(
            "epoll_ctl",
            [epoll.cast_unsigned(), 1, watched, event.as_ptr().expose_provenance() as u64, 0, 0],
        );
        ensure!(epoll >= 0 && added == 0, "cannot make an epoll set: {epoll}, {added}");
        start(
            "epoll_wait",
            Box::new(move || {
                let mut event = [0_u32; 3];
                let events = event.as_mut_ptr().expose_provenance() as u64;
                way.call("epoll_wait", [epoll.cast_unsigned(), events, 1, u64::MAX, 0, 0])
            }),
        );
        let awaited = u64::try_from(child.as_raw())?;
        start(
            "wait4",
            Box::new(move || {
                let result = way.call("wait4", [awaited, 0, 0, 0, 0, 0]);
                i64::from(result == awaited.cast_signed())
            }),
        );
        Ok(Self { threads, pipes, child, zombie })
    }

    /// Ends every call; what they returned.
    fn finish(mut self) -> Result<String> {
        for pipe in &mut self.pipes {
            pipe.write_all(b"x")?;
        }
        WORD.store(1, SeqCst);
        // SAFETY: wakes the thread that waits for the word.
        unsafe { bare::call("futex", [WORD.as_ptr().expose_provenance() as u64, 129, 1, 0, 0, 0]) };
        kill(self.child, Signal::SIGKILL)?;
        let mut report = String::new();
        for (name, thread) in self.threads {
            while name == "nanosleep" && !thread.is_finished() {
                use std::os::unix::thread::JoinHandleExt;
                // SAFETY: the thread has not been joined.
                unsafe { nix::libc::pthread_kill(thread.as_pthread_t(), nix::libc::SIGUSR1) };
                thread::sleep(TICK);
            }
            let result = thread.join().map_err(|_| anyhow::anyhow!("{name} panicked"))?;
            report += &format!("{name} {result}\n");
        }
        let WaitStatus::Exited(_, status) = waitpid(self.zombie, None)? else {
            bail!("the zombie was killed")
        };
        report += &format!("zombie {status}\n");
        Ok(report)
    }
}
