//! Legacy calls made by newer ones, in plain Rust: a second implementation, to judge the image's
//! by.
//!
//! Where the kernel still takes the legacy numbers, this one is judged too, by the kernel. Where it
//! does not (`legacy_syscalls=off`), this one is what the image's functions are compared with.
//!
//! # Invariants
//!
//! 1. As everything in a child: no allocation, no lock, and system calls by the bare instruction
//!    alone.
//! 2. The caller's memory is read and written by the kernel, through a pipe, so that a bad pointer
//!    is an error.

use super::descriptors::HERE;
use crate::arch;
use crate::bare::number;
use liblinux_abi::kernel::errno::{EFAULT, EINVAL};
use liblinux_abi::syscall::Syscall;
use liblinux_abi::syscall::legacy::{
    AT_REMOVEDIR, AT_SYMLINK_NOFOLLOW, CREATE, DIRENT_RECLEN, F_GETFD, SIGCHLD,
};
use std::mem::size_of_val;

const NO_FOLLOW: u64 = AT_SYMLINK_NOFOLLOW as u64;
const BAD_ADDRESS: i64 = -(EFAULT as i64);
const INVALID: i64 = -(EINVAL as i64);

/// Makes a call, with zeros for the arguments that are not given.
///
/// # Safety
///
/// As for [`arch::syscall`].
unsafe fn make<const N: usize>(number: u32, given: [u64; N]) -> i64 {
    let mut arguments = [0; 6];
    arguments[..N].copy_from_slice(&given);
    // SAFETY: the caller's contract.
    unsafe { arch::syscall(number, arguments) }
}

/// Makes a legacy call by newer ones; none if it is not known here.
///
/// # Safety
///
/// As for [`arch::syscall`], with the legacy call's number.
pub(super) unsafe fn call(call: &Syscall, arguments: [u64; 6]) -> Option<i64> {
    let [a, b, c, d, ..] = arguments;
    let (number, arguments) = match call.name {
        "open" => (const { number("openat") }, [HERE, a, b, c, 0, 0]),
        "creat" => (const { number("openat") }, [HERE, a, CREATE as u64, b, 0, 0]),
        "stat" => (const { number("newfstatat") }, [HERE, a, b, 0, 0, 0]),
        "lstat" => (const { number("newfstatat") }, [HERE, a, b, NO_FOLLOW, 0, 0]),
        "access" => (const { number("faccessat") }, [HERE, a, b, 0, 0, 0]),
        "chmod" => (const { number("fchmodat") }, [HERE, a, b, 0, 0, 0]),
        "chown" => (const { number("fchownat") }, [HERE, a, b, c, 0, 0]),
        "lchown" => (const { number("fchownat") }, [HERE, a, b, c, NO_FOLLOW, 0]),
        "mkdir" => (const { number("mkdirat") }, [HERE, a, b, 0, 0, 0]),
        "mknod" => (const { number("mknodat") }, [HERE, a, b, c, 0, 0]),
        "rmdir" => (const { number("unlinkat") }, [HERE, a, AT_REMOVEDIR as u64, 0, 0, 0]),
        "unlink" => (const { number("unlinkat") }, [HERE, a, 0, 0, 0, 0]),
        "readlink" => (const { number("readlinkat") }, [HERE, a, b, c, 0, 0]),
        "link" => (const { number("linkat") }, [HERE, a, HERE, b, 0, 0]),
        "symlink" => (const { number("symlinkat") }, [a, HERE, b, 0, 0, 0]),
        "rename" => (const { number("renameat2") }, [HERE, a, HERE, b, 0, 0]),
        "renameat" => (const { number("renameat2") }, [a, b, c, d, 0, 0]),
        "pipe" => (const { number("pipe2") }, [a, 0, 0, 0, 0, 0]),
        "eventfd" => (const { number("eventfd2") }, [a, 0, 0, 0, 0, 0]),
        "signalfd" => (const { number("signalfd4") }, [a, b, c, 0, 0, 0]),
        "inotify_init" => (const { number("inotify_init1") }, [0; 6]),
        "epoll_create" if a.cast_signed() as i32 <= 0 => return Some(INVALID),
        "epoll_create" => (const { number("epoll_create1") }, [0; 6]),
        "epoll_wait" => (const { number("epoll_pwait") }, [a, b, c, d, 0, 0]),
        "pause" => (const { number("ppoll") }, [0; 6]),
        "fork" => (const { number("clone") }, [SIGCHLD as u64, 0, 0, 0, 0, 0]),
        "getpgrp" => (const { number("getpgid") }, [0; 6]),
        // SAFETY: the caller's contract.
        "dup2" => return Some(unsafe { dup2(a, b) }),
        // SAFETY: the caller's contract.
        "getdents" => return Some(unsafe { getdents(a, b, c) }),
        // SAFETY: the caller's contract.
        "utime" => return Some(unsafe { utime(a, b) }),
        // SAFETY: the caller's contract.
        "utimes" => return Some(unsafe { futimesat(HERE, a, b) }),
        // SAFETY: the caller's contract.
        "futimesat" => return Some(unsafe { futimesat(a, b, c) }),
        _ => return None,
    };
    // SAFETY: the caller's contract.
    Some(unsafe { arch::syscall(number, arguments) })
}

