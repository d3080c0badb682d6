//! Why a process may not be traced, found out by looking around.
//!
//! # Invariants
//!
//! 1. A reason is given only if it was seen; otherwise the possible ones are named as such.

use crate::folder;
use crate::messages::printable;
use nix::errno::Errno;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;

/// Where the security module Yama has its level.
const YAMA: &str = "/proc/sys/kernel/yama/ptrace_scope";

/// What kept the tracer from attaching to this process.
pub(crate) fn explain(error: Errno) -> String {
    let reason = tracer().or_else(yama).unwrap_or_else(|| {
        "a seccomp filter or a security module forbids ptrace here, as some containers do \
         (docker run --cap-add=SYS_PTRACE permits it)"
            .to_owned()
    });
    format!("cannot trace the program ({}): {reason}", error.desc())
}

/// Who traces this process already.
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

/// Whether Yama forbids it to everybody (3) or to all but root (2).
fn yama() -> Option<String> {
    let level = fs::read_to_string(YAMA).ok()?;
    let level = level.trim_end();
    matches!(level, "2" | "3")
        .then(|| format!("the security module Yama forbids it: {YAMA} is {level}, and must be 0 or 1"))
}
