//! The functions that take the libc's place.
//!
//! The caller is the library that the return address is in.

#![expect(unsafe_code, reason = "functions of the libc's names")]

use crate::libc::{
    EINVAL, SA_NODEFER, SA_RESETHAND, SA_RESTART, SIG_DFL, SIG_ERR, SIG_HOLD, SIG_IGN, Sigaction,
    fail,
};
use crate::{caller, lock, native};
use core::arch::naked_asm;
use core::ffi::c_int;
use core::ptr::null;
use core::sync::atomic::{AtomicU64, Ordering};

/// Signals that `siginterrupt` was called for: `signal` installs handlers for them without
/// `SA_RESTART`.
static INTERRUPTING: AtomicU64 = AtomicU64::new(0);

/// Functions whose last argument is their return address.
macro_rules! with_caller {
    ($($(#[doc = $doc:literal])+ $name:ident $register:literal $function:ident;)+) => {
        $(
            $(#[doc = $doc])+
            #[unsafe(naked)]
            #[unsafe(no_mangle)]
            unsafe extern "C" fn $name() {
                naked_asm!(
                    ".cfi_startproc",
                    concat!("mov ", $register, ", [rsp]"),
                    "jmp {}",
                    ".cfi_endproc",
                    sym $function
                )
            }
        )+
    };
}

with_caller! {
    /// `sigaction(signal, new, old)`.
    sigaction "rcx" exchange;
    /// glibc's other name of it.
    __sigaction "rcx" exchange;
    /// `signal(signal, handler)`, as BSD has it.
    signal "rdx" bsd;
    /// The same.
    bsd_signal "rdx" bsd;
    /// The same.
    ssignal "rdx" bsd;
    /// `signal(signal, handler)`, as System V has it.
    sysv_signal "rdx" sysv;
    /// The same.
    __sysv_signal "rdx" sysv;
    /// `sigset(signal, disposition)`.
    sigset "rdx" set;
    /// `sigignore(signal)`.
    sigignore "rsi" ignore;
    /// `siginterrupt(signal, interrupts)`.
    siginterrupt "rdx" interrupt;
}

unsafe extern "C" fn exchange(
    signal: c_int,
    new: *const Sigaction,
    old: *mut Sigaction,
    caller: usize,
) -> c_int {
    let library = caller::library(caller);
    let Some(library) = library.filter(|_| !lock::is_foreign()) else {
        // SAFETY: the caller's contract with the libc.
        return unsafe { native::sigaction(signal, new, old) };
    };
    // SAFETY: null, or the caller's.
    let new = unsafe { new.as_ref() }.map(Sigaction::action);
    let exchanged = lock::with(|table, mask| {
        table.exchange(signal, new.as_ref(), library.start, mask & bit(signal) != 0)
    });
    match exchanged {
        Ok(_) if old.is_null() => 0,
        Ok(action) => {
            // SAFETY: the caller's.
            unsafe { old.write(Sigaction::of(&action)) };
            0
        }
        Err(errno) => fail(errno),
    }
}

/// Installs a handler for one of the simpler functions; the old one, or `SIG_ERR`.
fn simple(signal: c_int, handler: usize, flags: c_int, mask: u64, caller: usize) -> usize {
    if handler == SIG_ERR {
        fail(EINVAL);
        return SIG_ERR;
    }
    let new = Sigaction::new(handler, flags, mask);
    let mut old = Sigaction::new(0, 0, 0);
    // SAFETY: both are here.
    match unsafe { exchange(signal, &raw const new, &raw mut old, caller) } {
        0 => old.handler,
        _ => SIG_ERR,
    }
}

/// A mask with one signal.
fn bit(signal: c_int) -> u64 {
    if (1..=64).contains(&signal) { 1 << (signal - 1) } else { 0 }
}

unsafe extern "C" fn bsd(signal: c_int, handler: usize, caller: usize) -> usize {
    let interrupts = INTERRUPTING.load(Ordering::Relaxed) & bit(signal) != 0;
    let flags = if interrupts { 0 } else { SA_RESTART };
    simple(signal, handler, flags, bit(signal), caller)
}

unsafe extern "C" fn sysv(signal: c_int, handler: usize, caller: usize) -> usize {
    simple(signal, handler, SA_RESETHAND | SA_NODEFER, 0, caller)
}

unsafe extern "C" fn set(signal: c_int, disposition: usize, caller: usize) -> usize {
    let is_held = disposition == SIG_HOLD;
    let old = if is_held {
        let mut old = Sigaction::new(0, 0, 0);
        // SAFETY: asks.
        match unsafe { exchange(signal, null(), &raw mut old, caller) } {
            0 => old.handler,
            _ => SIG_ERR,
        }
    } else {
        simple(signal, disposition, 0, 0, caller)
    };
    if old == SIG_ERR {
        return SIG_ERR;
    }
    if lock::hold(bit(signal), is_held) & bit(signal) != 0 { SIG_HOLD } else { old }
}

unsafe extern "C" fn ignore(signal: c_int, caller: usize) -> c_int {
    if simple(signal, SIG_IGN, 0, 0, caller) == SIG_ERR { -1 } else { 0 }
}

unsafe extern "C" fn interrupt(signal: c_int, interrupts: c_int, caller: usize) -> c_int {
    let mut action = Sigaction::new(SIG_DFL, 0, 0);
    // SAFETY: asks.
    if unsafe { exchange(signal, null(), &raw mut action, caller) } != 0 {
        return -1;
    }
    if interrupts != 0 {
        INTERRUPTING.fetch_or(bit(signal), Ordering::Relaxed);
    } else {
        INTERRUPTING.fetch_and(!bit(signal), Ordering::Relaxed);
    }
    action.set_restart(interrupts == 0);
    // SAFETY: the action that it has.
    unsafe { exchange(signal, &raw const action, core::ptr::null_mut(), caller) }
}
