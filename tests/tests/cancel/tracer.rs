//! The tracer: it stops a child at an instruction, sets the child's state, and sends the signal.
//!
//! # Invariants
//!
//! 1. A child that does not end in time is killed, and the test fails.

use crate::calls::Call;
use crate::child::{Report, SIGNAL, Task, live};
use liblinux_tests::arch::code::Code;
use liblinux_tests::image::Image;
use nix::libc;
use nix::sys::mman::{MapFlags, ProtFlags, mmap_anonymous, munmap};
use nix::sys::ptrace;
use nix::sys::signal::{Signal, kill, raise};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork};
use std::fs::{File, read_to_string};
use std::num::NonZeroUsize;
use std::os::unix::fs::FileExt as _;
use std::ptr::NonNull;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// A child that takes longer hangs: its cancel was lost.
const PATIENCE: Duration = Duration::from_secs(20);

/// How long the tracer sleeps between looks at its child.
const GLANCE: Duration = Duration::from_micros(50);

const BREAKPOINT: u8 = 0xcc;

/// When the state is set and the signal comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Moment {
    /// In front of the instruction at this address.
    At(u64),
    /// When the thread sleeps in the kernel.
    Asleep,
    /// Not at all.
    Never,
}

/// The offsets of the instructions of a function, from its start.
pub(crate) fn instructions(image: &Image, name: &str) -> Vec<u64> {
    let start = (image.require(name) - image.base()) as u64;
    let code = Code::of(image);
    let all = code.instructions();
    let own = all.map(|(offset, _)| offset).filter(|offset| code.function(*offset) == name);
    own.map(|offset| offset - start).collect()
}

/// Stops at an instruction; none if the call does not come there.
pub(crate) fn at(
    image: &Image,
    call: &Call,
    ready: bool,
    restart: bool,
    ip: u64,
) -> Option<Report> {
    Child::start(Task { image, call, ready, restart, dispatches: true }).interrupted(Moment::At(ip))
}

/// Makes a call, disturbed at a moment that comes in any case.
pub(crate) fn run(
    image: &Image,
    call: &Call,
    ready: bool,
    restart: bool,
    moment: Moment,
) -> Report {
    let child = Child::start(Task { image, call, ready, restart, dispatches: true });
    child.interrupted(moment).unwrap_or_else(|| panic!("{}: {moment:?} does not come", call.name))
}

/// Makes a call whose handler does nothing.
pub(crate) fn without_dispatch(image: &Image, call: &Call, ip: u64) -> Report {
    let task = Task { image, call, ready: true, restart: true, dispatches: false };
    Child::start(task).interrupted(Moment::At(ip)).expect("it comes there")
}

struct Child {
    pid: Pid,
    memory: File,
    report: NonNull<Report>,
    name: &'static str,
}

fn stop() {
    // The tracer sees to it that the signal is not delivered.
    let _ = raise(Signal::SIGSTOP);
}

impl Child {
    fn start(task: Task<'_>) -> Self {
        let size = NonZeroUsize::new(size_of::<Report>()).expect("not empty");
        let protection = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        // SAFETY: a new mapping, at a place that the kernel chooses.
        let report = unsafe { mmap_anonymous(None, size, protection, MapFlags::MAP_SHARED) };
        let report = report.expect("memory").cast::<Report>();
        // SAFETY: the child makes system calls alone, and ends.
        let pid = match unsafe { fork() }.expect("a child") {
            ForkResult::Parent { child } => child,
            ForkResult::Child => {
                if ptrace::traceme().is_ok() {
                    live(task, report.as_ptr(), stop);
                }
                // SAFETY: ends the process, without the destructors of its parent's objects.
                unsafe { libc::_exit(0) }
            }
        };
        let memory = File::options().read(true).write(true).open(format!("/proc/{pid}/mem"));
        let name = task.call.name;
        let child = Self { pid, memory: memory.expect("the child's memory"), report, name };
        let stop = child.passed_alarms();
        let wanted = WaitStatus::Stopped(pid, Signal::SIGSTOP);
        assert_eq!(stop, wanted, "{name}: its objects cannot be set up here");
        ptrace::setoptions(pid, ptrace::Options::PTRACE_O_EXITKILL).expect("a traced child");
        child
    }

