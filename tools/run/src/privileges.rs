//! Set-uid programs, and others that get privileges by their file.
//!
//! The kernel withholds them from a process whose tracer does not have them, because a tracer can
//! make its program do anything. The program then runs as its caller, and mostly fails in a way
//! that does not name the cause.
//!
//! # Invariants
//!
//! 1. A program that has the privileges of its file gives no message, under any user.

#![expect(unsafe_code, reason = "extended attributes are read by a C function")]

use crate::folder::Folder;
use nix::libc;
use std::ffi::CString;
use std::fs;
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::ptr::null_mut;

/// `S_ISUID` and `S_ISGID` with the group's right to execute, without which the bit means something
/// else.
const SET_UID: u32 = 0o4000;
const SET_GID: u32 = 0o2010;

/// The privileges that the program of that process should have by its file and lacks.
pub(crate) fn withheld(folder: &Folder) -> Option<&'static str> {
    let path = folder.path("exe");
    let data = fs::metadata(&path).ok()?;
    let mode = data.mode();
    let (sets_uid, sets_gid) = (mode & SET_UID == SET_UID, mode & SET_GID == SET_GID);
    if !sets_uid && !sets_gid && !has_capabilities(path) {
        return None;
    }
    let status =
        |name: &str| folder.status(name).ok()?.and_then(|value| String::from_utf8(value).ok());
    // The real, the effective, the saved and the file system's.
    let effective = |name: &str| status(name)?.split_whitespace().nth(1)?.parse::<u32>().ok();
    if status("NoNewPrivs").is_some_and(|flag| flag != "0") {
        // A caller has asked for that.
        return None;
    }
    if sets_uid && effective("Uid")? != data.uid() {
        return Some("its owner's (set-uid)");
    }
    if sets_gid && effective("Gid")? != data.gid() {
        return Some("its group's (set-gid)");
    }
    let has_none = status("CapPrm")?.bytes().all(|digit| digit == b'0');
    (!sets_uid && !sets_gid && has_none).then_some("its file's (capabilities)")
}

/// Whether the file has capabilities (`capabilities(7)`).
fn has_capabilities(path: PathBuf) -> bool {
    let Ok(path) = CString::new(path.into_os_string().into_vec()) else { return false };
    // SAFETY: both strings end with a zero; no buffer is given, and so only the attribute's size is
    // returned.
    unsafe { libc::getxattr(path.as_ptr(), c"security.capability".as_ptr(), null_mut(), 0) > 0 }
}
