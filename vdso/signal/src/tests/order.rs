// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The order of links, against a sorted list.

use super::{SIGNAL, Unmasked, add, chain, leak, remove};
use crate::{Link, Verdict};
use core::cmp::Reverse;
use core::ffi::{c_int, c_void};
use liblinux_abi::arch::x86_64::signal::{Action, RIP, SA_RESETHAND, SI_ADDRESS, SI_CODE};
use shuttle::rand::Rng as _;
use std::cell::RefCell;

const SIGSEGV: c_int = 11;
const SIGFPE: c_int = 8;
/// `SI_KERNEL`: the address says nothing.
const SI_KERNEL: c_int = 0x80;

/// The address that every fault of these tests touches.
const ADDRESS: u64 = 0x7000;

std::thread_local! {
    /// The cookies of handlers, as they were called.
    static CALLED: RefCell<Vec<usize>> = const { RefCell::new(Vec::new()) };
}

unsafe extern "C-unwind" fn note(
    _: c_int,
    _: *mut c_void,
    _: *mut c_void,
    cookie: *mut c_void,
) -> c_int {
    CALLED.with_borrow_mut(|called| called.push(cookie.addr()));
    1
}

unsafe extern "C-unwind" fn decline(
    a: c_int,
    b: *mut c_void,
    c: *mut c_void,
    cookie: *mut c_void,
) -> c_int {
    // SAFETY: as this one.
    unsafe { note(a, b, c, cookie) };
    0
}

fn cookie(number: usize) -> *mut c_void {
    core::ptr::without_provenance_mut(number)
}

/// A frame, of which code, address and instruction pointer are set.
struct Frame([u64; 16], [u64; 128]);

impl Frame {
    fn new(code: c_int, ip: u64) -> Self {
        let mut frame = Self([0; 16], [0; 128]);
        frame.0[SI_CODE / 8] = u64::from(code.cast_unsigned());
        frame.0[SI_ADDRESS / 8] = ADDRESS;
        frame.1[RIP / 8] = ip;
        frame
    }

    fn dispatch(&mut self, area: crate::Area<'_>, signal: c_int) -> (Verdict, Vec<usize>) {
        CALLED.with_borrow_mut(Vec::clear);
        let (information, context) = (self.0.as_mut_ptr().cast(), self.1.as_mut_ptr().cast());
        // SAFETY: as large as a frame.
        let verdict = unsafe { area.dispatch(&Unmasked, signal, information, context) };
        (verdict, CALLED.with_borrow(Vec::clone))
    }
}

