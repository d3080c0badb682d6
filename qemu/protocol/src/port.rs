//! The virtio ports by which a guest answers, and files that it finds and leaves.

/// The port of the verdict.
pub const VERDICT: &str = "liblinux.verdict";

/// The port of what a case leaves for another that follows it.
pub const KEPT: &str = "liblinux.kept";

/// The port of a session's standard output.
pub const STDOUT: &str = "liblinux.stdout";

/// The port of a session's standard error.
pub const STDERR: &str = "liblinux.stderr";

/// The folder whose files a case leaves.
pub const KEPT_FOLDER: &str = "/kept";
