//! The descriptors that calls are tried with.
//!
//! # Invariants
//!
//! 1. [`prepare`] gives every child the same descriptors at the same numbers, and closes all others
//!    but the first three.

#![expect(
    unsafe_code,
    reason = "descriptors are made by bare system calls, at numbers of our choice"
)]

use super::folder::Folder;
use crate::arch;
use crate::bare::{CLOCK_MONOTONIC, number};
use liblinux_abi::syscall::legacy::AT_FDCWD;
use std::ffi::CStr;

/// In place of a descriptor: names are those of the working folder.
pub(super) const HERE: u64 = (AT_FDCWD as i64).cast_unsigned();
/// `file`, opened for reading and writing.
pub(super) const FILE: u64 = 100;
/// `still`, opened for reading.
pub(super) const FOLDER: u64 = 101;
/// A pipe with a few bytes in it.
pub(super) const PIPE_READER: u64 = 102;
/// Its other end.
pub(super) const PIPE_WRITER: u64 = 103;
/// A datagram socket, connected to another.
pub(super) const SOCKET: u64 = 104;
/// The other.
pub(super) const PEER: u64 = 105;
/// An empty epoll instance.
pub(super) const EPOLL: u64 = 106;
/// A timer that is not set.
pub(super) const TIMER: u64 = 107;

/// Makes the descriptors; the number of the step that failed, if one did.
///
/// # Safety
///
/// The process must be a forked child that uses none of its descriptors beyond the third.
pub(super) unsafe fn prepare(folder: &Folder) -> Option<u64> {
    let mut pair = [0u32; 2];
    let pair_at = (&raw mut pair).expose_provenance() as u64;
    let path = |text: &CStr| text.as_ptr().expose_provenance() as u64;
    let content = path(c"in the pipe");
    // Once all others are closed, a new descriptor is the lowest free number: 3, or 3 and 4 for a
    // pair.
    let move_to = |from: u64, to: u64| {
        let close = [from, 0, 0, 0, 0, 0];
        [(const { number("dup3") }, [from, to, 0, 0, 0, 0]), (const { number("close") }, close)]
    };
    let open = const { number("openat") };
    let steps = [
        [
            (const { number("close_range") }, [3, u64::from(u32::MAX), 0, 0, 0, 0]),
            (const { number("chdir") }, [path(&folder.name), 0, 0, 0, 0, 0]),
        ],
        [(open, [HERE, path(c"file"), O_RDWR, 0, 0, 0]), NOTHING],
        move_to(3, FILE),
        [(open, [HERE, path(c"still"), 0, 0, 0, 0]), NOTHING],
        move_to(3, FOLDER),
        [(const { number("epoll_create1") }, [0; 6]), NOTHING],
        move_to(3, EPOLL),
        [
            (const { number("timerfd_create") }, [u64::from(CLOCK_MONOTONIC), 0, 0, 0, 0, 0]),
            NOTHING,
        ],
        move_to(3, TIMER),
        [(const { number("pipe2") }, [pair_at, 0, 0, 0, 0, 0]), NOTHING],
        move_to(3, PIPE_READER),
        move_to(4, PIPE_WRITER),
        [(const { number("write") }, [PIPE_WRITER, content, 11, 0, 0, 0]), NOTHING],
        [(const { number("socketpair") }, [AF_UNIX, SOCK_DGRAM, 0, pair_at, 0, 0]), NOTHING],
        move_to(3, SOCKET),
        move_to(4, PEER),
    ];
    for (step, (call, arguments)) in (1..).zip(steps.iter().flatten()) {
        // SAFETY: these calls change the child's descriptors and working folder alone, as the
        // contract allows.
        if unsafe { arch::syscall(*call, *arguments) } < 0 {
            return Some(step);
        }
    }
    None
}

/// A step that does nothing.
const NOTHING: (u32, [u64; 6]) = (number("getpid"), [0; 6]);
/// `O_RDWR` of `include/uapi/asm-generic/fcntl.h`.
const O_RDWR: u64 = 2;
/// `AF_UNIX` of `include/linux/socket.h`.
const AF_UNIX: u64 = 1;
/// `SOCK_DGRAM` of `include/linux/net.h`.
const SOCK_DGRAM: u64 = 2;
