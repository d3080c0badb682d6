//! The handler of a chain: one for the process, for each signal that has links.
//!
//! A [`Chain`] is the memory, a [`Handler`] what runs it. The handler that was there before is
//! kept, and called as the kernel would call it when no link takes the signal: by the same code as
//! behind exception fixups, which says how each flag is kept.
//!
//! ```no_run
//! use liblinux::Vdso;
//! use liblinux::chain::{Chain, Handler, Link};
//! # use core::ffi::{c_int, c_void};
//!
//! static CHAIN: Chain<16> = Chain::new();
//! static HANDLER: Handler = Handler::new(CHAIN.area());
//! static LINK: Link = Link::new(10, on_signal);
//!
//! unsafe extern "C-unwind" fn on_signal(
//!     _signal: c_int, _info: *mut c_void, _context: *mut c_void, _cookie: *mut c_void,
//! ) -> c_int {
//!     1 // it is taken
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // SAFETY: `on_signal` may run at any moment.
//! unsafe { CHAIN.add(&LINK) }?;
//! HANDLER.install(&Vdso::find()?.or_syscall(), 10)?;
//! # Ok(())
//! # }
//! ```
//!
//! # Invariants
//!
//! 1. A handler is static, and so is its chain: a signal may come for as long as the process lives.
//!    So the program that has a [`Handler`] is never unloaded; a library that may be adds links to
//!    the chain of one that is not, such as `liblinux-signals.so`.
//! 2. The pages of a handler are made once, before a signal has it.

#![expect(unsafe_code, reason = "is called by the handler's code")]

mod earlier;
mod thread;

use crate::signal::{Pages, action, flags_in_front};
use crate::{Errno, Vdso};
use core::ffi::{c_int, c_void};
use core::sync::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst};
use earlier::Earlier;
use liblinux_abi::arch::x86_64::handler::SIGNATURE_SIZE;
pub use liblinux_abi::arch::x86_64::signal::Action;
use liblinux_abi::arch::x86_64::signal::SA_RESTART;
use liblinux_abi::kernel::errno::EINVAL;
pub use liblinux_signal::{
    ACTION, Area, Chain, Error, LAST, Link, Mask, NO_RETURN, OBSERVER, Verdict,
};
use thread::Thread;

/// The signature of pages whose area is a chain's handler, and not one of fixups.
const SIGNATURE: &[u8; SIGNATURE_SIZE] = b"liblinux signals";

/// Answers of `dispatch` to the code of the pages, beside 0: nothing is left to do; or the signal
/// is for the action at its fourth argument.
const DONE: isize = 1;
const FOR_ACTION: isize = 2;

const SIG_DFL: usize = 0;
const SIG_IGN: usize = 1;
const SIGCHLD: usize = 17;

/// Signals that are ignored by default, and those that stop a process (`signal(7)`).
const IGNORED: [usize; 4] = [SIGCHLD, 18, 23, 28];
const STOPPING: [usize; 3] = [20, 21, 22];

/// `SA_NOCLDSTOP` and `SA_NOCLDWAIT` (`include/uapi/asm-generic/signal-defs.h`): which children the
/// kernel tells about, so they stay the earlier action's.
const SA_NOCLDSTOP: u64 = 1;
const SA_NOCLDWAIT: u64 = 2;

/// A function that says which address stands for the instruction of a fault where links are asked
/// whose text it was; none for the instruction itself. The handler calls it for each signal, with
/// its `siginfo_t` and `ucontext_t`.
pub type Origin = unsafe fn(*const c_void, *const c_void) -> Option<u64>;

/// A chain's handler.
#[derive(Debug)]
pub struct Handler {
    area: Area<'static>,
    /// Address of the handler in its pages, or 0.
    code: AtomicUsize,
    /// The signals that had it: bit n - 1 is signal n.
    installed: AtomicU64,
    earlier: [Earlier; 65],
    origin: Option<Origin>,
}

impl Handler {
    /// Of a chain. No signal has it yet.
    pub const fn new(area: Area<'static>) -> Self {
        Self {
            area,
            code: AtomicUsize::new(0),
            installed: AtomicU64::new(0),
            earlier: [const { Earlier::none() }; 65],
            origin: None,
        }
    }

    /// The same, for a program that knows better whose a fault is than the address of the
    /// instruction says, such as one in code that is made at run time.
    #[must_use]
    pub const fn with_origin(mut self, origin: Origin) -> Self {
        self.origin = Some(origin);
        self
    }

