// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The chain under a scheduler that switches threads at every access: many schedules, and each one
//! that fails is printed so that it can be run again.
//!
//! All words of a chain are in one order, so the orders that a scheduler tries are all that a
//! processor can show.

#![expect(unsafe_code, reason = "adds links and dispatches")]

pub(crate) mod atomic;
mod order;
mod refused;
mod schedules;
mod stopped;

use crate::{Area, Chain, Link, Mask, Verdict};
use core::ffi::{c_int, c_void};
use core::ptr::null_mut;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicUsize, Ordering::SeqCst};

/// The signal of the tests, which no exception raises.
const SIGNAL: c_int = 10;

/// A handler's own memory, which tells whether it may be called.
#[derive(Debug, Default)]
struct Probe {
    is_there: AtomicBool,
    takes: AtomicI32,
    calls: AtomicUsize,
    /// Calls that were made when it was not there, at their beginning or at their end.
    strays: AtomicUsize,
}

impl Probe {
    fn new(takes: bool) -> &'static Self {
        let probe: &'static Self = Box::leak(Box::default());
        probe.is_there.store(true, SeqCst);
        probe.takes.store(takes.into(), SeqCst);
        probe
    }

    fn link(&'static self) -> Link {
        Link::new(SIGNAL, handler).cookie((&raw const *self).cast_mut().cast())
    }

    fn look(&self) {
        if !self.is_there.load(SeqCst) {
            self.strays.fetch_add(1, SeqCst);
        }
    }

    fn calls(&self) -> usize {
        self.calls.load(SeqCst)
    }
}

unsafe extern "C-unwind" fn handler(
    signal: c_int,
    _: *mut c_void,
    _: *mut c_void,
    cookie: *mut c_void,
) -> c_int {
    assert_eq!(signal, SIGNAL);
    let probe: *const Probe = cookie.cast();
    // SAFETY: probes are never freed.
    let probe = unsafe { &*probe };
    probe.calls.fetch_add(1, SeqCst);
    probe.look();
    atomic::step();
    probe.look();
    probe.takes.load(SeqCst)
}

/// A thread without a mask.
struct Unmasked;

impl Mask for Unmasked {
    fn block(&self, _: u64) -> u64 {
        0
    }

    fn restore(&self, _: u64) {}
}

fn chain<const N: usize>() -> Area<'static> {
    let chain: &'static Chain<N> = Box::leak(Box::default());
    chain.area()
}

fn leak(link: Link) -> &'static Link {
    Box::leak(Box::new(link))
}

fn add(area: Area<'_>, link: &'static Link) -> Result<(), crate::Error> {
    // SAFETY: links of these tests are never freed.
    unsafe { area.add(link) }
}

fn remove(area: Area<'_>, link: &'static Link) -> Result<(), crate::Error> {
    // SAFETY: as above.
    unsafe { area.remove(link) }
}

/// Removes a link, however long its handlers take.
fn remove_wholly(area: Area<'_>, link: &'static Link) {
    while remove(area, link) == Err(crate::Error::BUSY) {
        shuttle::thread::yield_now();
    }
}

fn dispatch(area: Area<'_>) -> Verdict {
    // SAFETY: without a frame, and of no exception.
    unsafe { area.dispatch(&Unmasked, SIGNAL, null_mut(), null_mut()) }
}

fn is_taken(verdict: Verdict) -> bool {
    matches!(verdict, Verdict::Taken)
}
