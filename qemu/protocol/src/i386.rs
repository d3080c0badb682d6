//! Where a guest finds programs for i386.

/// The folder of the i386 system.
pub const FOLDER: &str = "/i386";
