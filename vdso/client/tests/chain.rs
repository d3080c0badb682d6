//! A chain's handler in front of each kind of disposition, on this kernel and without an image.
//!
//! # Invariants
//!
//! 1. Dispositions are a process's, so each test has a child of its own.

#![expect(unsafe_code, reason = "forks, and installs handlers")]

use liblinux::chain::{Chain, Handler, Link};
use liblinux::{Errno, Vdso};
use nix::libc::{c_int, c_void};
use nix::sys::signal::{SaFlags, SigAction, SigHandler, SigSet, Signal, kill, raise, sigaction};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::{ForkResult, Pid, fork};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicI32, AtomicU64, Ordering::SeqCst};

/// No image: the calls go by the bare instruction.
static VDSO: Vdso = Vdso::none().or_syscall();

static CHAIN: Chain<8> = Chain::new();
static HANDLER: Handler = Handler::new(CHAIN.area());

static CALLS: AtomicI32 = AtomicI32::new(0);
static EARLIER: AtomicI32 = AtomicI32::new(0);
static MASK: AtomicU64 = AtomicU64::new(0);

unsafe extern "C-unwind" fn on_signal(
    _: c_int,
    _: *mut c_void,
    _: *mut c_void,
    cookie: *mut c_void,
) -> c_int {
    CALLS.fetch_add(1, SeqCst);
    let mut mask = SigSet::empty();
    nix::sys::signal::sigprocmask(nix::sys::signal::SigmaskHow::SIG_BLOCK, None, Some(&mut mask))
        .expect("a mask");
    let bits =
        mask.iter().map(|signal| 1 << (signal as u32 - 1)).fold(0, |all, bit: u64| all | bit);
    MASK.store(bits, SeqCst);
    c_int::from(!cookie.is_null())
}

extern "C" fn earlier(_: c_int) {
    EARLIER.fetch_add(1, SeqCst);
}

fn link(signal: Signal, takes: bool) -> &'static Link {
    let cookie = std::ptr::without_provenance_mut(usize::from(takes));
    let mask = 1 << (Signal::SIGUSR2 as u32 - 1);
    let link = Link::new(signal as c_int, on_signal).cookie(cookie).mask(mask);
    let link: &Link = Box::leak(Box::new(link));
    // SAFETY: the handler counts, and the link is never freed.
    unsafe { CHAIN.add(link) }.expect("there is room");
    link
}

fn install(signal: Signal) {
    HANDLER.install(&VDSO, signal as c_int).expect("a handler");
}

fn dispose(signal: Signal, handler: SigHandler) {
    let action = SigAction::new(handler, SaFlags::empty(), SigSet::empty());
    // SAFETY: the handler counts.
    unsafe { sigaction(signal, &action) }.expect("a disposition");
}

fn child(body: impl FnOnce()) -> Pid {
    // SAFETY: the child runs `body`, and ends.
    match unsafe { fork() }.expect("a child") {
        ForkResult::Parent { child } => child,
        ForkResult::Child => {
            let result = catch_unwind(AssertUnwindSafe(body));
            // SAFETY: ends the child without the harness's exit handlers.
            unsafe { nix::libc::_exit(if result.is_ok() { 0 } else { 101 }) }
        }
    }
}

#[track_caller]
fn passes(body: impl FnOnce()) {
    let child = child(body);
    assert_eq!(waitpid(child, None), Ok(WaitStatus::Exited(child, 0)));
}

#[test]
fn a_signal_that_no_link_takes_is_the_earlier_handlers() {
    passes(|| {
        dispose(Signal::SIGUSR1, SigHandler::Handler(earlier));
        install(Signal::SIGUSR1);
        install(Signal::SIGUSR1);
        raise(Signal::SIGUSR1).expect("a signal");
        assert_eq!((CALLS.load(SeqCst), EARLIER.load(SeqCst)), (0, 1));
        link(Signal::SIGUSR1, false);
        raise(Signal::SIGUSR1).expect("a signal");
        assert_eq!((CALLS.load(SeqCst), EARLIER.load(SeqCst)), (1, 2));
        let mask = MASK.load(SeqCst);
        assert_eq!(mask, 1 << (Signal::SIGUSR2 as u32 - 1), "the link's mask, while it runs");
        let taker = link(Signal::SIGUSR1, true);
        raise(Signal::SIGUSR1).expect("a signal");
        assert_eq!((CALLS.load(SeqCst), EARLIER.load(SeqCst)), (2, 2));
        assert!(SigSet::thread_get_mask().expect("a mask").iter().next().is_none());
        CHAIN.remove(taker).expect("no handler is in flight");
        raise(Signal::SIGUSR1).expect("a signal");
        assert_eq!((CALLS.load(SeqCst), EARLIER.load(SeqCst)), (3, 3));
    });
}

