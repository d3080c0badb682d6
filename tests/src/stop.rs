//! The end of threads that run until they are told to stop: a thread that fails tells the others,
//! so that the test ends.

use std::sync::atomic::AtomicBool;
use std::sync::atomic::Ordering::SeqCst;

/// Sets the flag when it is dropped. Each thread holds one, and so does the thread that waits for
/// them.
#[derive(Debug)]
pub struct Stop<'a>(pub &'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, SeqCst);
    }
}
