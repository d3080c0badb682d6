//! The exit statuses that are the runner's own and not a program's, as `env(1)` has them.

/// The runner failed.
pub const FAILURE: u8 = 125;
/// The program was found and cannot be run.
pub const NOT_EXECUTABLE: u8 = 126;
/// The program was not found.
pub const NOT_FOUND: u8 = 127;
