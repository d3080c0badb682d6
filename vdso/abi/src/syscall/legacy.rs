// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Legacy calls: those of x86-64 that a new architecture does not get.
//!
//! The kernel's own list for new 64-bit architectures (`scripts/syscall.tbl`) says which calls are
//! superseded. Any other call of x86-64 is legacy or belongs to the processor, and a test compares.
//! Each is either a row of kind `legacy` in the table, with the calls that its function makes, or
//! it is in [`KEPT`], with the reason.
//!
//! A call qualifies if a function over newer calls gives the same result, the same error where
//! several apply, and the same effects, restarted or interrupted by a signal as well, and takes at
//! most 1.05 of the call's time: moving compatibility out of the kernel must not make programs
//! slower. That a tracer or filter sees the newer call's number is the purpose. Calls that every
//! architecture gets are not superseded, even where a newer one could do their work (`accept`,
//! `readv`).
//!
//! # Invariants
//!
//! 1. A row of kind `legacy` or an entry of [`KEPT`] exists exactly for the calls that a new
//!    architecture does not get.

/// A call that the kernel has to keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kept {
    /// Its name.
    pub name: &'static str,
    /// Why no function over newer calls can take its place.
    pub because: &'static str,
}

const fn kept(name: &'static str, because: &'static str) -> Kept {
    Kept { name, because }
}

/// The calls that are not part of a new architecture's table and still are not legacy rows, in
/// order of their numbers.
#[rustfmt::skip]
pub const KEPT: &[Kept] = &[
    kept("poll", "a stop does not move the end of its time-out: the kernel restarts it with the time at which it ends. ppoll is restarted with the time that was left when it was stopped"),
    kept("select", "the time left is in the caller's timeval before a signal handler runs, and a timeval that cannot be written makes a stop end the call with EINTR. pselect6 can only write to another place, from where it is copied too late"),
    kept("alarm", "setitimer tells the time left in microseconds, so an alarm that is due within one looks like none; and it copies structures, which costs more than a function may"),
    kept("vfork", "clone takes its arguments in registers that the entry would have to restore, from a stack that the child overwrites"),
    kept("getrlimit", "prlimit64 looks the process up and holds it, which costs more than a function may"),
    kept("ustat", "nothing else takes a device number"),
    kept("sysfs", "nothing else numbers the file-system types"),
    kept("modify_ldt", "belongs to the processor, and has no newer call"),
    kept("arch_prctl", "belongs to the processor, and has no newer call"),
    kept("setrlimit", "prlimit64 looks the process up and holds it, which costs more than a function may"),
    kept("iopl", "belongs to the processor, and has no newer call"),
    kept("ioperm", "belongs to the processor, and has no newer call"),
    kept("time", "a standard function of every image, which answers from the data page; a program that finds no image makes the call"),
    kept("uretprobe", "belongs to the processor: the return trampoline of probes"),
    kept("uprobe", "belongs to the processor: the trampoline of probes"),
];

/// A difference between a function over newer calls and the call that it replaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Note {
    /// The call's name.
    pub name: &'static str,
    /// The difference.
    pub text: &'static str,
}

const fn note(name: &'static str, text: &'static str) -> Note {
    Note { name, text }
}

/// Beside the successor's number and the status flags ([`CHANGES_FLAGS`]), in order of the calls'
/// numbers.
#[rustfmt::skip]
pub const NOTES: &[Note] = &[
    note("getdents", "what lies between an entry's name and its type is not kept; an entry that no longer fits into writable memory leaves other bytes behind the answer"),
];

/// The functions that do arithmetic: they change the status flags, which plain stubs and the other
/// functions preserve.
pub const CHANGES_FLAGS: &[&str] = &["getdents", "epoll_create", "utimes", "futimesat"];

/// Bytes of stack that a legacy function uses at most, the return address included.
pub const STACK: usize = 64;

/// `AT_FDCWD` of `include/uapi/linux/fcntl.h`: paths start at the working folder.
pub const AT_FDCWD: i32 = -100;

/// `AT_SYMLINK_NOFOLLOW` of `include/uapi/linux/fcntl.h`.
pub const AT_SYMLINK_NOFOLLOW: i32 = 0x100;

/// `AT_REMOVEDIR` of `include/uapi/linux/fcntl.h`.
pub const AT_REMOVEDIR: i32 = 0x200;

/// `O_CREAT | O_WRONLY | O_TRUNC` of `include/uapi/asm-generic/fcntl.h`: how `creat` opens.
pub const CREATE: i32 = 0o100 | 0o1 | 0o1000;

/// `F_GETFD` of `include/uapi/asm-generic/fcntl.h`.
pub const F_GETFD: i32 = 1;

/// `FD_CLOEXEC` of `include/uapi/asm-generic/fcntl.h`, all that `F_GETFD` can return.
pub const FD_CLOEXEC: i32 = 1;

/// `SIGCHLD` of `arch/x86/include/uapi/asm/signal.h`: the signal at the end of a forked child.
pub const SIGCHLD: i32 = 17;

/// Offset of `d_reclen`, two bytes, in `struct linux_dirent` and `struct linux_dirent64`.
///
/// Behind it the newer structure has the type and then the name, the older one the name at once;
/// its type is in the last byte. Both take the same room: a name of `n` bytes makes an entry of
/// `n + 20`, rounded up to 8.
pub const DIRENT_RECLEN: usize = 16;

/// Size of the smallest entry of a folder, with a name of one byte.
pub const DIRENT_MIN: usize = 24;

/// The note on a call, if there is one.
pub fn find_note(name: &str) -> Option<&'static Note> {
    NOTES.iter().find(|note| note.name == name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syscall::{Kind, SYSCALLS, find, number};

    #[test]
    fn notes_are_on_legacy_calls() {
        let names = NOTES.iter().map(|note| &note.name).chain(CHANGES_FLAGS);
        for name in names {
            assert!(
                find(name).is_some_and(|call| !call.successors().is_empty()),
                "{name} is not a legacy row"
            );
        }
    }

    #[test]
    fn what_is_kept_is_no_legacy_row() {
        assert!(KEPT.is_sorted_by_key(|kept| number(kept.name)));
        for kept in KEPT {
            assert!(
                find(kept.name).is_some_and(|call| call.successors().is_empty()),
                "{}",
                kept.name
            );
        }
        assert!(SYSCALLS.iter().any(|call| matches!(call.kind, Kind::Legacy { .. })));
    }
}
