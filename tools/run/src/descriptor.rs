//! The tracer's open files: its own, and none of the user's.
//!
//! # Invariants
//!
//! 1. Descriptors 0, 1 and 2 are never free in the tracer, so that no file of the tracer becomes
//!    its standard error.

#![expect(unsafe_code, reason = "descriptors are numbers to the calls used here")]

use nix::errno::Errno;
use nix::libc::{self, c_int, c_uint};
use std::fs::OpenOptions;
use std::os::fd::{AsRawFd as _, FromRawFd as _, OwnedFd};

/// The first number that is not a standard stream's.
const FIRST: c_int = 3;

/// Replaces a descriptor by one of `/dev/null`.
pub(crate) fn discard(descriptor: c_int) {
    let Ok(null) = OpenOptions::new().read(true).write(true).open("/dev/null") else {
        // SAFETY: this program wraps no standard stream, so the descriptor has no owner here.
        unsafe { libc::close(descriptor) };
        return;
    };
    // SAFETY: as above.
    unsafe { libc::dup3(null.as_raw_fd(), descriptor, 0) };
    if null.as_raw_fd() == descriptor {
        // It was closed, and `null` has taken its place for good.
        std::mem::forget(null);
    }
}

/// Moves the file of a standard stream to another descriptor, and leaves the stream as [`discard`]
/// does; none if the stream is closed.
pub(crate) fn take(descriptor: c_int) -> Option<OwnedFd> {
    let moved = duplicate(descriptor).ok();
    discard(descriptor);
    moved
}

/// Closes every descriptor but the standard streams and `kept`.
pub(crate) fn close_all_but(kept: &OwnedFd) {
    let kept = kept.as_raw_fd().cast_unsigned();
    let close = |first: c_uint, last: c_uint| {
        if first <= last {
            // SAFETY: called in a process that has just been forked and uses none of its parent's
            // files.
            unsafe { libc::close_range(first, last, 0) };
        }
    };
    close(FIRST.cast_unsigned(), kept - 1);
    close(kept + 1, c_uint::MAX);
}

/// Moves a descriptor out of the way of the standard streams, one of which the user may have
/// closed.
pub(crate) fn above_streams(descriptor: OwnedFd) -> nix::Result<OwnedFd> {
    duplicate(descriptor.as_raw_fd())
}

/// Another descriptor for the same, above the standard streams.
fn duplicate(descriptor: c_int) -> nix::Result<OwnedFd> {
    // SAFETY: takes numbers; a descriptor that is not open is an error.
    let copy = Errno::result(unsafe { libc::fcntl(descriptor, libc::F_DUPFD_CLOEXEC, FIRST) })?;
    // SAFETY: new, and owned by nothing else.
    Ok(unsafe { OwnedFd::from_raw_fd(copy) })
}
