//! A signal handler that applies fixups, in front of one that only looks: what a program on a stock
//! kernel has.
//!
//! # Invariants
//!
//! 1. The handler of a thread uses the area of that thread, so tests in one process do not meet.
//! 2. It runs on the thread's own stack: a fault in `dispatch` makes it run again, and two signal
//!    frames are more than an alternate stack of the usual size has room for.
//! 3. What it does is what any signal handler may do: it accesses thread-local cells, and calls the
//!    image.

#![expect(unsafe_code, reason = "installs a signal handler")]

use super::entries;
use nix::libc::{self, c_int, siginfo_t, ucontext_t};
use std::cell::Cell;
use std::sync::Once;

/// What the handler behind saw of a signal that no fixup was applied to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The signal.
    pub signal: c_int,
    /// `si_code`.
    pub code: c_int,
    /// Number of the exception.
    pub trap: u64,
    /// Its error code.
    pub error_code: u64,
    /// `cr2`.
    pub address: u64,
    /// Where it was raised.
    pub rip: u64,
    /// What `dispatch` had returned.
    pub dispatched: isize,
    /// Whether `dispatch` had left information and context as the kernel gave them.
    pub is_untouched: bool,
}

thread_local! {
    static AREA: Cell<u64> = const { Cell::new(0) };
    static RESUME: Cell<u64> = const { Cell::new(0) };
    static SEEN: Cell<Option<Seen>> = const { Cell::new(None) };
    static HANDLED: Cell<u64> = const { Cell::new(0) };
}

/// Has the handler use this area in this thread, and returns how many signals it has handled so
/// far.
pub fn set_area(area: u64) -> u64 {
    install();
    AREA.set(area);
    HANDLED.get()
}

/// Where the handler behind continues after the next signal that it sees in this thread.
pub fn resume_at(address: u64) {
    install();
    SEEN.set(None);
    RESUME.set(address);
}

/// What the handler behind saw since [`resume_at`].
pub fn seen() -> Option<Seen> {
    SEEN.take()
}

/// Installs the handler for every signal that an exception raises.
pub fn install() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let _ = entries();
        // SAFETY: all zeros is a valid value of the C struct.
        let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
        action.sa_sigaction = (first as extern "C" fn(_, _, _)) as usize;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_NODEFER;
        for signal in [libc::SIGSEGV, libc::SIGBUS, libc::SIGILL, libc::SIGFPE, libc::SIGTRAP] {
            // SAFETY: the handler keeps to invariant 3.
            let status =
                unsafe { libc::sigaction(signal, &raw const action, std::ptr::null_mut()) };
            assert_eq!(status, 0);
        }
    });
}

/// The handler in front.
extern "C" fn first(signal: c_int, information: *mut siginfo_t, context: *mut ucontext_t) {
    let before = contents(information, context);
    let (information_at, context_at) =
        (information.expose_provenance(), context.expose_provenance());
    let dispatched = (entries().dispatch)(AREA.get(), information_at as u64, context_at as u64);
    if dispatched == 1 {
        HANDLED.set(HANDLED.get() + 1);
        return;
    }
    let after = contents(information, context);
    next(signal, information, context, dispatched, before == after);
}

/// What the kernel gave to the handler: all words of both structures.
fn contents(
    information: *const siginfo_t,
    context: *const ucontext_t,
) -> ([u64; size_of::<siginfo_t>() / 8], [u64; size_of::<ucontext_t>() / 8]) {
    // SAFETY: the kernel gave it to this handler, and wrote all of it.
    let information = unsafe { information.cast::<[u64; size_of::<siginfo_t>() / 8]>().read() };
    // SAFETY: as above.
    let context = unsafe { context.cast::<[u64; size_of::<ucontext_t>() / 8]>().read() };
    (information, context)
}

/// The handler behind.
fn next(
    signal: c_int,
    information: *const siginfo_t,
    context: *mut ucontext_t,
    dispatched: isize,
    is_untouched: bool,
) {
    // SAFETY: the kernel gave it to the handler.
    let code = unsafe { (*information).si_code };
    // SAFETY: as above; no other code has it.
    let registers = unsafe { &mut (*context).uc_mcontext.gregs };
    let register = |index: c_int| registers[index as usize].cast_unsigned();
    SEEN.set(Some(Seen {
        signal,
        code,
        trap: register(libc::REG_TRAPNO),
        error_code: register(libc::REG_ERR),
        address: register(libc::REG_CR2),
        rip: register(libc::REG_RIP),
        dispatched,
        is_untouched,
    }));
    match RESUME.take() {
        // The test does not expect it: it happens again, and ends the process.
        0 => {
            // SAFETY: changes the action of the signal that is being handled.
            unsafe { libc::signal(signal, libc::SIG_DFL) };
        }
        address => registers[libc::REG_RIP as usize] = address.cast_signed(),
    }
}
