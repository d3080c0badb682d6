//! What the tracer says while programs run.
//!
//! # Invariants
//!
//! 1. A message is one write, so that lines of several writers do not mix.
//! 2. A message that cannot be written is lost: the programs matter more.

use nix::libc::STDERR_FILENO;
use std::io::{Write as _, stderr};

/// The user's standard error, until it is closed.
#[derive(Debug)]
pub(crate) struct Messages {
    is_verbose: bool,
    is_open: bool,
}

impl Messages {
    /// Messages go to standard error; details only if `is_verbose`.
    pub(crate) fn new(is_verbose: bool) -> Self {
        Self { is_verbose, is_open: true }
    }

    /// Says something that the user must know.
    pub(crate) fn say(&self, text: &str) {
        if self.is_open {
            // Invariant 2.
            let _ = stderr().write_all(format!("{}: {text}\n", crate::cli::NAME).as_bytes());
        }
    }

    /// Says something for who asked for it.
    pub(crate) fn detail(&self, text: impl FnOnce() -> String) {
        if self.is_verbose {
            self.say(&text());
        }
    }

    /// Lets go of standard error: nothing is said any more.
    pub(crate) fn close(&mut self) {
        self.is_open = false;
        crate::descriptor::discard(STDERR_FILENO);
    }
}
