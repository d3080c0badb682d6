// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The types of the system calls' parameters, spelled without the kernel's headers.
//!
//! The table of calls has the kernel's own declarations. Programs see them through a C header that
//! includes no other, and through Rust; both spell the kernel's type names as [`TYPES`] says.
//! Pointers to structures stay what they are in C and are untyped in Rust.
//!
//! Names that a libc also has, for something of another size (`sigset_t`) or of its own making
//! (`siginfo_t`, `fd_set`, `stack_t`), become `void`, so that any program's pointer fits. So do
//! structures that the kernel and libcs call differently, though their bytes are the same
//! ([`ALIASES`]).
//!
//! The one structure that a libc has under the kernel's name with other bytes is
//! `struct sigaction`. It gets a name of its own, so that a compiler refuses the libc's.
//!
//! Source: `include/linux/types.h`, `include/uapi/asm-generic/posix_types.h` and `int-ll64.h`.
//!
//! # Invariants
//!
//! 1. Every type name in the table that is not plain C has a row here.
//! 2. A structure that has no row is the libc's of the same name, if there is one; a test compares
//!    their sizes.

/// A type name of the kernel.
#[derive(Clone, Copy, Debug)]
pub struct Type {
    /// The kernel's name.
    pub name: &'static str,
    /// The same type in plain C.
    pub c: &'static str,
    /// The same type in Rust, by the names of `core::ffi`.
    pub rust: &'static str,
}

const fn row(name: &'static str, c: &'static str, rust: &'static str) -> Type {
    Type { name, c, rust }
}

/// Every type name that parameters have.
pub const TYPES: &[Type] = &[
    row("__kernel_old_time_t", "long", "c_long"),
    row("__s32", "int", "c_int"),
    row("__u32", "unsigned int", "c_uint"),
    row("__u64", "unsigned long long", "c_ulonglong"),
    row("aio_context_t", "unsigned long", "c_ulong"),
    row("cap_user_data_t", "void *", "*mut c_void"),
    row("cap_user_header_t", "void *", "*mut c_void"),
    row("clockid_t", "int", "c_int"),
    row("enum landlock_rule_type", "int", "c_int"),
    row("fd_set", "void", "c_void"),
    row("gid_t", "unsigned int", "c_uint"),
    row("key_serial_t", "int", "c_int"),
    row("key_t", "int", "c_int"),
    row("loff_t", "long long", "c_longlong"),
    row("mqd_t", "int", "c_int"),
    row("off_t", "long", "c_long"),
    row("pid_t", "int", "c_int"),
    row("qid_t", "unsigned int", "c_uint"),
    row("rwf_t", "int", "c_int"),
    row("struct __kernel_itimerspec", "void", "c_void"),
    row("struct __kernel_old_itimerval", "void", "c_void"),
    row("struct __kernel_old_timeval", "void", "c_void"),
    row("struct __kernel_timespec", "void", "c_void"),
    row("struct __kernel_timex", "void", "c_void"),
    row("struct new_utsname", "void", "c_void"),
    row("struct rlimit64", "void", "c_void"),
    row("struct sigaction", "struct liblinux_sigaction", "Sigaction"),
    row("struct siginfo", "void", "c_void"),
    row("struct user_msghdr", "void", "c_void"),
    row("siginfo_t", "void", "c_void"),
    row("sigset_t", "void", "c_void"),
    row("size_t", "__SIZE_TYPE__", "usize"),
    row("ssize_t", "long", "isize"),
    row("stack_t", "void", "c_void"),
    row("timer_t", "int", "c_int"),
    row("u32", "unsigned int", "c_uint"),
    row("u64", "unsigned long long", "c_ulonglong"),
    row("uid_t", "unsigned int", "c_uint"),
    row("umode_t", "unsigned short", "c_ushort"),
];

/// Structures that the kernel and libcs call differently: the kernel's name, and the libcs'.
pub const ALIASES: &[(&str, &str)] = &[
    ("struct __kernel_itimerspec", "struct itimerspec"),
    ("struct __kernel_old_itimerval", "struct itimerval"),
    ("struct __kernel_old_timeval", "struct timeval"),
    ("struct __kernel_timespec", "struct timespec"),
    ("struct __kernel_timex", "struct timex"),
    ("struct new_utsname", "struct utsname"),
    ("struct rlimit64", "struct rlimit"),
    ("struct siginfo", "siginfo_t"),
    ("struct user_msghdr", "struct msghdr"),
];

/// The row of a type name.
pub fn find(name: &str) -> Option<&'static Type> {
    TYPES.iter().find(|row| row.name == name)
}
