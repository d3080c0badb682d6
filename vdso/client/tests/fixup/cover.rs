//! The client's handlers, in front of those that a test has installed.

#![expect(unsafe_code, reason = "asks for actions, and adds links")]

use crate::{VDSO, register};
use liblinux::Sigaction;
use liblinux::chain::{Chain, Handler, Link};
use liblinux::fixup::Registration;
use nix::libc::c_int;
use std::collections::BTreeSet;
use std::ptr::null;

/// The handler that is put in front: the client's of fixups; a chain's; or a chain's of which the
/// handler is a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Cover {
    Fixups,
    Chain,
    Link,
}

static CHAIN: Chain<16> = Chain::new();
static HANDLER: Handler = Handler::new(CHAIN.area());

/// Installs the chain's handler in front of that of a signal; that one becomes a link or stays.
fn chain(signal: c_int, is_link: bool) {
    let mut action = Sigaction::default();
    let old = (&raw mut action).cast();
    // SAFETY: asks.
    unsafe { VDSO.rt_sigaction(signal, null(), old, 8) }.expect("an action");
    HANDLER.install(&VDSO, signal).expect("a handler");
    if is_link {
        let link = Box::leak(Box::new(Link::of_action(signal, &action)));
        // SAFETY: the handler of this test, which is static.
        unsafe { CHAIN.add(link) }.expect("there is room");
        HANDLER.set_earlier(signal, &Sigaction::default()).expect("a signal");
    }
    HANDLER.install(&VDSO, signal).expect("it is installed");
}

impl Cover {
    /// All of them.
    pub(crate) const ALL: [Self; 3] = [Self::Fixups, Self::Chain, Self::Link];

    /// Puts it in front of the handlers of signals.
    pub(crate) fn install(self, signals: BTreeSet<c_int>) -> Option<Registration<'static>> {
        if self == Self::Fixups {
            return Some(register());
        }
        signals.into_iter().for_each(|signal| chain(signal, self == Self::Link));
        None
    }
}
