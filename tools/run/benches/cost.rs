//! The cost of the runner: each thing is timed in a process by itself and in one under the runner.
//!
//! On a machine with other load, two measurements one after the other compare two moments. So both
//! kinds of process take turns, and the table has the medians, over all turns, of the ratio and the
//! difference of each pair.
//!
//! # Invariants
//!
//! 1. Both processes of a pair run the same code: this program, which asks [`CHILD`] of itself.

#![expect(unsafe_code, reason = "the calls that are timed are C's")]

use comfy_table::{Table, presets};
use liblinux_workspace::{Workspace, line};
use nix::libc::{self, c_void};
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::ptr::null_mut;
use std::time::Instant;

/// The argument that makes this program a measured process.
const CHILD: &str = "--child";

/// Pairs of processes.
const ROUNDS: usize = 25;

/// Starts of a program by each member of a pair.
const STARTS: usize = 5;

/// One thing that is timed.
struct Measure {
    name: &'static str,
    /// How often it is done in a row.
    times: u32,
    /// How many rows there are; the fastest counts, because the others may have been interrupted.
    rows: u32,
    work: fn(),
}

const fn call(name: &'static str, work: fn()) -> Measure {
    Measure { name, times: 20_000, rows: 9, work }
}

const fn process(name: &'static str, work: fn()) -> Measure {
    Measure { name, times: 1, rows: 25, work }
}

/// Calls: a standard function is the running kernel's own behind one jump, a system call is the
/// program's.
const CALLS: &[Measure] = &[
    call("clock_gettime, TSC clock", || clock(libc::CLOCK_MONOTONIC)),
    call("clock_gettime, coarse clock", || clock(libc::CLOCK_MONOTONIC_COARSE)),
    call("a system call (getppid)", || {
        // SAFETY: takes nothing.
        black_box(unsafe { libc::syscall(libc::SYS_getppid) });
    }),
];

/// The events of which the kernel tells a tracer.
const EVENTS: &[Measure] = &[
    process("program (spawn, exec, wait)", || {
        let status = Command::new("/bin/true").stdin(Stdio::null()).status();
        assert!(status.expect("/bin/true").success());
    }),
    process("process (fork, wait)", || {
        // SAFETY: there is one thread, and the child does nothing but end.
        let child = unsafe { libc::fork() };
        if child == 0 {
            // SAFETY: does not return.
            unsafe { libc::_exit(0) };
        }
        // SAFETY: waits for the child; nothing is stored.
        unsafe { libc::waitpid(child, null_mut(), 0) };
    }),
    process("thread (start, join)", || std::thread::spawn(|| ()).join().expect("a thread")),
    process("signal with a handler", || {
        // SAFETY: the handler was set in `child`.
        unsafe { libc::raise(libc::SIGUSR1) };
    }),
];

fn clock(clock: libc::clockid_t) {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: stores a `timespec`.
    unsafe { libc::clock_gettime(clock, &raw mut time) };
    black_box(time);
}

extern "C" fn handler(_signal: libc::c_int) {}

/// A measured process: prints the nanoseconds of each thing.
fn child() {
    let handler: extern "C" fn(libc::c_int) = handler;
    // SAFETY: the handler does nothing.
    unsafe { libc::signal(libc::SIGUSR1, handler as *const c_void as libc::sighandler_t) };
    for Measure { times, rows, work, .. } in CALLS.iter().chain(EVENTS) {
        let row = |_| {
            let start = Instant::now();
            (0..*times).for_each(|_| work());
            start.elapsed().as_nanos() as f64 / f64::from(*times)
        };
        println!("{}", fastest((0..*rows).map(row)));
    }
}

/// The nanoseconds that a measured process prints, and of the whole of it.
fn measured(mut command: Command, this: &Path) -> Vec<f64> {
    let output = command.arg(this).arg(CHILD).stderr(Stdio::inherit()).output().expect("a process");
    assert!(output.status.success(), "{}", output.status);
    let text = String::from_utf8(output.stdout).expect("numbers");
    text.lines().map(|line| line.parse().expect("a number")).collect()
}

/// The time of a program that does nothing.
fn start(mut command: Command) -> f64 {
    command.arg("/bin/true");
    fastest((0..STARTS).map(|_| {
        let start = Instant::now();
        assert!(command.status().expect("/bin/true").success());
        start.elapsed().as_nanos() as f64
    }))
}

fn fastest(times: impl Iterator<Item = f64>) -> f64 {
    times.fold(f64::INFINITY, f64::min)
}

fn median(numbers: impl Iterator<Item = f64>) -> f64 {
    let mut numbers: Vec<f64> = numbers.collect();
    numbers.sort_by(f64::total_cmp);
    numbers[numbers.len() / 2]
}

fn main() {
    if std::env::args().any(|argument| argument == CHILD) {
        return child();
    }
    let this = std::env::current_exe().expect("this program");
    let image = Workspace::current().image(line::DEFAULT);
    let runner = PathBuf::from(env!("CARGO_BIN_EXE_liblinux-run"));
    // `env` becomes the program, as the runner does, and does nothing else.
    let plain = || Command::new("/usr/bin/env");
    let under = || {
        let mut command = Command::new(&runner);
        if option_env!("LIBLINUX_IMAGE").is_none() {
            command.arg("--image").arg(&image);
        }
        command
    };
    let mut rounds = Vec::new();
    for round in 0..ROUNDS {
        let take = |first: bool| {
            if first == round.is_multiple_of(2) {
                (measured(plain(), &this), start(plain()))
            } else {
                (measured(under(), &this), start(under()))
            }
        };
        let (one, two) = (take(true), take(false));
        rounds.push(if round.is_multiple_of(2) { (one, two) } else { (two, one) });
    }
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN);
    table.set_header(["what", "without the runner", "with it", "ratio", "added"]);
    let mut row = |name: &str, pairs: &[(f64, f64)]| {
        let side = |side: fn(&(f64, f64)) -> f64| median(pairs.iter().map(side));
        let time = |nanoseconds: f64| match nanoseconds.abs() {
            large if large >= 100_000.0 => format!("{:.2} ms", nanoseconds / 1e6),
            small if small >= 1000.0 => format!("{:.1} us", nanoseconds / 1e3),
            _ => format!("{nanoseconds:.1} ns"),
        };
        let ratio = side(|(without, with)| with / without);
        let added = side(|(without, with)| with - without);
        let cells = [
            time(side(|pair| pair.0)),
            time(side(|pair| pair.1)),
            format!("{ratio:.3}"),
            time(added),
        ];
        table.add_row([name.to_owned()].into_iter().chain(cells));
    };
    for (index, measure) in CALLS.iter().chain(EVENTS).enumerate() {
        let pairs: Vec<_> =
            rounds.iter().map(|((without, _), (with, _))| (without[index], with[index])).collect();
        row(measure.name, &pairs);
    }
    let starts: Vec<_> = rounds.iter().map(|((_, without), (_, with))| (*without, *with)).collect();
    row("the runner's own start, by env(1)", &starts);
    println!("{table}");
}
