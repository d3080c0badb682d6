//! The chain for programs that add links by themselves: the functions of `liblinux/signals.h`.
//!
//! A null area is the chain of the process, whose handler is installed with the first link of a
//! signal. Another area is the caller's, who calls `liblinux_signal_dispatch` in a handler of its
//! own; it has no actions, which a function cannot call as the kernel does.

#![expect(unsafe_code, reason = "functions for C")]

use crate::libc::EINVAL;
use crate::lock::{self, KERNEL};
use crate::shared::CHAIN;
use core::ffi::{c_int, c_long, c_ulong, c_void};
use liblinux::chain::{Area, Error, Link, Mask, Verdict};

fn result(outcome: Result<(), Error>) -> c_long {
    outcome.map_or_else(|error| error.code() as c_long, |()| 0)
}

/// The area at an address.
///
/// # Safety
///
/// As for `Area::at`.
unsafe fn area(address: *const u8) -> Result<Area<'static>, Error> {
    if address.is_null() {
        return Ok(CHAIN.area());
    }
    // SAFETY: the caller's contract.
    unsafe { Area::at(address) }
}

/// Bytes of an area for so many links, or `-EINVAL`.
#[unsafe(no_mangle)]
extern "C" fn liblinux_signal_area_size(capacity: c_ulong) -> c_long {
    Area::size(capacity as usize).map_or(-c_long::from(EINVAL), |size| size as c_long)
}

/// Makes an empty area: 0 or `-EINVAL`.
#[unsafe(no_mangle)]
unsafe extern "C" fn liblinux_signal_init(
    address: *mut u8,
    size: c_ulong,
    capacity: c_ulong,
) -> c_long {
    // SAFETY: the caller's contract.
    result(unsafe { Area::init(address, size as usize, capacity as usize) }.map(drop))
}

/// Adds a link: 0 or `-errno`.
#[unsafe(no_mangle)]
unsafe extern "C" fn liblinux_signal_add(address: *const u8, link: *const Link) -> c_long {
    if link.is_null() || !link.is_aligned() {
        return Error::INVALID.code() as c_long;
    }
    // SAFETY: a link, says the caller.
    let (signal, is_action) = unsafe { &*link }.signal();
    // SAFETY: the caller's contract.
    let area = match unsafe { area(address) } {
        Ok(_) if is_action => return Error::INVALID.code() as c_long,
        Ok(area) => area,
        Err(error) => return error.code() as c_long,
    };
    // SAFETY: the caller's contract.
    let added = result(unsafe { area.add(link) });
    if added != 0 || !address.is_null() {
        return added;
    }
    match lock::with(|table, _| table.share(signal)) {
        Ok(()) => 0,
        Err(errno) => {
            // SAFETY: added above.
            let _ = unsafe { area.remove(link) };
            -c_long::from(errno)
        }
    }
}

/// Removes a link: 0, or `-errno`. `-EBUSY`: no handler of it is started any more, but one is in
/// flight.
#[unsafe(no_mangle)]
unsafe extern "C" fn liblinux_signal_remove(address: *const u8, link: *const Link) -> c_long {
    // SAFETY: the caller's contract.
    let area = unsafe { area(address) };
    // SAFETY: the same.
    result(area.and_then(|area| unsafe { area.remove(link) }))
}

/// Removes a link, and returns when none of its handlers is in flight: 0 or `-errno`. Not to be
/// called in a handler of the link.
#[unsafe(no_mangle)]
unsafe extern "C" fn liblinux_signal_remove_wait(address: *const u8, link: *const Link) -> c_long {
    loop {
        // SAFETY: the caller's contract.
        let outcome = unsafe { liblinux_signal_remove(address, link) };
        if outcome != Error::BUSY.code() as c_long {
            return outcome;
        }
        // SAFETY: without effect.
        let _ = unsafe { KERNEL.sched_yield() };
    }
}

/// Runs the links of a signal: 1 if one took it, 0 if none did, or `-EINVAL` for memory that is not
/// an area.
#[unsafe(no_mangle)]
unsafe extern "C" fn liblinux_signal_dispatch(
    address: *const u8,
    signal: c_int,
    information: *mut c_void,
    context: *mut c_void,
) -> c_long {
    if address.is_null() {
        return Error::INVALID.code() as c_long; // It has the process's handler.
    }
    // SAFETY: the caller's contract.
    match unsafe { area(address) } {
        Err(error) => error.code() as c_long,
        Ok(area) => {
            // SAFETY: the frame of a signal.
            let verdict = unsafe { area.dispatch(&Thread, signal, information, context) };
            matches!(verdict, Verdict::Taken).into()
        }
    }
}

struct Thread;

impl Mask for Thread {
    fn block(&self, signals: u64) -> u64 {
        lock::change_mask(lock::SIG_BLOCK, signals)
    }

    fn restore(&self, mask: u64) {
        lock::change_mask(lock::SIG_SETMASK, mask);
    }
}
