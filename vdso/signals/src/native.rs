//! The libc's own `sigaction`.

#![expect(unsafe_code, reason = "calls the libc")]

use crate::libc::{EINVAL, RTLD_NEXT, Sigaction, dlsym};
use core::ffi::c_int;
use core::mem::transmute;
use core::ptr::{null, null_mut, with_exposed_provenance};
use core::sync::atomic::{AtomicUsize, Ordering};
use liblinux::chain::Action;

type Function = unsafe extern "C" fn(c_int, *const Sigaction, *mut Sigaction) -> c_int;

static NEXT: AtomicUsize = AtomicUsize::new(0);

/// Finds it, which a signal handler could not.
pub(crate) fn initialise() {
    // SAFETY: a name.
    let next = unsafe { dlsym(RTLD_NEXT, c"sigaction".as_ptr()) };
    NEXT.store(next.expose_provenance(), Ordering::Relaxed);
}

/// Calls it; its result, and `errno` as it leaves it.
///
/// # Safety
///
/// As for `sigaction`.
pub(crate) unsafe fn sigaction(signal: c_int, new: *const Sigaction, old: *mut Sigaction) -> c_int {
    if NEXT.load(Ordering::Relaxed) == 0 {
        initialise(); // A library that is initialised before this one.
    }
    let next: *const () = with_exposed_provenance(NEXT.load(Ordering::Relaxed));
    // SAFETY: the libc's function of that type, which every libc has.
    let next = unsafe { transmute::<*const (), Function>(next) };
    // SAFETY: the caller's contract.
    unsafe { next(signal, new, old) }
}

/// Installs an action; the error if that fails.
pub(crate) fn install(signal: c_int, new: &Sigaction) -> Result<(), c_int> {
    // SAFETY: what the handler may do is the caller's of `sigaction`.
    match unsafe { sigaction(signal, new, null_mut()) } {
        0 => Ok(()),
        _ => Err(EINVAL),
    }
}

/// The kernel's action of a signal; none for a number that is not a signal's.
pub(crate) fn action(signal: c_int) -> Option<Action> {
    let mut old = Sigaction::default();
    // SAFETY: asks.
    (unsafe { sigaction(signal, null(), &raw mut old) } == 0).then(|| old.action())
}