/// Text, order and age of a link; its number; the link.
type Known = ((bool, c_int, Reverse<usize>), usize, &'static Link);

#[test]
fn links_run_in_the_order_of_text_number_and_age() {
    shuttle::check_random(
        || {
            let mut random = shuttle::rand::thread_rng();
            let area = chain::<12>();
            // Text, order and age of those that are there, with a link each.
            let mut oracle: Vec<Known> = Vec::new();
            for age in 1..20 {
                if oracle.len() == 12 || (!oracle.is_empty() && random.gen_range(0..3) == 0) {
                    let (_, _, link) = oracle.swap_remove(random.gen_range(0..oracle.len()));
                    remove(area, link).expect("no handler is in flight");
                    continue;
                }
                let (is_own, order) = (random.gen_range(0..2) == 0, random.gen_range(-1..2));
                let text = if is_own { (0x1000, 0x100) } else { (0x2000, 0x100) };
                let link = Link::new(SIGSEGV, decline).cookie(cookie(age)).order(order);
                let link = leak(link.text(text.0, text.1));
                add(area, link).expect("there is room");
                oracle.push(((!is_own, order, Reverse(age)), age, link));
            }
            for (code, uses_text) in [(1, true), (0, false), (-6, false)] {
                let mut sorted = oracle.clone();
                sorted.sort_by_key(|((text, order, age), _, _)| (*text && uses_text, *order, *age));
                if !uses_text {
                    sorted.sort_by_key(|((_, order, age), _, _)| (*order, *age));
                }
                let wanted: Vec<usize> = sorted.iter().map(|(_, age, _)| *age).collect();
                let (verdict, called) = Frame::new(code, 0x10ff).dispatch(area, SIGSEGV);
                assert!(matches!(verdict, Verdict::Declined));
                assert_eq!(called, wanted, "code {code}");
            }
            // No link is for another signal.
            assert_eq!(Frame::new(1, 0x10ff).dispatch(area, SIGNAL).1, [0; 0]);
        },
        200,
    );
}

#[test]
fn the_last_link_runs_when_no_action_is_left() {
    shuttle::check_random(
        || {
            let area = chain::<3>();
            let last = Link::new(SIGNAL, decline).cookie(cookie(1)).order(-9);
            add(area, leak(last.text(0, u64::MAX).last())).expect("there is room");
            let action = Action { handler: 0x4000, flags: SA_RESETHAND, restorer: 0x5000, mask: 6 };
            add(area, leak(Link::of_action(SIGNAL, &action))).expect("there is room");
            let (verdict, called) = Frame::new(1, 0).dispatch(area, SIGNAL);
            assert!(matches!(verdict, Verdict::Action(_)) && called.is_empty(), "{called:?}");
            add(area, leak(Link::new(SIGNAL, decline).cookie(cookie(2)))).expect("there is room");
            let (verdict, called) = Frame::new(1, 0).dispatch(area, SIGNAL);
            assert!(matches!(verdict, Verdict::Declined));
            assert_eq!(called, [2, 1]);
        },
        1,
    );
}

/// The cookies of the links that are called for a fault of `ip`.
fn order(area: crate::Area<'_>, signal: c_int, code: c_int, ip: u64) -> Vec<usize> {
    Frame::new(code, ip).dispatch(area, signal).1
}

#[test]
fn memory_that_was_touched_is_before_the_text_that_touched_it() {
    shuttle::check_random(
        || {
            let area = chain::<8>();
            for signal in [SIGSEGV, SIGFPE] {
                let link = |number| Link::new(signal, decline).cookie(cookie(number));
                add(area, leak(link(1).memory(ADDRESS, 1).order(9))).expect("there is room");
                add(area, leak(link(2).text(0x1000, 0x100).order(5))).expect("there is room");
                add(area, leak(link(3).memory(ADDRESS + 1, 8).order(1))).expect("there is room");
                add(area, leak(link(4).memory(ADDRESS - 8, 8))).expect("there is room");
            }
            assert_eq!(order(area, SIGSEGV, 1, 0x10ff), [1, 2, 4, 3]);
            assert_eq!(order(area, SIGSEGV, 2, 0x1100), [1, 4, 3, 2]);
            // The kernel tells no address, or that of the instruction.
            assert_eq!(order(area, SIGSEGV, SI_KERNEL, 0x10ff), [2, 4, 3, 1]);
            assert_eq!(order(area, SIGFPE, 1, 0x10ff), [2, 4, 3, 1]);
            // It was sent, and the address is another field's.
            assert_eq!(order(area, SIGSEGV, 0, 0x10ff), [4, 3, 2, 1]);
        },
        1,
    );
}

#[test]
fn another_address_may_stand_for_the_instruction() {
    shuttle::check_random(
        || {
            let area = chain::<2>();
            for (number, start) in [(1, 0x1000), (2, 0x2000)] {
                let link = Link::new(SIGSEGV, decline).cookie(cookie(number));
                add(area, leak(link.text(start, 0x100))).expect("there is room");
            }
            for (code, wanted) in [(Some(0x1000), [1, 2]), (Some(0x2000), [2, 1]), (None, [1, 2])] {
                let mut frame = Frame::new(1, 0x10ff);
                let (information, context) = (frame.0.as_mut_ptr(), frame.1.as_mut_ptr());
                CALLED.with_borrow_mut(Vec::clear);
                let (information, context) = (information.cast(), context.cast());
                // SAFETY: as large as a frame.
                unsafe { area.dispatch_as(&Unmasked, SIGSEGV, information, context, code) };
                assert_eq!(CALLED.with_borrow(Vec::clone), wanted, "{code:x?}");
            }
        },
        1,
    );
}

#[test]
fn a_link_that_takes_ends_the_chain_and_an_observer_does_not() {
    shuttle::check_random(
        || {
            let area = chain::<4>();
            let link = |number, order| Link::new(SIGNAL, note).cookie(cookie(number)).order(order);
            add(area, leak(link(1, -1).observer())).expect("there is room");
            add(area, leak(link(2, 0).no_return())).expect("there is room");
            add(area, leak(link(3, 1))).expect("there is room");
            let (verdict, called) = Frame::new(0, 0).dispatch(area, SIGNAL);
            assert!(matches!(verdict, Verdict::Taken));
            assert_eq!(called, [1, 2]);
        },
        1,
    );
}

#[test]
fn an_action_ends_the_chain_and_is_reset_once() {
    shuttle::check_random(
        || {
            let area = chain::<4>();
            let function = leak(Link::new(SIGNAL, decline).cookie(cookie(1)).order(9));
            add(area, function).expect("there is room");
            let action = |handler, flags| Action { handler, flags, restorer: 7, mask: 5 };
            add(area, leak(Link::of_action(SIGNAL, &action(0x1000, 4)))).expect("there is room");
            let once = leak(Link::of_action(SIGNAL, &action(0x2000, SA_RESETHAND)));
            add(area, once).expect("there is room");
            let mut handlers = Vec::new();
            for _ in 0..3 {
                let (verdict, called) = Frame::new(0, 0).dispatch(area, SIGNAL);
                let Verdict::Action(action) = verdict else { panic!("an action ends the chain") };
                assert_eq!(called, [1], "those that can decline are asked before");
                assert_eq!((action.restorer, action.mask), (7, 5));
                handlers.push(action.handler);
            }
            assert_eq!(handlers, [0x2000, 0x1000, 0x1000]);
            assert!(once.action().is_none());
            remove(area, once).expect("it is there, without a handler");
        },
        1,
    );
}
