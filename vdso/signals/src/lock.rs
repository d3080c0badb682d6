//! The lock of the table.

#![expect(unsafe_code, reason = "makes system calls, and hands out the table")]

use crate::libc::pthread_atfork;
use crate::table::Table;
use core::cell::UnsafeCell;
use core::sync::atomic::{AtomicBool, AtomicI32, AtomicU64, Ordering};
use liblinux::Vdso;

/// The calls of this library, by the bare instruction: they are made on any image.
pub(crate) static KERNEL: Vdso = Vdso::none().or_syscall();

pub(crate) const SIG_BLOCK: i32 = 0;
const SIG_UNBLOCK: i32 = 1;
pub(crate) const SIG_SETMASK: i32 = 2;

struct Locked(UnsafeCell<Table>);

// SAFETY: the table is used by the thread that has the lock.
unsafe impl Sync for Locked {}

static TABLE: Locked = Locked(UnsafeCell::new(Table::new()));
static IS_LOCKED: AtomicBool = AtomicBool::new(false);
/// The process whose table it is; 0 before this library was initialised.
static PROCESS: AtomicI32 = AtomicI32::new(0);
/// The mask of a thread that forks.
static MASK: AtomicU64 = AtomicU64::new(0);

/// Whether this process shares the memory of the one whose table it is (`vfork`).
pub(crate) fn is_foreign() -> bool {
    let owner = PROCESS.load(Ordering::Relaxed);
    owner != 0 && owner != process()
}

fn process() -> i32 {
    // SAFETY: without effect.
    unsafe { KERNEL.getpid() }.unwrap_or(0)
}

/// Calls a function with the table and the signals that were blocked before.
pub(crate) fn with<T>(function: impl FnOnce(&mut Table, u64) -> T) -> T {
    let mask = lock();
    // SAFETY: this thread has the lock, and no handler runs on it.
    let result = function(unsafe { &mut *TABLE.0.get() }, mask);
    unlock(mask);
    result
}

/// Takes the lock, with all signals blocked; the mask that was there before.
fn lock() -> u64 {
    let mask = exchange_mask(u64::MAX);
    // Acquire: pairs with `unlock`.
    while IS_LOCKED.swap(true, Ordering::Acquire) {
        // SAFETY: without effect.
        let _ = unsafe { KERNEL.sched_yield() };
    }
    mask
}

fn unlock(mask: u64) {
    // Release: the table was changed before. Pairs with `lock`.
    IS_LOCKED.store(false, Ordering::Release);
    exchange_mask(mask);
}

fn exchange_mask(mask: u64) -> u64 {
    change_mask(SIG_SETMASK, mask)
}

/// Blocks signals or no longer; the mask that was there before.
pub(crate) fn hold(signals: u64, is_held: bool) -> u64 {
    change_mask(if is_held { SIG_BLOCK } else { SIG_UNBLOCK }, signals)
}

/// `rt_sigprocmask` of this thread; the mask that was there before.
pub(crate) fn change_mask(how: i32, mask: u64) -> u64 {
    let mut before = 0_u64;
    let (new, old) = ((&raw const mask).cast_mut().cast(), (&raw mut before).cast());
    // SAFETY: masks of 8 bytes.
    let _ = unsafe { KERNEL.rt_sigprocmask(how, new, old, 8) };
    before
}

extern "C" fn before_fork() {
    let mask = lock();
    MASK.store(mask, Ordering::Relaxed);
}

extern "C" fn in_parent() {
    unlock(MASK.load(Ordering::Relaxed));
}

extern "C" fn in_child() {
    PROCESS.store(process(), Ordering::Relaxed);
    in_parent();
}

extern "C" fn initialise() {
    PROCESS.store(process(), Ordering::Relaxed);
    // SAFETY: functions that may run at a fork. Without memory for them a child may find the table
    // locked, and `fork` itself needs more.
    let _ = unsafe { pthread_atfork(before_fork, in_parent, in_child) };
    crate::native::initialise();
    crate::caller::initialise();
}

#[used]
#[unsafe(link_section = ".init_array")]
static INITIALISE: extern "C" fn() = initialise;