#[test]
fn what_is_ignored_by_default_or_on_purpose_stays_so() {
    passes(|| {
        for signal in [Signal::SIGCHLD, Signal::SIGCONT, Signal::SIGURG, Signal::SIGWINCH] {
            install(signal);
        }
        for signal in [Signal::SIGTERM, Signal::SIGTSTP] {
            dispose(signal, SigHandler::SigIgn);
            install(signal);
        }
        for signal in [
            Signal::SIGCHLD,
            Signal::SIGCONT,
            Signal::SIGURG,
            Signal::SIGWINCH,
            Signal::SIGTERM,
            Signal::SIGTSTP,
        ] {
            raise(signal).expect("a signal");
            // And the chain has the signal as before.
            link(signal, true);
            raise(signal).expect("a signal");
        }
        assert_eq!(CALLS.load(SeqCst), 6);
    });
}

#[test]
fn what_ends_a_process_by_default_does() {
    for signal in [Signal::SIGTERM, Signal::SIGABRT, Signal::SIGALRM] {
        let child = child(|| {
            install(signal);
            link(signal, false);
            raise(signal).expect("a signal");
        });
        let status = waitpid(child, None).expect("its end");
        assert!(matches!(status, WaitStatus::Signaled(_, by, _) if by == signal), "{status:?}");
    }
}

#[test]
fn a_process_stops_and_continues_and_keeps_its_chain() {
    let child = child(|| {
        // The kernel stops no process of a group whose parents are all in it, or gone.
        nix::unistd::setpgid(Pid::from_raw(0), Pid::from_raw(0)).expect("a group of its own");
        install(Signal::SIGTSTP);
        raise(Signal::SIGTSTP).expect("a signal");
        link(Signal::SIGTSTP, true);
        raise(Signal::SIGTSTP).expect("a signal");
        assert_eq!(CALLS.load(SeqCst), 1);
    });
    let status = waitpid(child, Some(WaitPidFlag::WUNTRACED));
    assert_eq!(status, Ok(WaitStatus::Stopped(child, Signal::SIGTSTP)));
    kill(child, Signal::SIGCONT).expect("it continues");
    assert_eq!(waitpid(child, None), Ok(WaitStatus::Exited(child, 0)));
}

#[test]
fn children_that_are_ignored_are_reaped_as_before() {
    passes(|| {
        dispose(Signal::SIGCHLD, SigHandler::SigIgn);
        install(Signal::SIGCHLD);
        let gone = child(|| {});
        assert_eq!(waitpid(gone, None), Err(nix::errno::Errno::ECHILD));
    });
}

#[test]
fn a_real_time_signal_has_a_chain_too() {
    passes(|| {
        const LAST: c_int = 64;
        HANDLER.install(&VDSO, LAST).expect("a handler");
        let link = Link::new(LAST, on_signal).cookie(std::ptr::without_provenance_mut(1));
        let link = Box::leak(Box::new(link));
        // SAFETY: as in `link`.
        unsafe { CHAIN.add(link) }.expect("there is room");
        // SAFETY: to this process.
        assert_eq!(unsafe { nix::libc::raise(LAST) }, 0);
        assert_eq!(CALLS.load(SeqCst), 1);
        for number in [0, 65, -1] {
            assert_eq!(HANDLER.install(&VDSO, number), Err(Errno::EINVAL));
        }
        assert_eq!(HANDLER.install(&VDSO, Signal::SIGKILL as c_int), Err(Errno::EINVAL));
    });
}

#[test]
fn two_chains_run_one_behind_the_other_and_make_no_cycle() {
    static SECOND: Chain<1> = Chain::new();
    static BEHIND: Handler = Handler::new(SECOND.area());
    passes(|| {
        dispose(Signal::SIGUSR1, SigHandler::Handler(earlier));
        BEHIND.install(&VDSO, Signal::SIGUSR1 as c_int).expect("a handler");
        install(Signal::SIGUSR1);
        // In front of its own successor, it would be called by it for good.
        let again = BEHIND.install(&VDSO, Signal::SIGUSR1 as c_int);
        assert_eq!(again, Err(Errno::EEXIST));
        let link = Box::leak(Box::new(Link::new(Signal::SIGUSR1 as c_int, on_signal)));
        // SAFETY: as in `link`.
        unsafe { SECOND.add(link) }.expect("there is room");
        self::link(Signal::SIGUSR1, false);
        raise(Signal::SIGUSR1).expect("a signal");
        assert_eq!((CALLS.load(SeqCst), EARLIER.load(SeqCst)), (2, 1));
    });
}
