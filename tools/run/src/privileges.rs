//! Set-uid programs, and others that get privileges by their file.
//!
//! The kernel does not give them to a process that is traced by somebody who does not have them, and rightly: a tracer
//! can make its program do anything. The program then runs as its caller, and mostly fails in a way that does not name
//! the cause.
//!
//! # Invariants
//!
//! 1. A program that has what its file gives is not complained about, whoever runs it.

#![expect(unsafe_code, reason = "extended attributes are read by a C function")]

use crate::status::Status;
use nix::libc;
use nix::unistd::Pid;
use std::ffi::CString;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::ptr::null_mut;

/// `S_ISUID` and `S_ISGID` with the group's right to execute, without which the bit means something else.
const SET_UID: u32 = 0o4000;
const SET_GID: u32 = 0o2010;

/// Which privileges the program that `pid` runs should have by its file and has not.
pub(crate) fn withheld(pid: Pid) -> Option<&'static str> {
    let path = format!("/proc/{pid}/exe");
    let data = fs::metadata(&path).ok()?;
    let mode = data.mode();
    let (sets_uid, sets_gid) = (mode & SET_UID == SET_UID, mode & SET_GID == SET_GID);
    if !sets_uid && !sets_gid && !has_capabilities(&path) {
        return None;
    }
    let status = Status::of(pid).ok()?;
    if status.number("NoNewPrivs", 0, 10).is_some_and(|flag| flag != 0) {
        // Somebody asked for that.
        return None;
    }
    // The second of each line is the effective one.
    if sets_uid && status.number("Uid", 1, 10)? != data.uid().into() {
        return Some("its owner's (set-uid)");
    }
    if sets_gid && status.number("Gid", 1, 10)? != data.gid().into() {
        return Some("its group's (set-gid)");
    }
    (!sets_uid && !sets_gid && status.number("CapPrm", 0, 16)? == 0).then_some("its file's (capabilities)")
}

/// Whether the file has capabilities (`capabilities(7)`).
fn has_capabilities(path: &str) -> bool {
    let Ok(path) = CString::new(path) else { return false };
    // SAFETY: both strings end with a zero; no buffer is given, and so only the attribute's size is returned.
    unsafe { libc::getxattr(path.as_ptr(), c"security.capability".as_ptr(), null_mut(), 0) > 0 }
}
