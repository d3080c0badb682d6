// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Words that the scheduler has, and threads that stop for good after some accesses.

use core::cell::Cell;
use shuttle::sync::atomic::{AtomicU64, Ordering::SeqCst};

/// The payload with which a thread that stops unwinds.
pub(crate) struct Stopped;

shuttle::thread_local! {
    /// Accesses that are left to this thread.
    static LEFT: Cell<u64> = const { Cell::new(u64::MAX) };
}

/// Stops this thread after so many accesses more.
pub(super) fn stop_after(accesses: u64) {
    LEFT.with(|left| left.set(accesses));
}

/// A moment in a handler, at which threads are switched.
pub(super) fn step() {
    before();
    shuttle::thread::yield_now();
}

/// One access of this thread, or its end. The scheduler's words switch threads by themselves.
fn before() {
    let left = LEFT.with(|left| left.replace(left.get().saturating_sub(1)));
    if left == 0 {
        // Not a panic, which the scheduler would report.
        std::panic::resume_unwind(Box::new(Stopped));
    }
}

/// Whether this thread has stopped: the destructors that its end runs do nothing.
fn has_stopped() -> bool {
    std::thread::panicking() && LEFT.with(Cell::get) == 0
}

#[derive(Debug)]
pub(crate) struct Word(AtomicU64);

impl Word {
    pub(crate) const fn new(value: u64) -> Self {
        Self(AtomicU64::new(value))
    }

    pub(crate) fn load(&self) -> u64 {
        before();
        self.0.load(SeqCst)
    }

    pub(crate) fn store(&self, value: u64) {
        before();
        self.0.store(value, SeqCst);
    }

    pub(crate) fn swap(&self, value: u64) -> u64 {
        before();
        self.0.swap(value, SeqCst)
    }

    pub(crate) fn exchange(&self, old: u64, new: u64) -> bool {
        before();
        self.0.compare_exchange(old, new, SeqCst, SeqCst).is_ok()
    }

    pub(crate) fn add(&self, value: u64) -> u64 {
        if has_stopped() {
            return 0;
        }
        before();
        self.0.fetch_add(value, SeqCst)
    }

    pub(crate) fn raise(&self, value: u64) {
        before();
        self.0.fetch_max(value, SeqCst);
    }
}
