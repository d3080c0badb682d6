//! The action that a signal had before a chain's handler.

use super::{SIG_DFL, SIG_IGN};
use core::sync::atomic::{AtomicU64, Ordering::SeqCst};
use liblinux_abi::arch::x86_64::signal::{Action, SA_RESETHAND};

/// An action whose words are changed by one thread and read by others.
#[derive(Debug)]
pub(super) struct Earlier([AtomicU64; 4]);

impl Earlier {
    pub(super) const fn none() -> Self {
        Self([const { AtomicU64::new(0) }; 4])
    }

    /// The handler goes first in and last out, so that a reader has flags and mask that are its.
    pub(super) fn set(&self, action: &Action) {
        let [handler, flags, restorer, mask] = &self.0;
        flags.store(action.flags, SeqCst);
        restorer.store(action.restorer as u64, SeqCst);
        mask.store(action.mask, SeqCst);
        handler.store(action.handler as u64, SeqCst);
    }

    pub(super) fn get(&self) -> Action {
        let [handler, flags, restorer, mask] = &self.0;
        Action {
            handler: handler.load(SeqCst) as usize,
            flags: flags.load(SeqCst),
            restorer: restorer.load(SeqCst) as usize,
            mask: mask.load(SeqCst),
        }
    }

    /// The same for one signal, which takes the handler away with `SA_RESETHAND`.
    pub(super) fn take(&self) -> Action {
        let mut action = self.get();
        if action.flags & SA_RESETHAND != 0 && action.handler > SIG_IGN {
            action.handler = self.0[0].swap(SIG_DFL as u64, SeqCst) as usize;
        }
        action
    }
}
