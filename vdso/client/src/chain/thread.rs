//! The calls that a thread makes in a chain's handler.

#![expect(unsafe_code, reason = "calls functions by their address in a handler's data")]

use super::Mask;
use core::ffi::{c_int, c_void};
use core::mem::transmute;
use core::ptr::{null_mut, with_exposed_provenance};
use liblinux_abi::arch::x86_64::handler::{Data, SIGNATURE_SIZE};
use liblinux_abi::arch::x86_64::signal::Action;
use liblinux_abi::image::layout::PAGE_SIZE;

/// The calls of a thread in the handler, by the addresses in the handler's data.
pub(super) struct Thread {
    data: *const Data,
}

type Call = unsafe extern "C" fn(u64, u64, u64, u64) -> isize;

impl Thread {
    /// In a handler of that address.
    pub(super) fn of(code: usize) -> Self {
        let page = code - SIGNATURE_SIZE;
        let data = page + PAGE_SIZE;
        Self { data: with_exposed_provenance(data) }
    }

    fn call(&self, function: fn(&Data) -> u64, arguments: [u64; 4]) -> isize {
        // SAFETY: the pages are never unmapped, and nothing but the area is written.
        let address = function(unsafe { &*self.data });
        let function: *const () = with_exposed_provenance(address as usize);
        // SAFETY: a function that makes a call.
        let function = unsafe { transmute::<*const (), Call>(function) };
        let [a, b, c, d] = arguments;
        // SAFETY: the callers below make calls about this thread's mask and about signals.
        unsafe { function(a, b, c, d) }
    }

    fn mask(&self, how: u64, signals: u64) -> u64 {
        let mut before = 0_u64;
        let new = (&raw const signals).expose_provenance() as u64;
        let old = (&raw mut before).expose_provenance() as u64;
        self.call(|data| data.rt_sigprocmask, [how, new, old, 8]);
        before
    }

    fn exchange(&self, signal: c_int, new: *const Action, old: *mut Action) {
        let (new, old) = (new.expose_provenance() as u64, old.expose_provenance() as u64);
        self.call(|data| data.rt_sigaction, [signal as u64, new, old, 8]);
    }

    /// Does what a signal does by default that stops the process, and returns when it continues.
    pub(super) fn stop(&self, signal: c_int, information: *mut c_void) {
        let (default, mut ours) = (Action::default(), Action::default());
        self.exchange(signal, &raw const default, &raw mut ours);
        let process = self.call(|data| data.getpid, [0; 4]) as u64;
        let thread = self.call(|data| data.gettid, [0; 4]) as u64;
        let information = information.expose_provenance() as u64;
        let arguments = [process, thread, signal as u64, information];
        self.call(|data| data.rt_tgsigqueueinfo, arguments);
        self.exchange(signal, &raw const ours, null_mut());
    }
}

impl Mask for Thread {
    fn block(&self, signals: u64) -> u64 {
        const SIG_BLOCK: u64 = 0;
        self.mask(SIG_BLOCK, signals)
    }

    fn restore(&self, mask: u64) {
        const SIG_SETMASK: u64 = 2;
        self.mask(SIG_SETMASK, mask);
    }
}
