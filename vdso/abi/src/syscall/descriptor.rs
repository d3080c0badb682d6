// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! File descriptors and processes among parameters and results.
//!
//! The kernel declares descriptors as `int`, `unsigned int` and `unsigned long`, and every call
//! returns a `long`. For a Rust program a descriptor is an `int` wherever it occurs, and so is the
//! number of a process.
//!
//! # Invariants
//!
//! 1. Rows are calls of the table, each in one list.

/// Calls that return a new descriptor. `fcntl`, `seccomp`, `bpf`, `keyctl` and `prctl` do so for
/// some requests only, so they are not here.
pub const OPENS: &[&str] = &[
    "open",
    "dup",
    "dup2",
    "socket",
    "accept",
    "creat",
    "epoll_create",
    "mq_open",
    "inotify_init",
    "openat",
    "signalfd",
    "timerfd_create",
    "eventfd",
    "accept4",
    "signalfd4",
    "eventfd2",
    "epoll_create1",
    "dup3",
    "inotify_init1",
    "perf_event_open",
    "fanotify_init",
    "open_by_handle_at",
    "memfd_create",
    "userfaultfd",
    "io_uring_setup",
    "open_tree",
    "fsopen",
    "fsmount",
    "fspick",
    "pidfd_open",
    "openat2",
    "pidfd_getfd",
    "landlock_create_ruleset",
    "memfd_secret",
    "open_tree_attr",
];

/// Calls that return the number of a process, a thread, a group or a session.
pub const PROCESSES: &[&str] = &[
    "getpid",
    "clone",
    "fork",
    "vfork",
    "wait4",
    "getppid",
    "getpgrp",
    "setsid",
    "getpgid",
    "getsid",
    "gettid",
    "set_tid_address",
    "clone3",
];

/// Whether an integer parameter is a descriptor, by its name.
///
/// The two ends of `close_range` are not: they need not be open, and the last one is often all
/// ones.
pub fn is_descriptor(call: &str, parameter: &str) -> bool {
    let is_named = parameter == "fildes"
        || parameter.ends_with("fd")
        || parameter.starts_with("fd_")
        || matches!(parameter, "fdin" | "fdout");
    is_named && call != "close_range"
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syscall::find;

    #[test]
    fn rows_are_calls_and_unique() {
        let mut names: std::vec::Vec<_> = OPENS.iter().chain(PROCESSES).collect();
        for name in &names {
            assert!(find(name).is_some(), "{name} is not a call");
        }
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
        assert!(count > 0);
    }

    #[test]
    fn descriptors_are_told_by_their_names() {
        for name in ["fd", "dfd", "olddfd", "fildes", "fd_in", "fdout", "ruleset_fd", "mountdirfd"]
        {
            assert!(is_descriptor("some_call", name), "{name}");
        }
        for name in ["nfds", "count", "flags", "fdset", "event_f_flags"] {
            assert!(!is_descriptor("some_call", name), "{name}");
        }
        assert!(!is_descriptor("close_range", "fd"));
    }
}