unsafe fn dup2(old: u64, new: u64) -> i64 {
    if old as u32 != new as u32 {
        // SAFETY: the caller's contract.
        return unsafe { make(const { number("dup3") }, [old, new, 0]) };
    }
    // SAFETY: reads a descriptor's flags.
    let flags = unsafe { make(const { number("fcntl") }, [old, F_GETFD as u64]) };
    if flags < 0 { flags } else { i64::from(old as u32) }
}

unsafe fn getdents(descriptor: u64, buffer: u64, size: u64) -> i64 {
    // SAFETY: the caller's contract.
    let length = unsafe { make(const { number("getdents64") }, [descriptor, buffer, size]) };
    let Ok(mut left) = usize::try_from(length) else { return length };
    let mut entry = std::ptr::with_exposed_provenance_mut::<u8>(buffer as usize);
    while left > 0 {
        // SAFETY: the kernel has just written so many bytes there, and this process has one thread.
        let bytes = unsafe { std::slice::from_raw_parts_mut(entry, left) };
        let size =
            usize::from(u16::from_ne_bytes([bytes[DIRENT_RECLEN], bytes[DIRENT_RECLEN + 1]]));
        bytes[DIRENT_RECLEN + 2..size].rotate_left(1);
        left -= size;
        entry = entry.wrapping_add(size);
    }
    length
}

unsafe fn utime(path: u64, times: u64) -> i64 {
    let mut newer = [0; 4];
    if times != 0 {
        // SAFETY: the caller's contract.
        let Some([access, change]) = (unsafe { copy_in(times) }) else { return BAD_ADDRESS };
        newer = [access, 0, change, 0];
    }
    // SAFETY: the caller's contract.
    unsafe { set_times(HERE, path, times, newer) }
}

unsafe fn futimesat(folder: u64, path: u64, times: u64) -> i64 {
    let mut newer = [0; 4];
    if times != 0 {
        // SAFETY: the caller's contract.
        let Some([a, b, c, d]) = (unsafe { copy_in(times) }) else { return BAD_ADDRESS };
        if b >= 1_000_000 || d >= 1_000_000 {
            return INVALID;
        }
        newer = [a, b * 1000, c, d * 1000];
    }
    // SAFETY: the caller's contract.
    unsafe { set_times(folder, path, times, newer) }
}

unsafe fn set_times(folder: u64, path: u64, given: u64, newer: [u64; 4]) -> i64 {
    let pointer = if given == 0 { 0 } else { newer.as_ptr().expose_provenance() as u64 };
    // SAFETY: the caller's contract.
    unsafe { make(const { number("utimensat") }, [folder, path, pointer, 0]) }
}

/// Reads words of the caller's; none if they cannot be read.
unsafe fn copy_in<const N: usize>(source: u64) -> Option<[u64; N]> {
    let mut words = [0; N];
    let target = (&raw mut words).expose_provenance() as u64;
    // SAFETY: the kernel writes to `words` alone.
    (unsafe { copy(target, source, size_of_val(&words)) } == 0).then_some(words)
}

/// Has the kernel copy memory of this process: into a pipe of its own and out of it.
unsafe fn copy(target: u64, source: u64, length: usize) -> i64 {
    let mut pair = [0_u32; 2];
    let pointer = (&raw mut pair).expose_provenance() as u64;
    // SAFETY: the kernel writes to `pair`.
    let made = unsafe { make(const { number("pipe2") }, [pointer, 0]) };
    if made < 0 {
        return made;
    }
    let [reader, writer] = pair.map(u64::from);
    // SAFETY: the kernel reads, or finds that it cannot.
    let mut copied = unsafe { make(const { number("write") }, [writer, source, length as u64]) };
    if copied == length as i64 {
        // SAFETY: the caller's contract.
        copied = unsafe { make(const { number("read") }, [reader, target, length as u64]) };
    }
    for descriptor in [reader, writer] {
        // SAFETY: the pipe is this function's.
        unsafe { make(const { number("close") }, [descriptor]) };
    }
    if copied == length as i64 { 0 } else { BAD_ADDRESS }
}
