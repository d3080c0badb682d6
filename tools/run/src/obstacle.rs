//! The reason for which a process may not be traced.
//!
//! # Invariants
//!
//! 1. A reason is stated as one only if it was seen; otherwise the message names the possible ones.

use crate::folder;
use crate::messages::printable;
use nix::errno::Errno;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;

/// Where the security module Yama has its level.
const YAMA: &str = "/proc/sys/kernel/yama/ptrace_scope";

/// The message for a tracer that could not attach to this process.
pub(crate) fn explain(error: Errno) -> String {
    let reason = tracer().or_else(yama).unwrap_or_else(|| {
        "a seccomp filter or a security module forbids ptrace here, as some containers do \
         (docker run --cap-add=SYS_PTRACE permits it)"
            .to_owned()
    });
    format!("cannot trace the program ({}): {reason}", error.desc())
}

/// The process that traces this one already.
fn tracer() -> Option<String> {
    let status = fs::read("/proc/self/status").ok()?;
    let tracer = str::from_utf8(folder::line(&status, "TracerPid")?).ok()?;
    if tracer == "0" {
        return None;
    }
    let name = fs::read(format!("/proc/{tracer}/comm")).unwrap_or_default();
    let name = printable(OsStr::from_bytes(name.trim_ascii_end()));
    Some(format!(
        "process {tracer} ({}) traces it already, and there can be only one: start the program without that, \
         or the debugger on a program started with --no-follow",
        name
    ))
}

/// Whether Yama forbids it to all users (3) or to all but root (2).
fn yama() -> Option<String> {
    let level = fs::read_to_string(YAMA).ok()?;
    let level = level.trim_end();
    matches!(level, "2" | "3").then(|| {
        format!("the security module Yama forbids it: {YAMA} is {level}, and must be 0 or 1")
    })
}
