//! Calls that wait, under signals: which are interrupted, which continue, and that none loses its
//! arguments.

use crate::Function;
use crate::child::{Child, NUMBERS, Numbers};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, sigaction};
use nix::sys::stat::Mode;
use std::ffi::c_int;
use std::sync::atomic::AtomicI64;
use std::sync::atomic::Ordering::SeqCst;
use std::time::{Duration, Instant};

/// What a child's numbers mean.
const STARTED: usize = 0;
const RESULT: usize = 1;
const HANDLED: usize = 2;
const MASK_KEPT: usize = 3;

const EINTR: i64 = -4;

/// How often the child's handler ran.
static COUNT: AtomicI64 = AtomicI64::new(0);

extern "C" fn count(_: c_int) {
    COUNT.fetch_add(1, SeqCst);
}

/// What happens to a child that waits.
#[derive(Clone, Copy, Debug)]
enum Event {
    /// A signal with a handler.
    Handled(SaFlags),
    /// A signal that is ignored.
    Ignored,
    /// A stop.
    Stopped,
}

const EVENTS: [Event; 4] = [
    Event::Handled(SaFlags::empty()),
    Event::Handled(SaFlags::SA_RESTART),
    Event::Ignored,
    Event::Stopped,
];

/// Has a child make a call, and `event` happen in it; `release` ends the wait of one that
/// continues.
fn disturb(
    function: Function,
    arguments: [usize; 6],
    event: Event,
    release: &dyn Fn(&Child),
) -> [i64; NUMBERS] {
    let child = Child::start(|numbers: &Numbers| {
        let (handler, flags) = match event {
            Event::Handled(flags) => (SigHandler::Handler(count), flags),
            Event::Ignored | Event::Stopped => (SigHandler::SigIgn, SaFlags::empty()),
        };
        let install = |signal, handler, flags| {
            // SAFETY: the handler counts and nothing else.
            unsafe { sigaction(signal, &SigAction::new(handler, flags, SigSet::empty())) }.is_ok()
        };
        let last = install(Signal::SIGUSR2, SigHandler::Handler(count), SaFlags::empty());
        if !install(Signal::SIGUSR1, handler, flags) || !last {
            return;
        }
        let mut blocked = SigSet::empty();
        blocked.add(Signal::SIGHUP);
        let is_blocked = blocked.thread_block().is_ok();
        numbers[STARTED].store(1, SeqCst);
        // SAFETY: the call waits, and makes a descriptor at most.
        let result = unsafe { function.call(arguments) };
        numbers[RESULT].store(result as i64, SeqCst);
        numbers[HANDLED].store(COUNT.load(SeqCst), SeqCst);
        let mask = SigSet::thread_get_mask();
        numbers[MASK_KEPT]
            .store(i64::from(is_blocked && mask.is_ok_and(|mask| mask == blocked)), SeqCst);
    });
    child.await_sleep(STARTED);
    match event {
        Event::Handled(_) | Event::Ignored => child.signal(Signal::SIGUSR1),
        Event::Stopped => {
            child.stop_for(Duration::from_millis(20));
        }
    }
    if let Event::Handled(flags) = event
        && flags.is_empty()
    {
        child.poll(|| child.numbers()[RESULT] != 0, "a handler did not end its wait");
    }
    // Time to be wrong: a call that should continue would be over.
    std::thread::sleep(Duration::from_millis(50));
    if child.numbers()[RESULT] == 0 {
        release(&child);
    }
    child.end()
}

/// Compares both ways of a call under each event; which of [`EVENTS`] interrupted it, without the
/// one that ended it.
fn compare(name: &str, arguments: [usize; 6], release: &dyn Fn(&Child)) -> [i64; 4] {
    EVENTS.map(|event| {
        let [ours, bare] =
            Function::both(name).map(|function| disturb(function, arguments, event, release));
        assert_eq!(ours[RESULT], bare[RESULT], "{name} under {event:?}");
        assert_eq!(ours[MASK_KEPT], 1, "{name} changed the signal mask");
        if matches!(event, Event::Handled(_)) {
            assert!(ours[HANDLED] > 0, "{name}: no handler ran");
        }
        ours[RESULT]
    })
}

fn second_signal(child: &Child) {
    child.signal(Signal::SIGUSR2);
}

#[test]
fn pause_ends_after_any_handler_and_only_then() {
    let results = compare("pause", [1, 2, 3, 4, 5, 6], &second_signal);
    assert_eq!(results, [EINTR; 4]);
    // Without its own handler a signal does not end the wait: the second one did.
    let ignored = disturb(Function::both("pause")[0], [0; 6], Event::Ignored, &second_signal);
    assert_eq!(ignored[HANDLED], 1);
}

/// An epoll instance that nothing is ever ready in.
fn epoll() -> usize {
    // SAFETY: makes a descriptor.
    let made = unsafe { Function::bare("epoll_create1").call([0; 6]) };
    usize::try_from(made).expect("an epoll instance")
}

#[test]
fn epoll_wait_is_interrupted_even_by_a_stop() {
    let (epoll, events) = (epoll(), Box::new([0_u8; 12]));
    for timeout in [usize::MAX, 600_000] {
        let arguments = [epoll, events.as_ptr().addr(), 1, timeout, 5, 6];
        let results = compare("epoll_wait", arguments, &second_signal);
        assert_eq!(results, [EINTR; 4]);
    }
}

#[test]
fn epoll_wait_takes_its_time() {
    let (epoll, events) = (epoll(), Box::new([0_u8; 12]));
    for function in Function::both("epoll_wait") {
        for milliseconds in [0, 120] {
            let start = Instant::now();
            // SAFETY: the kernel may write one event.
            let result =
                unsafe { function.call([epoll, events.as_ptr().addr(), 1, milliseconds, 0, 0]) };
            assert_eq!(result, 0);
            assert!(start.elapsed() >= Duration::from_millis(milliseconds as u64));
        }
    }
}

/// `openat` waits for a writer, and is restarted where it waits: with the arguments that the
/// function moved.
#[test]
fn open_is_restarted_with_its_arguments() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("fifo");
    nix::unistd::mkfifo(&path, Mode::S_IRWXU).expect("a named pipe");
    let name = std::ffi::CString::new(path.as_os_str().as_encoded_bytes()).expect("a path");
    let write =
        |_: &Child| drop(std::fs::File::options().write(true).open(&path).expect("a writer"));
    let results = compare("open", [name.as_ptr().addr(), 0, 0, 4, 5, 6], &write);
    let [interrupted, restarted, ignored, stopped] = results;
    assert_eq!(interrupted, EINTR);
    assert!(restarted > 0 && ignored > 0 && stopped > 0, "{results:?}");
}
