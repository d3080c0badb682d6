// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A link: one handler of one signal.

use crate::atomic::Word;
use core::ffi::{c_int, c_void};
use liblinux_abi::arch::x86_64::signal::Action;

/// A handler: signal, `siginfo_t`, `ucontext_t` and the link's cookie. It returns whether it takes
/// the signal: 0 leaves it to the links behind, any other value ends the chain.
///
/// It runs as a signal handler does, on any thread and in the middle of anything, and preserves
/// `errno`.
pub type Handler =
    unsafe extern "C-unwind" fn(c_int, *mut c_void, *mut c_void, *mut c_void) -> c_int;

/// Flag of a link: the handler only looks. The signal continues to the links behind, whatever the
/// handler returns.
pub const OBSERVER: u32 = 1;

/// Flag of a link: the handler may jump away (`siglongjmp`). It is not counted while it runs, so
/// the library has to know by itself when it may go.
pub const NO_RETURN: u32 = 2;

/// Flag of a link: in place of a function, it has an action as `sigaction` takes it. Such a handler
/// has no way to decline, so it ends the chain, behind the links that are functions.
/// [`crate::Area::dispatch`] does not call it: the handler of the process does, as the kernel
/// would.
pub const ACTION: u32 = 4;

/// Flag of a link: it runs behind all links without the flag, those with an action as well, if none
/// of them took the signal. For a handler that reports crashes.
pub const LAST: u32 = 8;

/// A handler of a signal, and what it needs. `struct liblinux_signal_link` in C.
#[repr(C, align(64))]
#[derive(Debug)]
pub struct Link {
    pub(crate) signal: c_int,
    pub(crate) order: c_int,
    pub(crate) flags: u32,
    reserved: u32,
    pub(crate) handler: Option<Handler>,
    pub(crate) cookie: *mut c_void,
    pub(crate) mask: u64,
    pub(crate) text_start: u64,
    pub(crate) text_len: u64,
    pub(crate) memory_start: u64,
    pub(crate) memory_len: u64,
    action_handler: Word,
    action_flags: u64,
    restorer: u64,
    pub(crate) sequence: Word,
}

// SAFETY: the cookie is handed to the handler and never followed, and the other fields are numbers.
#[expect(unsafe_code, reason = "a cookie is a pointer")]
unsafe impl Sync for Link {}

impl Link {
    const fn with(signal: c_int, flags: u32, handler: Option<Handler>) -> Self {
        Self {
            signal,
            order: 0,
            flags,
            reserved: 0,
            handler,
            cookie: core::ptr::null_mut(),
            mask: 0,
            text_start: 0,
            text_len: 0,
            memory_start: 0,
            memory_len: 0,
            action_handler: Word::new(0),
            action_flags: 0,
            restorer: 0,
            sequence: Word::new(0),
        }
    }

    /// A link that may take a signal.
    pub const fn new(signal: c_int, handler: Handler) -> Self {
        Self::with(signal, 0, Some(handler))
    }

    /// A link that calls a handler as the kernel would, by its action. Its `SA_RESETHAND` holds for
    /// the link.
    pub const fn of_action(signal: c_int, action: &Action) -> Self {
        let mut link = Self::with(signal, ACTION, None);
        link.action_handler = Word::new(action.handler as u64);
        link.action_flags = action.flags;
        link.restorer = action.restorer as u64;
        link.mask = action.mask;
        link
    }

    /// Where in the chain: links of a lower order run before, and of two with the same order the
    /// one that was added later. 0 unless it is set.
    #[must_use]
    pub const fn order(mut self, order: c_int) -> Self {
        self.order = order;
        self
    }

    /// The handler's fourth argument.
    #[must_use]
    pub const fn cookie(mut self, cookie: *mut c_void) -> Self {
        self.cookie = cookie;
        self
    }

    /// Signals that are blocked while the handler runs, beside those that are: bit n - 1 is
    /// signal n.
    #[must_use]
    pub const fn mask(mut self, mask: u64) -> Self {
        self.mask = mask;
        self
    }

    /// Code whose faults are this link's first, before all links without that text: SIGSEGV,
    /// SIGBUS, SIGILL and SIGFPE that an instruction of it raised. Before them is a link whose
    /// [`memory`](Self::memory) was touched.
    #[must_use]
    pub const fn text(mut self, start: u64, len: u64) -> Self {
        self.text_start = start;
        self.text_len = len;
        self
    }

    /// Addresses whose faults are this link's first, whichever code touches them: SIGSEGV and
    /// SIGBUS with an address in there. For a heap with a write barrier, a guard region, a mapped
    /// file.
    #[must_use]
    pub const fn memory(mut self, start: u64, len: u64) -> Self {
        self.memory_start = start;
        self.memory_len = len;
        self
    }

    /// The handler only looks: see [`OBSERVER`].
    #[must_use]
    pub const fn observer(mut self) -> Self {
        self.flags |= OBSERVER;
        self
    }

    /// It runs behind all others: see [`LAST`].
    #[must_use]
    pub const fn last(mut self) -> Self {
        self.flags |= LAST;
        self
    }

    /// The handler may jump away: see [`NO_RETURN`].
    #[must_use]
    pub const fn no_return(mut self) -> Self {
        self.flags |= NO_RETURN;
        self
    }

    /// The signal that it is for, and whether it has an action in place of a function.
    pub const fn signal(&self) -> (c_int, bool) {
        (self.signal, self.flags & ACTION != 0)
    }

    /// A number that grows from link to link as they are added.
    pub fn age(&self) -> u64 {
        self.sequence.load()
    }

    /// The action of a link that has one, and whose handler is not gone by `SA_RESETHAND`.
    pub fn action(&self) -> Option<Action> {
        let handler = self.action_handler.load() as usize;
        (self.flags & ACTION != 0 && handler != 0).then(|| self.action_with(handler))
    }

    /// The same, and takes the handler away if its action says so: one thread alone gets it.
    pub(crate) fn take_action(&self, resets: u64) -> Option<Action> {
        if self.action_flags & resets == 0 {
            return self.action();
        }
        let handler = self.action_handler.swap(0) as usize;
        (handler != 0).then(|| self.action_with(handler))
    }

    fn action_with(&self, handler: usize) -> Action {
        let (flags, restorer) = (self.action_flags, self.restorer as usize);
        Action { handler, flags, restorer, mask: self.mask }
    }

    /// Whether it can be added.
    pub(crate) fn is_well_formed(&self) -> bool {
        const KILL: c_int = 9;
        const STOP: c_int = 19;
        let has_handler = match self.handler {
            Some(_) => self.flags & ACTION == 0,
            None => self.flags == ACTION && self.action_handler.load() != 0,
        };
        (1..=64).contains(&self.signal)
            && self.signal != KILL
            && self.signal != STOP
            && self.flags & !(OBSERVER | NO_RETURN | ACTION | LAST) == 0
            && self.reserved == 0
            && has_handler
    }
}

#[cfg(all(not(test), target_arch = "x86_64", target_pointer_width = "64"))]
const _: () = {
    use core::mem::offset_of;
    assert!(size_of::<Link>() == 128 && size_of::<Word>() == 8);
    assert!(offset_of!(Link, handler) == 16 && offset_of!(Link, text_start) == 40);
    assert!(offset_of!(Link, memory_start) == 56 && offset_of!(Link, action_handler) == 72);
    assert!(offset_of!(Link, sequence) == 96);
};
