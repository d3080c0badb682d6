//! The functions by which a Java machine and `libjsig` know each other.
//!
//! The machine says when it installs its handlers, and asks for the action of another library when
//! a signal is not its own. It runs in front of them, because it declines.

#![expect(unsafe_code, reason = "functions of the names that the machine looks up")]

use crate::libc::Sigaction;
use crate::lock;
use crate::lock::KERNEL;
use core::cell::UnsafeCell;
use core::ffi::c_int;
use core::ptr::null_mut;
use core::sync::atomic::{AtomicUsize, Ordering};

/// The thread that installs the machine's handlers, or 0.
static SETTING: AtomicUsize = AtomicUsize::new(0);

fn thread() -> usize {
    // SAFETY: without effect.
    unsafe { KERNEL.gettid() }.map_or(0, |thread| thread as usize)
}

/// Whether this thread installs a machine's handlers.
pub(crate) fn is_setting() -> bool {
    let setting = SETTING.load(Ordering::Relaxed);
    setting != 0 && setting == thread()
}

/// The machine begins to install its handlers.
#[unsafe(no_mangle)]
extern "C" fn JVM_begin_signal_setting() {
    SETTING.store(thread(), Ordering::Relaxed);
}

/// It has installed them.
#[unsafe(no_mangle)]
extern "C" fn JVM_end_signal_setting() {
    SETTING.store(0, Ordering::Relaxed);
}

struct Answers([UnsafeCell<Sigaction>; 65]);

// SAFETY: an answer is written under the lock of the table, with the words that it has as a rule.
unsafe impl Sync for Answers {}

static ANSWERS: Answers = Answers([const { UnsafeCell::new(Sigaction::new(0, 0, 0)) }; 65]);

/// The action of a signal that another library has; null if there is none.
#[unsafe(no_mangle)]
extern "C" fn JVM_get_signal_action(signal: c_int) -> *mut Sigaction {
    lock::with(|table, _| {
        let Some(action) = table.behind_java(signal) else { return null_mut() };
        let place = ANSWERS.0[signal as usize].get();
        // SAFETY: the table is locked.
        unsafe { place.write(Sigaction::of(&action)) };
        place
    })
}
