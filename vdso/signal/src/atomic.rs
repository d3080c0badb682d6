// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The atomic words of a chain: the processor's, or in this crate's own tests those of a scheduler
//! that tries the orders of their accesses.

#[cfg(test)]
pub(crate) use crate::tests::atomic::Word;

#[cfg(not(test))]
pub(crate) use word::Word;

#[cfg(not(test))]
mod word {
    use core::sync::atomic::{AtomicU64, Ordering::SeqCst};

    /// A word, all accesses to which are in one order with those to all others (invariant 2 of the
    /// crate needs that of the words of a slot).
    #[repr(transparent)]
    #[derive(Debug)]
    pub(crate) struct Word(AtomicU64);

    impl Word {
        pub(crate) const fn new(value: u64) -> Self {
            Self(AtomicU64::new(value))
        }

        #[inline]
        pub(crate) fn load(&self) -> u64 {
            self.0.load(SeqCst)
        }

        #[inline]
        pub(crate) fn store(&self, value: u64) {
            self.0.store(value, SeqCst);
        }

        #[inline]
        pub(crate) fn swap(&self, value: u64) -> u64 {
            self.0.swap(value, SeqCst)
        }

        /// Makes it `new` if it is `old`; whether it was.
        #[inline]
        pub(crate) fn exchange(&self, old: u64, new: u64) -> bool {
            self.0.compare_exchange(old, new, SeqCst, SeqCst).is_ok()
        }

        /// Adds, and returns what it was.
        #[inline]
        pub(crate) fn add(&self, value: u64) -> u64 {
            self.0.fetch_add(value, SeqCst)
        }

        #[inline]
        pub(crate) fn raise(&self, value: u64) {
            self.0.fetch_max(value, SeqCst);
        }
    }
}