    fn interrupted(self, moment: Moment) -> Option<Report> {
        match moment {
            Moment::Never => ptrace::cont(self.pid, None).expect("it continues"),
            Moment::At(ip) => self.interrupt_at(ip)?,
            Moment::Asleep => {
                ptrace::cont(self.pid, None).expect("it continues");
                self.sleeps();
                self.set_state();
                kill(self.pid, Signal::try_from(SIGNAL).expect("a signal")).expect("it is sent");
            }
        }
        Some(self.ends())
    }

    /// Runs to an instruction and takes the signal there; none if the child ends before.
    fn interrupt_at(&self, ip: u64) -> Option<()> {
        let mut old = [0];
        self.memory.read_exact_at(&mut old, ip).expect("the image");
        self.memory.write_all_at(&[BREAKPOINT], ip).expect("the image");
        ptrace::cont(self.pid, None).expect("it continues");
        let stop = self.passed_alarms();
        if stop != WaitStatus::Stopped(self.pid, Signal::SIGTRAP) {
            assert!(matches!(stop, WaitStatus::Exited(..)), "{}: {stop:?}", self.name);
            return None;
        }
        self.memory.write_all_at(&old, ip).expect("the image");
        let mut registers = ptrace::getregs(self.pid).expect("a stopped child");
        assert_eq!(registers.rip, ip + 1);
        registers.rip = ip;
        ptrace::setregs(self.pid, registers).expect("a stopped child");
        self.set_state();
        let signal = Signal::try_from(SIGNAL).expect("a signal");
        ptrace::cont(self.pid, signal).expect("it continues");
        Some(())
    }

    /// The next stop that is not for the signals of its own timer.
    fn passed_alarms(&self) -> WaitStatus {
        loop {
            match self.wait() {
                WaitStatus::Stopped(_, Signal::SIGALRM) => {
                    ptrace::cont(self.pid, Signal::SIGALRM).expect("it continues");
                }
                stop => return stop,
            }
        }
    }

    fn set_state(&self) {
        // SAFETY: the mapping lives until `drop`.
        let state = unsafe { &raw mut (*self.report.as_ptr()).state };
        // SAFETY: likewise; the child reads it by one instruction.
        unsafe { state.write_volatile(1) };
    }

    /// Waits until the child sleeps in the call.
    fn sleeps(&self) {
        let since = Instant::now();
        loop {
            let status = read_to_string(format!("/proc/{}/stat", self.pid)).expect("its status");
            if status.rsplit(')').next().is_some_and(|rest| rest.starts_with(" S")) {
                return;
            }
            assert!(since.elapsed() < PATIENCE, "{}: it does not sleep: {status}", self.name);
            sleep(GLANCE);
        }
    }

    fn wait(&self) -> WaitStatus {
        let since = Instant::now();
        loop {
            match waitpid(self.pid, Some(WaitPidFlag::WNOHANG)).expect("a child") {
                WaitStatus::StillAlive if since.elapsed() > PATIENCE => {
                    panic!("{}: the call waits though it was called off", self.name)
                }
                // No blocking wait: it would outlast a cancel that is lost.
                WaitStatus::StillAlive => sleep(GLANCE),
                stop => return stop,
            }
        }
    }

    /// Lets it run to its end, with every signal that comes.
    fn ends(&self) -> Report {
        let since = Instant::now();
        loop {
            assert!(since.elapsed() < PATIENCE, "{}: it does not end", self.name);
            match self.wait() {
                WaitStatus::Stopped(_, signal) => {
                    ptrace::cont(self.pid, signal).expect("it continues");
                }
                end => {
                    assert_eq!(end, WaitStatus::Exited(self.pid, 0), "{}", self.name);
                    break;
                }
            }
        }
        // SAFETY: the mapping lives until `drop`, and the child has ended.
        let report = unsafe { self.report.read_volatile() };
        assert_eq!(report.done, 1, "{}: it did not come to its end", self.name);
        report
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // It may have ended already.
        if kill(self.pid, Signal::SIGKILL).is_ok() {
            let _ = waitpid(self.pid, Some(WaitPidFlag::__WALL));
        }
        // SAFETY: mapped in `start`, and used by nothing else.
        unsafe { munmap(self.report.cast(), size_of::<Report>()) }.expect("it was mapped");
    }
}
