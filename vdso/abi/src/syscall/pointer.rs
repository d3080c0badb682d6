// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Parameters that a program has in another type than the kernel's source declares.
//!
//! The kernel declares pointers for itself: data is `char *`, `const` is left out where the kernel
//! only reads, and lengths of addresses are `int`. A program has the types of its libc: `void *`,
//! `const struct sockaddr *`, `socklen_t *`. With the kernel's own declarations right programs are
//! warned at in C and refused in C++. So the C header and the Rust calls take what stands here. The
//! registers are the same.
//!
//! A test gives a C++ compiler the libc's function of each name, and our declaration its arguments.
//!
//! # Invariants
//!
//! 1. Rows are in the order of [`SYSCALLS`](crate::syscall::SYSCALLS), and each is of a parameter
//!    with that name.
//! 2. A `const` stands only where the kernel writes nothing.

use crate::syscall::Syscall;

/// A call, and the declaration of one of its parameters for programs.
pub const POINTERS: &[(&str, &str)] = &[
    ("read", "void *buf"),
    ("write", "const void *buf"),
    ("rt_sigprocmask", "const sigset_t *nset"),
    ("pread64", "void *buf"),
    ("pwrite64", "const void *buf"),
    ("shmat", "const void *shmaddr"),
    ("nanosleep", "const struct __kernel_timespec *rqtp"),
    ("setitimer", "const struct __kernel_old_itimerval *value"),
    ("sendfile", "void *offset"),
    ("connect", "const struct sockaddr *uservaddr"),
    ("accept", "unsigned int *upeer_addrlen"),
    ("sendto", "const void *buff"),
    ("sendto", "const struct sockaddr *addr"),
    ("recvfrom", "unsigned int *addr_len"),
    ("sendmsg", "const struct user_msghdr *msg"),
    ("bind", "const struct sockaddr *umyaddr"),
    ("getsockname", "unsigned int *usockaddr_len"),
    ("getpeername", "unsigned int *usockaddr_len"),
    ("setsockopt", "const void *optval"),
    ("getsockopt", "void *optval"),
    ("getsockopt", "unsigned int *optlen"),
    ("shmdt", "const void *shmaddr"),
    ("msgsnd", "const void *msgp"),
    ("msgrcv", "void *msgp"),
    ("gettimeofday", "void *tz"),
    ("setgroups", "const gid_t *grouplist"),
    ("rt_sigqueueinfo", "const siginfo_t *uinfo"),
    ("rt_sigsuspend", "const sigset_t *unewset"),
    ("utime", "const char *filename"),
    ("utime", "const struct utimbuf *times"),
    ("sched_setparam", "const struct sched_param *param"),
    ("sched_setscheduler", "const struct sched_param *param"),
    ("setrlimit", "const struct rlimit *rlim"),
    ("settimeofday", "const struct __kernel_old_timeval *tv"),
    ("settimeofday", "const struct timezone *tz"),
    ("mount", "const char *dev_name"),
    ("mount", "const char *dir_name"),
    ("mount", "const char *type"),
    ("mount", "const void *data"),
    ("umount2", "const char *name"),
    ("reboot", "const void *arg"),
    ("sethostname", "const char *name"),
    ("setdomainname", "const char *name"),
    ("init_module", "const void *umod"),
    ("sched_setaffinity", "const void *user_mask_ptr"),
    ("sched_getaffinity", "void *user_mask_ptr"),
    ("getdents64", "void *dirent"),
    ("utimes", "const char *filename"),
    ("utimes", "const struct __kernel_old_timeval *utimes"),
    ("futimesat", "const struct __kernel_old_timeval *utimes"),
    ("splice", "void *off_in"),
    ("splice", "void *off_out"),
    ("utimensat", "const struct __kernel_timespec *utimes"),
    ("signalfd", "const sigset_t *user_mask"),
    ("accept4", "unsigned int *upeer_addrlen"),
    ("signalfd4", "const sigset_t *user_mask"),
    ("rt_tgsigqueueinfo", "const siginfo_t *uinfo"),
    ("sched_setattr", "const struct sched_attr *uattr"),
    ("copy_file_range", "void *off_in"),
    ("copy_file_range", "void *off_out"),
    ("pidfd_send_signal", "const siginfo_t *info"),
    ("openat2", "const struct open_how *how"),
    ("mount_setattr", "const struct mount_attr *uattr"),
    ("open_tree_attr", "const struct mount_attr *uattr"),
    ("file_setattr", "const struct file_attr *ufattr"),
];

/// A parameter's declaration for programs: the row's, or else the kernel's own.
pub fn declared(call: &Syscall, parameter: &'static str) -> &'static str {
    let row =
        POINTERS.iter().find(|(name, ours)| *name == call.name && named(ours) == named(parameter));
    row.map_or(parameter, |(_, ours)| ours)
}

/// The name in a declaration: its last word.
fn named(declaration: &str) -> &str {
    declaration.rsplit(['*', ' ']).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::syscall::SYSCALLS;
    use crate::syscall::standard;

    #[test]
    fn rows_are_of_parameters_in_order_and_change_them() {
        let parameters = SYSCALLS.iter().flat_map(|call| {
            let (_, parameters) = standard::entry(call);
            parameters.iter().map(move |parameter| (call.name, *parameter))
        });
        let mut parameters = parameters;
        for (call, ours) in POINTERS {
            let theirs =
                parameters.find(|(name, theirs)| name == call && named(theirs) == named(ours));
            let (_, theirs) = theirs
                .unwrap_or_else(|| panic!("{call} has no parameter `{ours}`, or out of order"));
            assert_ne!(theirs, *ours, "{call}");
            assert!(
                theirs.contains('*') && ours.contains('*'),
                "{call}: `{ours}` is not a pointer"
            );
        }
        assert!(!POINTERS.is_empty());
    }
}
