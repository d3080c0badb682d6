//! A child that does something and leaves numbers behind.

use nix::sys::mman::{MapFlags, ProtFlags, mmap_anonymous, munmap};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork};
use std::num::NonZeroUsize;
use std::ptr::NonNull;
use std::sync::atomic::AtomicI64;
use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

/// How many numbers a child may leave.
pub(crate) const NUMBERS: usize = 8;

/// What parent and child share.
pub(crate) type Numbers = [AtomicI64; NUMBERS];

/// How long a child may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running child, and the memory that is shared with it.
pub(crate) struct Child {
    pub(crate) pid: Pid,
    numbers: NonNull<Numbers>,
    ended: Option<WaitStatus>,
}

impl Child {
    /// Has a child do it.
    pub(crate) fn start(work: impl FnOnce(&Numbers)) -> Self {
        let size = NonZeroUsize::new(size_of::<Numbers>()).expect("not empty");
        let protection = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
        // SAFETY: a new mapping, at a place that the kernel chooses.
        let numbers = unsafe { mmap_anonymous(None, size, protection, MapFlags::MAP_SHARED) };
        let numbers = numbers.expect("shared memory").cast::<Numbers>();
        // SAFETY: the child keeps to invariant 1 of the test.
        let pid = match unsafe { fork() }.expect("a child") {
            ForkResult::Parent { child } => child,
            ForkResult::Child => {
                // SAFETY: mapped, aligned, and zeros are a value of atomics.
                work(unsafe { numbers.as_ref() });
                // SAFETY: ends the process, without the destructors of its parent's objects.
                unsafe { nix::libc::_exit(0) }
            }
        };
        Self { pid, numbers, ended: None }
    }

    /// The numbers so far.
    pub(crate) fn numbers(&self) -> [i64; NUMBERS] {
        // SAFETY: mapped for as long as `self` lives.
        let numbers = unsafe { self.numbers.as_ref() };
        numbers.each_ref().map(|number| number.load(SeqCst))
    }

    /// Waits until a number is not zero any more and the child sleeps in the kernel.
    pub(crate) fn await_sleep(&self, number: usize) {
        let state = || {
            let text =
                std::fs::read_to_string(format!("/proc/{}/stat", self.pid)).expect("its state");
            text.rsplit(") ").next().and_then(|rest| rest.chars().next())
        };
        self.poll(|| self.numbers()[number] != 0 && state() == Some('S'), "it never slept");
    }

    /// Waits until something holds.
    pub(crate) fn poll(&self, holds: impl Fn() -> bool, complaint: &str) {
        let start = Instant::now();
        while !holds() {
            assert!(start.elapsed() < PATIENCE, "child {}: {complaint}", self.pid);
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        kill(self.pid, signal).expect("a living child");
    }

    /// Stops it for a while; how long it certainly was stopped.
    pub(crate) fn stop_for(&self, time: Duration) -> Duration {
        self.signal(Signal::SIGSTOP);
        let stopped = waitpid(self.pid, Some(WaitPidFlag::WUNTRACED)).expect("a stop");
        assert_eq!(stopped, WaitStatus::Stopped(self.pid, Signal::SIGSTOP));
        let start = Instant::now();
        std::thread::sleep(time);
        let stopped = start.elapsed();
        self.signal(Signal::SIGCONT);
        stopped
    }

    /// The numbers at its end.
    pub(crate) fn end(mut self) -> [i64; NUMBERS] {
        let start = Instant::now();
        let status = loop {
            match waitpid(self.pid, Some(WaitPidFlag::WNOHANG)).expect("a child") {
                WaitStatus::StillAlive => {
                    assert!(start.elapsed() < PATIENCE, "child {} does not end", self.pid);
                    std::thread::sleep(Duration::from_millis(1));
                }
                status => break status,
            }
        };
        self.ended = Some(status);
        assert_eq!(status, WaitStatus::Exited(self.pid, 0));
        self.numbers()
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if self.ended.is_none() {
            // It may be gone already.
            let _ = kill(self.pid, Signal::SIGKILL);
            let _ = waitpid(self.pid, None);
        }
        // SAFETY: no reference to the mapping remains. An error would leave it mapped, which does
        // no harm.
        let _ = unsafe { munmap(self.numbers.cast(), size_of::<Numbers>()) };
    }
}
