// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Running the links of a signal.

#![expect(unsafe_code, reason = "reads a signal's frame, and calls handlers")]

use crate::area::Area;
use crate::fault::{Claim, Fault};
use crate::link::{ACTION, LAST, Link, NO_RETURN, OBSERVER};
use crate::slot::{LEAVING, SIGNAL, Slot};
use core::cmp::Reverse;
use core::ffi::{c_int, c_void};
use liblinux_abi::arch::x86_64::signal::{Action, SA_RESETHAND};

/// The signal mask of the thread, which the kernel has.
pub trait Mask {
    /// Blocks signals beside those that are blocked; the mask that was there before.
    fn block(&self, signals: u64) -> u64;

    /// Sets the mask.
    fn restore(&self, mask: u64);
}

/// How a signal came out of the chain.
#[derive(Clone, Copy, Debug)]
pub enum Verdict {
    /// No link took it: the action that was there before is next.
    Declined,
    /// A link took it.
    Taken,
    /// It is for this action, to be called as the kernel would. `SA_RESETHAND` is done.
    Action(Action),
}

/// The place of a link in the order of one signal. The first of these that differs decides: whether
/// it asks to be last, what it claims of the fault, whether it is an action, which cannot decline,
/// its order, and its age.
type Key = (bool, Claim, bool, c_int, Reverse<u64>);

/// When a signal came. Links that are added later are for later signals, so that this one ends.
struct Moment {
    departures: u64,
    newest: u64,
}

impl Moment {
    fn now(area: &Area<'_>) -> Self {
        // In this order: a link that is too new for `newest`, and whose predecessor left, changes
        // the departures.
        let departures = area.departures();
        Self { departures, newest: area.sequence() }
    }
}

/// A link that is next, with its slot, in which it is counted.
struct Next<'a> {
    key: Key,
    slot: &'a Slot,
    link: &'a Link,
}

impl<'a> Area<'a> {
    /// Runs the links of a signal in their order until one takes it.
    ///
    /// # Safety
    ///
    /// `information` is null or a `siginfo_t`, `context` null or a `ucontext_t`, as the kernel
    /// gives both to a handler of the signal.
    pub unsafe fn dispatch(
        &self,
        thread: &impl Mask,
        signal: c_int,
        information: *mut c_void,
        context: *mut c_void,
    ) -> Verdict {
        // SAFETY: the caller's contract.
        unsafe { self.dispatch_as(thread, signal, information, context, None) }
    }

    /// The same. For a fault, `code` is an address that stands for the instruction where links are
    /// asked whose text it was: of the function that called code which is in no link's text.
    ///
    /// # Safety
    ///
    /// As for [`dispatch`](Self::dispatch).
    pub unsafe fn dispatch_as(
        &self,
        thread: &impl Mask,
        signal: c_int,
        information: *mut c_void,
        context: *mut c_void,
        code: Option<u64>,
    ) -> Verdict {
        if !(1..=64).contains(&signal) {
            return Verdict::Declined;
        }
        // SAFETY: the caller's contract.
        let fault = unsafe { Fault::read(signal, information, context, code) };
        let mut moment = Moment::now(self);
        let mut last = None;
        while let Some(next) = self.select(signal, fault, &mut moment, last) {
            let Next { key, slot, link } = next;
            last = Some(key);
            if link.flags & ACTION != 0 {
                let action = link.take_action(SA_RESETHAND);
                slot.leave();
                match action {
                    Some(action) => return Verdict::Action(action),
                    None => continue,
                }
            }
            // SAFETY: the caller's contract, and the link is counted.
            let takes = unsafe { run(thread, slot, link, information, context) };
            if takes {
                return Verdict::Taken;
            }
        }
        Verdict::Declined
    }

    /// The first link behind `last`, which is counted then.
    fn select(
        &self,
        signal: c_int,
        fault: Option<Fault>,
        moment: &mut Moment,
        last: Option<Key>,
    ) -> Option<Next<'a>> {
        loop {
            let mut best: Option<Next<'a>> = None;
            for slot in self.slots() {
                let word = slot.word.load();
                if word == 0 || word & LEAVING != 0 || word & SIGNAL != signal as u64 - 1 {
                    continue;
                }
                let Some(link) = slot.enter(word) else { continue };
                let sequence = link.sequence.load();
                let key = key(link, sequence, fault);
                let is_before = best.as_ref().is_none_or(|best| key < best.key);
                if sequence > moment.newest || !is_before || last.is_some_and(|last| key <= last) {
                    slot.leave();
                    continue;
                }
                if let Some(passed) = best.replace(Next { key, slot, link }) {
                    passed.slot.leave();
                }
            }
            // A link may have been added, and the one in whose place it comes removed. Pairs with
            // `remove`.
            if self.departures() == moment.departures {
                return best;
            }
            *moment = Moment::now(self);
            if let Some(passed) = best {
                passed.slot.leave();
            }
        }
    }
}

/// A slot in which a dispatcher is counted, until this is dropped.
struct Counted<'a>(&'a Slot);

impl Drop for Counted<'_> {
    fn drop(&mut self) {
        self.0.leave();
    }
}

/// The place of a link among the links of its signal.
fn key(link: &Link, sequence: u64, fault: Option<Fault>) -> Key {
    let claim = fault.map_or(Claim::Nothing, |fault| fault.claim(link));
    let is = |flag| link.flags & flag != 0;
    (is(LAST), claim, is(ACTION), link.order, Reverse(sequence))
}

/// Calls the handler of a link that is counted, and ends that; whether it takes the signal.
///
/// # Safety
///
/// As for [`Area::dispatch`].
unsafe fn run(
    thread: &impl Mask,
    slot: &Slot,
    link: &Link,
    information: *mut c_void,
    context: *mut c_void,
) -> bool {
    let Link { signal, flags, handler, cookie, mask, .. } = *link;
    // A thread that ends in the handler unwinds from there, which ends the count, too.
    let counted = Counted(slot);
    let counted = (flags & NO_RETURN == 0).then_some(counted);
    let before = (mask != 0).then(|| thread.block(mask));
    let takes = match handler {
        // SAFETY: as `Area::add` demands, it may be called now, and its code is there.
        Some(handler) => unsafe { handler(signal, information, context, cookie) != 0 },
        None => false,
    };
    if let Some(before) = before {
        thread.restore(before);
    }
    drop(counted);
    takes && flags & OBSERVER == 0
}
