//! A cancellable call is called off at every instruction: before it is made, while it waits, and
//! when it has had its effect.
//!
//! A child makes each blocking call of the table on objects of its own. The tracer stops it at an
//! instruction of `__vdso_syscall_cancellable`, sets its state, and lets it take the signal there;
//! the child's handler calls `__vdso_cancel_dispatch` and does nothing else. Each call is made
//! twice for each instruction: where it would wait, and where its effect is already there to be
//! had. And it is interrupted while it sleeps in the kernel, with and without `SA_RESTART`.
//!
//! Whether a call had an effect is not guessed: a call that was called off is made again by its
//! plain entry, and has to find all that it would have found before.
//!
//! # Invariants
//!
//! 1. `-ECANCELED` is the answer up to the `syscall`, and none of the call's effects is there.
//! 2. Behind the `syscall` the answer is the call's, and the state stays set.
//! 3. A call that was called off leaves as many descriptors open as there were.

#![expect(unsafe_code, reason = "forks, makes system calls, and is traced")]

mod calls;
mod child;
mod scene;
mod tracer;

use calls::{CALLS, Call};
use child::Report;
use liblinux_abi::image::cancel::Window;
use liblinux_abi::image::export::SYSCALL_CANCELLABLE;
use liblinux_abi::kernel::errno::{ECANCELED, EINTR};
use liblinux_tests::image::Image;
use std::collections::BTreeSet;
use tracer::{Moment, run};

const CANCELLED: i64 = -(ECANCELED as i64);
const INTERRUPTED: i64 = -(EINTR as i64);

/// The window, as the image tells it.
fn window(image: &Image) -> Window {
    let mut window = Window::default();
    let function = image.require("__vdso_cancel_window");
    // SAFETY: the image's function of this type, which writes a structure of this type.
    let said = unsafe {
        std::mem::transmute::<usize, extern "C" fn(*mut Window) -> isize>(function)(&mut window)
    };
    assert_eq!(said, 0);
    window
}

/// What has to be true of a call that was called off.
fn is_undone(name: &str, at: &str, report: &Report, plain: &Report) {
    assert_eq!(report.result, CANCELLED, "{name}, {at}: {report:?}");
    assert_eq!(report.opened, 0, "{name}, {at}: descriptors are lost: {report:?}");
    assert_eq!(report.again, plain.again, "{name}, {at}: its effect is there: {report:?}");
}

/// Makes one call at every instruction; how many times it was called off and how many not.
fn at_every_instruction(image: &Image, places: &[u64], call: &Call) -> (usize, usize) {
    let window = window(image);
    let entry = image.require(SYSCALL_CANCELLABLE) as u64;
    let (mut off, mut made) = (0, 0);
    // The reference: what the plain call finds when it is made for the first time.
    let plain = run(image, call, true, true, Moment::Never);
    for place in places {
        let ip = entry + place;
        let at = format!("{place:#x}");
        let Some(report) = tracer::at(image, call, true, true, ip) else {
            continue; // Not on the way of this call.
        };
        if ip <= window.call || report.result == CANCELLED {
            let may_be = ip <= window.call || ip >= window.exit || plain.result == INTERRUPTED;
            assert!(may_be, "{}, {at}: {report:?}", call.name);
            is_undone(call.name, &at, &report, &plain);
            off += 1;
        } else {
            assert_eq!(report.result, plain.result, "{}, {at}: {report:?}", call.name);
            assert_eq!(report.opened, plain.opened, "{}, {at}: {report:?}", call.name);
            made += 1;
        }
        assert_ne!(report.state, 0, "{}, {at}: the state is kept", call.name);
        // Where it would wait: a call that is made waits for ever, so those places are `asleep`'s.
        if ip <= window.call {
            let report = tracer::at(image, call, false, true, ip).expect("the same way");
            is_undone(call.name, &format!("{at}, not ready"), &report, &plain);
            off += 1;
        }
    }
    for restart in [false, true] {
        let asleep = run(image, call, false, restart, Moment::Asleep);
        is_undone(call.name, &format!("asleep, restart {restart}"), &asleep, &plain);
    }
    (off + 2, made)
}

#[test]
fn every_blocking_call_is_called_off_at_every_instruction_or_had_its_effect() {
    let image = Image::load();
    let (mut off, mut made) = (0, 0);
    let names: BTreeSet<&str> = CALLS.iter().map(|call| call.name).collect();
    let places = tracer::instructions(&image, SYSCALL_CANCELLABLE);
    for call in CALLS {
        let (called_off, were_made) = at_every_instruction(&image, &places, call);
        assert!(called_off > 20, "{}: called off {called_off} times only", call.name);
        assert!(were_made >= 5 || call.waits_for_signals(), "{}: made {were_made}", call.name);
        off += called_off;
        made += were_made;
    }
    println!("{} calls: called off {off} times, made {made} times", names.len());
}

/// A call with no effect that is waited for: `close` is made or not, and never both.
#[test]
fn close_says_whether_the_descriptor_is_open() {
    let image = Image::load();
    let window = window(&image);
    let entry = image.require(SYSCALL_CANCELLABLE) as u64;
    for place in tracer::instructions(&image, SYSCALL_CANCELLABLE) {
        let ip = entry + place;
        let Some(report) = tracer::at(&image, &calls::CLOSE, true, true, ip) else { continue };
        let wanted = if ip <= window.call { (CANCELLED, 0) } else { (0, -1) };
        assert_eq!((report.result, report.opened), wanted, "at {place:#x}");
    }
}

/// The test can fail: without a handler that dispatches, a call that is about to be made is made.
#[test]
fn without_dispatch_the_race_is_there() {
    let image = Image::load();
    let window = window(&image);
    let read = CALLS.iter().find(|call| call.name == "read").expect("a row");
    let report = tracer::without_dispatch(&image, read, window.call);
    assert_eq!(report.result, 1, "the call was made though its state was set: {report:?}");
}
