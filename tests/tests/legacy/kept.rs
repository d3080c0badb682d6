//! Why `poll` and `select` are not functions over newer calls: the limits of the newer calls, seen
//! on this kernel.

use crate::Function;
use crate::child::Child;
use nix::sys::mman::{MapFlags, ProtFlags, mmap_anonymous, mprotect};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use std::ffi::c_int;
use std::num::NonZeroUsize;
use std::sync::atomic::Ordering::SeqCst;
use std::sync::atomic::{AtomicI64, AtomicPtr};
use std::time::{Duration, Instant};

/// A time-out, and for how much of it the child is stopped.
const TIMEOUT: Duration = Duration::from_millis(1000);
const STOP: Duration = Duration::from_millis(700);

const EINTR: i64 = -4;

/// How long a call waits, and how long of that its process is stopped.
fn waits(function: Function, arguments: impl Fn(&mut [i64; 2]) -> [usize; 6]) -> [Duration; 2] {
    let child = Child::start(|numbers| {
        let mut time = [0, 0];
        let start = Instant::now();
        numbers[0].store(1, SeqCst);
        // SAFETY: nothing is waited for, and the kernel may write to `time`.
        let result = unsafe { function.call(arguments(&mut time)) };
        numbers[1].store(start.elapsed().as_micros() as i64, SeqCst);
        numbers[2].store(result as i64, SeqCst);
    });
    child.await_sleep(0);
    let stopped = child.stop_for(STOP);
    let [_, microseconds, result, ..] = child.end();
    assert_eq!(result, 0, "the time-out is over");
    [Duration::from_micros(microseconds.unsigned_abs()), stopped]
}

#[test]
fn a_stop_does_not_move_the_end_of_poll() {
    let milliseconds = TIMEOUT.as_millis() as usize;
    let poll = waits(Function::bare("poll"), |_| [0, 0, milliseconds, 0, 0, 0]);
    let ppoll = waits(Function::bare("ppoll"), |time| {
        *time = [TIMEOUT.as_secs() as i64, TIMEOUT.subsec_nanos().into()];
        [0, 0, time.as_ptr().addr(), 0, 0, 0]
    });
    let [poll, stopped] = poll;
    assert!(poll < TIMEOUT + stopped, "poll took {poll:?}, {stopped:?} of it stopped");
    let [ppoll, stopped] = ppoll;
    assert!(ppoll >= TIMEOUT + stopped, "ppoll took {ppoll:?}, {stopped:?} of it stopped");
}

/// The timeval that a child waits with, and the seconds that its handler saw there.
static TIMEVAL: AtomicPtr<[i64; 2]> = AtomicPtr::new(std::ptr::null_mut());
static SEEN: AtomicI64 = AtomicI64::new(0);

extern "C" fn look(_: c_int) {
    // SAFETY: a child sets it to memory that outlives the call.
    SEEN.store(unsafe { TIMEVAL.load(SeqCst).read_volatile() }[0], SeqCst);
}

#[test]
fn a_handler_sees_the_time_that_select_has_left() {
    let select = Function::bare("select");
    let child = Child::start(|numbers| {
        let mut time = [100, 0];
        TIMEVAL.store(&raw mut time, SeqCst);
        let action = SigAction::new(SigHandler::Handler(look), SaFlags::empty(), SigSet::empty());
        // SAFETY: the handler reads the memory that was announced.
        if unsafe { sigaction(Signal::SIGUSR1, &action) }.is_err() {
            return;
        }
        numbers[0].store(1, SeqCst);
        // SAFETY: nothing is waited for, and the kernel writes to `time`.
        let result = unsafe { select.call([0, 0, 0, 0, TIMEVAL.load(SeqCst).addr(), 0]) };
        numbers[1].store(result as i64, SeqCst);
        numbers[2].store(SEEN.load(SeqCst), SeqCst);
    });
    child.await_sleep(0);
    child.signal(Signal::SIGUSR1);
    let [_, result, seen, ..] = child.end();
    assert_eq!(result, EINTR);
    assert!((1..100).contains(&seen), "the handler saw {seen} s");
}

#[test]
fn a_stop_ends_select_with_a_timeval_that_cannot_be_written() {
    let select = Function::bare("select");
    let size = NonZeroUsize::new(4096).expect("not zero");
    let protection = ProtFlags::PROT_READ | ProtFlags::PROT_WRITE;
    // SAFETY: a new mapping, at a place that the kernel chooses.
    let page =
        unsafe { mmap_anonymous(None, size, protection, MapFlags::MAP_PRIVATE) }.expect("a page");
    // SAFETY: the page is ours and writable.
    unsafe { page.cast::<[i64; 2]>().write([100, 0]) };
    // SAFETY: no code writes to it any more.
    unsafe { mprotect(page, size.get(), ProtFlags::PROT_READ) }.expect("a read-only page");
    let child = Child::start(|numbers| {
        numbers[0].store(1, SeqCst);
        // SAFETY: nothing is waited for, and the kernel finds that it cannot write.
        let result = unsafe { select.call([0, 0, 0, 0, page.as_ptr().addr(), 0]) };
        numbers[1].store(result as i64, SeqCst);
    });
    child.await_sleep(0);
    child.stop_for(Duration::from_millis(20));
    assert_eq!(child.end()[1], EINTR);
}
