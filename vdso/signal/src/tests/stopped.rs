// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A thread that stops for good, at every access of what it does, while others continue.

use super::atomic::{Stopped, stop_after};
use super::{Probe, SIGNAL, add, chain, dispatch, is_taken, leak, remove, remove_wholly};
use crate::{Area, Error, Link};
use core::ffi::{c_int, c_void};
use shuttle::thread::spawn;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

/// Does something and stops after some accesses; whether it came to its end before.
fn stopped(accesses: u64, action: impl FnOnce()) -> bool {
    stop_after(accesses);
    let result = catch_unwind(AssertUnwindSafe(action));
    stop_after(u64::MAX);
    match result {
        Ok(()) => true,
        Err(payload) => {
            assert!(payload.is::<Stopped>(), "a thread failed");
            false
        }
    }
}

/// Tries an action that stops at its first access, its second one, and so on, until it ends, beside
/// another thread's. `after` sees what is left.
fn at_every_access(
    action: fn(Area<'static>, &'static Link),
    is_there_before: bool,
    after: fn(Area<'static>, &'static Link, &'static Probe, bool),
) {
    use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
    static LONGEST: AtomicU64 = AtomicU64::new(0);
    let mut ended = false;
    for accesses in 0..200 {
        let at_end: &'static AtomicBool = Box::leak(Box::new(AtomicBool::new(true)));
        shuttle::check_random(
            move || {
                let area = chain::<3>();
                let (steady, probe) = (Probe::new(true), Probe::new(false));
                add(area, leak(steady.link().order(1))).expect("there is room");
                let link = leak(probe.link());
                if is_there_before {
                    add(area, link).expect("there is room");
                }
                let other = spawn(move || {
                    let own = leak(Probe::new(false).link());
                    add(area, own).expect("there is room");
                    assert!(is_taken(dispatch(area)));
                    remove_or_leave(area, own);
                });
                let ended = spawn(move || stopped(accesses, || action(area, link)));
                let ended = ended.join().expect("it ends");
                other.join().expect("the others continue");
                if !ended {
                    at_end.store(false, SeqCst);
                }
                assert!(is_taken(dispatch(area)), "the steady link is lost");
                after(area, link, probe, ended);
            },
            30,
        );
        LONGEST.fetch_max(accesses, SeqCst);
        if at_end.load(SeqCst) {
            ended = true;
            break;
        }
    }
    assert!(ended && LONGEST.load(SeqCst) > 2, "the action has more accesses than are tried");
}

/// A dispatcher that stopped may have been counted in the slot.
fn remove_or_leave(area: Area<'static>, link: &'static Link) {
    let outcome = remove(area, link);
    assert!(matches!(outcome, Ok(()) | Err(Error::BUSY)), "{outcome:?}");
}

#[test]
fn a_thread_that_stops_while_it_adds_has_added_or_not() {
    at_every_access(
        |area, link| add(area, link).expect("there is room"),
        false,
        |area, link, probe, _| match remove(area, link) {
            Ok(()) => assert!(probe.calls() > 0, "it was not whole"),
            Err(error) => {
                assert_eq!(error, Error::MISSING);
                add(area, link).expect("it can be added again");
                assert!(is_taken(dispatch(area)));
                assert!(probe.calls() > 0);
            }
        },
    );
}

#[test]
fn a_thread_that_stops_while_it_removes_can_be_followed_by_another() {
    at_every_access(remove_wholly, true, |area, link, probe, ended| {
        let before = probe.calls();
        match remove(area, link) {
            Ok(()) => assert!(!ended),
            Err(error) => assert_eq!(error, Error::MISSING),
        }
        assert!(is_taken(dispatch(area)));
        assert_eq!(probe.calls(), before, "a removed link ran");
        add(area, link).expect("its slot, or another, is free");
    });
}

#[test]
fn a_thread_that_stops_in_a_handler_keeps_its_library_and_nothing_else() {
    at_every_access(
        |area, _| assert!(is_taken(dispatch(area))),
        true,
        |area, link, probe, ended| {
            // Removed, or busy for good: never given back while a handler may be in it.
            let outcome = remove(area, link);
            assert!(outcome == Ok(()) || (!ended && outcome == Err(Error::BUSY)), "{outcome:?}");
            let before = probe.calls();
            assert!(is_taken(dispatch(area)));
            assert_eq!(probe.calls(), before, "a removed link ran");
        },
    );
}

/// As a thread does that ends in a handler (`pthread_exit`, cancellation).
#[test]
fn a_handler_that_unwinds_is_not_in_flight() {
    unsafe extern "C-unwind" fn unwind(
        _: c_int,
        _: *mut c_void,
        _: *mut c_void,
        _: *mut c_void,
    ) -> c_int {
        resume_unwind(Box::new(Stopped));
    }
    shuttle::check_random(
        || {
            let area = chain::<2>();
            let link = leak(Link::new(SIGNAL, unwind));
            let probe = Probe::new(true);
            add(area, leak(probe.link().order(1))).expect("there is room");
            for _ in 0..3 {
                add(area, link).expect("its slot, or another, is free");
                let result = catch_unwind(AssertUnwindSafe(|| dispatch(area)));
                assert!(result.is_err_and(|payload| payload.is::<Stopped>()));
                assert_eq!(probe.calls(), 0);
                assert_eq!(remove(area, link), Ok(()));
            }
            assert!(is_taken(dispatch(area)));
        },
        10,
    );
}
