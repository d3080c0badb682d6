// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! A chain of signal handlers that the libraries of a process share.
//!
//! A disposition is a process's, so libraries that handle the same signal fight for it. A *chain*
//! is a list in memory that the caller supplies, the *area*. A library adds a [`Link`] to it: a
//! handler for one signal, with a place in the order and what it needs. One handler that is
//! installed for the process calls [`Area::dispatch`], which runs the links in their order until
//! one takes the signal. If none does, the handler does what the action that was there before says.
//!
//! # How it works
//!
//! A link is memory of the library, filled before it is added. A slot of the area holds one word:
//! the link's address, its signal, and whether it is *leaving*. So a link is added by one exchange
//! and begins to leave by one exchange, and a thread that stops anywhere leaves the chain whole:
//! before the exchange nothing has happened, behind it everything has.
//!
//! It is not a list. The order is a property of the links (which asks to be last, whose memory or
//! text it was, whether they can decline, the order that they ask for, the newest first), and the
//! dispatcher picks the next one by looking at all slots of its signal. A chain without pointers
//! from link to link cannot have a cycle, and a signal ends: each link that runs is behind the one
//! before, and links that are added later than the signal came are for later signals. One
//! exception: where a link left meanwhile, newer ones count as well, because one of them may have
//! come in its place.
//!
//! A dispatcher that is at a link is counted in the link's slot. The thread that removes a link
//! first says that it is leaving and then looks at the count: at 0 the library may go. Otherwise
//! [`Error::BUSY`] says that a handler is in flight, and removing again later finishes it.
//!
//! # Why it is a crate and not an entry of the image
//!
//! The kernel never reads a chain, so a chain needs no agreement with it. Most programs that share
//! signals run on stock kernels, whose image would have no such entry, and a preload library has to
//! work there as well. The kernel's series would carry code, at offsets that are kept for good, for
//! which no kernel has a use. An entry of the image has one advantage, that it outlives every
//! library. `liblinux-signals.so`, which is never unloaded, has it too, and so does the program
//! itself.
//!
//! # Invariants
//!
//! 1. A slot's word is 0, or the address of a link that was added and not yet given back by
//!    [`Area::remove`].
//! 2. A link is read by a dispatcher only between `Slot::enter` and `Slot::leave`, and a link is
//!    given back only after its word says that it leaves and its slot's count was then seen at 0.
//!    All of these accesses are in one order (`SeqCst`): a dispatcher that was not counted then
//!    sees that the link leaves, and does not touch it.
//! 3. The fields of a link that is in the chain do not change, but for the two that are atomic.
//!
//! # Limits
//!
//! - A count is given back by the dispatcher that took it, also when the handler unwinds: a thread
//!   that ends in it by glibc's `pthread_exit`, or is cancelled. If that one never comes back (its
//!   handler jumps away, its thread ends without unwinding, as by the system call and in musl, or
//!   the process forked while another thread was in a handler, and this is the child), the link
//!   stays counted, and cannot be removed: its library stays loaded. A handler that may jump away
//!   says so ([`Link::no_return`]), and is not counted.
//! - An area is as trusted as its links: a thread that writes at random to either can have any
//!   function called.

#![cfg_attr(not(test), no_std)]

mod area;
mod atomic;
mod chain;
mod dispatch;
mod error;
mod fault;
mod link;
mod slot;
#[cfg(test)]
mod tests;

pub use area::Area;
pub use chain::Chain;
pub use dispatch::{Mask, Verdict};
pub use error::Error;
pub use link::{ACTION, Handler, LAST, Link, NO_RETURN, OBSERVER};
