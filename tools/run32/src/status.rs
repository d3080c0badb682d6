//! How the loader fails: a message, and an exit status as of `env(1)`.

use std::fmt::Display;

/// The loader failed.
pub(crate) const FAILURE: i32 = 125;
/// The program was found and cannot be run.
pub(crate) const NOT_EXECUTABLE: i32 = 126;
/// The program was not found.
pub(crate) const NOT_FOUND: i32 = 127;

/// Why a program does not run.
#[derive(Debug)]
pub(crate) struct Failure {
    /// The exit status.
    pub(crate) status: i32,
    /// What, why, and what to do.
    pub(crate) message: String,
}

impl Failure {
    /// A failure with this status.
    pub(crate) fn new(status: i32, message: impl Display) -> Self {
        Self { status, message: message.to_string() }
    }

    /// A failure of the loader itself.
    pub(crate) fn own(message: impl Display) -> Self {
        Self::new(FAILURE, message)
    }
}