    /// The chain.
    pub const fn area(&self) -> Area<'static> {
        self.area
    }

    /// Makes this the process's handler of a signal, in front of the one that is there. Once is
    /// enough: where the signal has it, nothing is done.
    ///
    /// # Errors
    ///
    /// `EINVAL` for a number that is not a signal's or of one that cannot be handled; `EEXIST` if
    /// the signal had this handler and has another one now, which may pass signals on to this one:
    /// in front of it, the two would call each other for good; and the errors of `mmap`.
    pub fn install(&'static self, vdso: &Vdso, signal: c_int) -> Result<(), Errno> {
        let number = self.number(signal)?;
        let pages = self.pages(vdso)?;
        // In this order: of a thread that installs it at the same time the handler is seen, too.
        let was_installed = self.installed.load(SeqCst) & 1 << (number - 1) != 0;
        let before = action(vdso, number)?;
        if before.handler == pages.handler() {
            return Ok(());
        }
        if was_installed && before.handler > SIG_IGN {
            return Err(Errno::EEXIST);
        }
        self.earlier[number].set(&before);
        let replaced = pages.replace(vdso, number, flags(number, &before))?;
        // Of two threads that install it, the second one finds this handler, and not what was
        // before.
        if replaced.handler != pages.handler() {
            self.earlier[number].set(&replaced);
        }
        self.installed.fetch_or(1 << (number - 1), SeqCst);
        Ok(())
    }

    /// Whether the process's handler of a signal is this one.
    ///
    /// # Errors
    ///
    /// `EINVAL` for a number that is not a signal's.
    pub fn is_installed(&self, vdso: &Vdso, signal: c_int) -> Result<bool, Errno> {
        let code = self.code.load(SeqCst);
        Ok(code != 0 && action(vdso, self.number(signal)?)?.handler == code)
    }

    /// The action that a signal is for if no link takes it.
    ///
    /// # Errors
    ///
    /// `EINVAL` for a number that is not a signal's.
    pub fn earlier(&self, signal: c_int) -> Result<Action, Errno> {
        Ok(self.earlier[self.number(signal)?].get())
    }

    /// Changes it, for a program that knows better, such as one that makes a link of it.
    ///
    /// # Errors
    ///
    /// `EINVAL` for a number that is not a signal's.
    pub fn set_earlier(&self, signal: c_int, action: &Action) -> Result<(), Errno> {
        self.earlier[self.number(signal)?].set(action);
        Ok(())
    }

    fn number(&self, signal: c_int) -> Result<usize, Errno> {
        const INVALID: Errno = Errno::new(EINVAL as u16).expect("an error number");
        usize::try_from(signal).ok().filter(|number| (1..=64).contains(number)).ok_or(INVALID)
    }

    /// Its pages, which are made where they are not.
    fn pages(&'static self, vdso: &Vdso) -> Result<Pages, Errno> {
        if let Some(pages) = Pages::with_handler(self.code.load(SeqCst)) {
            return Ok(pages);
        }
        let area = (&raw const *self).expose_provenance() as u64;
        let made = Pages::make(vdso, SIGNATURE, area, dispatch as *const () as usize)?;
        match self.code.compare_exchange(0, made.handler(), SeqCst, SeqCst) {
            Ok(_) => Ok(made),
            Err(winner) => {
                made.unmap(vdso);
                Ok(Pages::with_handler(winner).unwrap_or(made))
            }
        }
    }
}

/// Flags of the handler in front of an action.
fn flags(signal: usize, before: &Action) -> u64 {
    let children = if signal != SIGCHLD {
        0
    } else if before.handler == SIG_IGN {
        SA_NOCLDWAIT
    } else {
        before.flags & (SA_NOCLDSTOP | SA_NOCLDWAIT)
    };
    let ignored = before.handler == SIG_DFL && IGNORED.contains(&signal);
    flags_in_front(before) | children | if ignored { SA_RESTART } else { 0 }
}

/// The function that the handler's code asks.
unsafe extern "C" fn dispatch(
    handler: *const Handler,
    information: *mut c_void,
    context: *mut c_void,
    chosen: *mut Action,
) -> isize {
    // SAFETY: the data of pages that were made for this handler, which is static.
    let handler = unsafe { &*handler };
    // SAFETY: the kernel's `siginfo_t` begins with the signal.
    let signal = unsafe { information.cast::<c_int>().read() };
    let thread = Thread::of(handler.code.load(SeqCst));
    // SAFETY: the kernel's frame.
    let code = handler.origin.and_then(|origin| unsafe { origin(information, context) });
    // SAFETY: the frame of that signal.
    let verdict = unsafe { handler.area.dispatch_as(&thread, signal, information, context, code) };
    let number = signal as usize & 127;
    let action = match verdict {
        Verdict::Taken => return DONE,
        Verdict::Action(action) => action,
        Verdict::Declined => match handler.earlier.get(number) {
            Some(earlier) => earlier.take(),
            None => return DONE,
        },
    };
    if action.handler == SIG_DFL && IGNORED.contains(&number) {
        return DONE;
    }
    if action.handler == SIG_DFL && STOPPING.contains(&number) {
        thread.stop(signal, information);
        return DONE;
    }
    // SAFETY: the code's own frame.
    unsafe { chosen.write(action) };
    FOR_ACTION
}
