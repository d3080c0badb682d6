//! What calls are called with, and what these arguments refer to.
//!
//! Every call is tried with all ones in all six arguments (a bad pointer, a bad descriptor, bad
//! flags at once) unless [`exceptions`] says that this is not harmless. The table adds arguments
//! with which calls do something.
//!
//! # Invariants
//!
//! 1. No set makes a call block, and none reaches beyond the child but to the sweep's own folder.

use super::descriptors::{EPOLL, FILE, FOLDER, HERE, PIPE_READER, PIPE_WRITER, SOCKET, TIMER};
use super::exceptions;
use Argument::{Buffer, Ready, Text, Value, Vector, Zeros};
use std::ffi::CStr;
use std::fmt;
use std::sync::atomic::AtomicU64;

/// One argument.
#[derive(Clone, Copy, Debug)]
pub(super) enum Argument {
    /// This value.
    Value(u64),
    /// A pointer to this text.
    Text(&'static CStr),
    /// A pointer into the buffer, which holds [`BUFFER_BEFORE`] before the call.
    Buffer(u64),
    /// A pointer to one `struct iovec`, the first [`VECTOR_SIZE`] bytes of the buffer.
    Vector,
    /// A pointer to zeros: a time of zero, an empty signal set, no flags.
    Zeros,
    /// A pointer to one `struct pollfd`, which asks whether the pipe can be read. It can.
    Ready,
}

/// The arguments of one call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Set([Argument; 6]);

/// A value that is not a pointer, not a descriptor and not a combination of flags.
const ONES: u64 = u64::MAX;

/// Bytes of the buffer that calls are given.
pub(super) const BUFFER: usize = 4096;

/// What the buffer holds before each call: zeros, and at 2048 a length of 128 for calls that read
/// one.
pub(super) const BUFFER_BEFORE: [u8; BUFFER] = {
    let mut bytes = [0; BUFFER];
    bytes[2048] = 128;
    bytes
};

/// Bytes that the vector covers.
pub(super) const VECTOR_SIZE: u64 = 16;

/// Writable, for the kernel writes remaining times back.
static ZEROS: [AtomicU64; 32] = [const { AtomicU64::new(0) }; 32];

/// `struct pollfd { int fd; short events; short revents; }` with `POLLIN`. Kept in a page that the
/// kernel may write to: it writes `revents` there, into the child's copy.
static READY: AtomicU64 = AtomicU64::new(PIPE_READER | 1 << 32);

impl Set {
    const fn new(arguments: &[Argument]) -> Self {
        let mut six = [Value(0); 6];
        let mut index = 0;
        while index < arguments.len() {
            six[index] = arguments[index];
            index += 1;
        }
        Self(six)
    }

    /// Whether it is the one that every call is tried with.
    pub(super) fn is_default(&self) -> bool {
        self.0.iter().all(|argument| matches!(argument, Value(ONES)))
    }

    /// The values of the registers.
    pub(super) fn resolve(&self, buffer: u64, vector: u64) -> [u64; 6] {
        self.0.map(|argument| match argument {
            Value(value) => value,
            Text(text) => text.as_ptr().expose_provenance() as u64,
            Buffer(offset) => buffer + offset,
            Vector => vector,
            Zeros => (&raw const ZEROS).expose_provenance() as u64,
            Ready => (&raw const READY).expose_provenance() as u64,
        })
    }
}

impl fmt::Display for Set {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, argument) in self.0.iter().enumerate() {
            f.write_str(if index == 0 { "" } else { ", " })?;
            match argument {
                Value(value) => write!(f, "{}", value.cast_signed())?,
                Text(text) => write!(f, "{text:?}")?,
                other => write!(f, "{other:?}")?,
            }
        }
        Ok(())
    }
}

/// The sets of arguments to try `call` with.
pub(super) fn sets(call: &str) -> Vec<Set> {
    let default = exceptions::takes_default(call).then(|| Set::new(&[Value(ONES); 6]));
    let more = ARGUMENTS
        .iter()
        .filter(|(name, _)| *name == call)
        .map(|(_, arguments)| Set::new(arguments));
    default.into_iter().chain(more).collect()
}

/// 32 bytes that are not times: as microseconds they are more than a second.
const NO_TIME: &CStr = c"these bytes are no times of files";

/// Calls and arguments with which they do something. Arguments that are not listed are zero.
#[rustfmt::skip]
const ARGUMENTS: &[(&str, &[Argument])] = &[
    ("access", &[Text(c"file"), Value(4)]),
    ("access", &[Text(c"none"), Value(0)]),
    ("access", &[Text(c"file"), Value(8)]),
    ("access", &[Text(c""), Value(0)]),
    ("alarm", &[Value(100)]),
    ("alarm", &[Value(0)]),
    ("arch_prctl", &[Value(0x1003), Buffer(0)]),
    ("capget", &[Zeros, Value(0)]),
    ("chdir", &[Text(c"still")]),
    ("chdir", &[Text(c"none")]),
    ("chmod", &[Text(c"gone"), Value(0o600)]),
    ("chmod", &[Text(c"none"), Value(0o600)]),
    ("chmod", &[Text(c"gone"), Value(ONES)]),
    ("chown", &[Text(c"none"), Value(0), Value(0)]),
    ("chown", &[Text(c"gone"), Value(ONES), Value(ONES)]),
    ("close", &[Value(FILE)]),
    ("close", &[Value(99)]),
    ("close_range", &[Value(200), Value(300), Value(0)]),
    ("close_range", &[Value(3), Value(2), Value(0)]),
    ("copy_file_range", &[Value(FILE), Value(0), Value(PIPE_WRITER), Value(0), Value(4), Value(0)]),
    ("creat", &[Text(c"fresh"), Value(0o600)]),
    ("creat", &[Text(c"still"), Value(0o600)]),
    ("creat", &[Text(c"gone"), Value(0o600)]),
    ("creat", &[Text(c"none/fresh"), Value(0o600)]),
    ("dup", &[Value(FILE)]),
    ("dup2", &[Value(FILE), Value(120)]),
    ("dup2", &[Value(FILE), Value(FILE)]),
    ("dup2", &[Value(99), Value(120)]),
    ("dup2", &[Value(FILE), Value(120 | 1 << 32)]),
    ("dup2", &[Value(FILE | 1 << 32), Value(FILE)]),
    ("dup2", &[Value(FILE), Value(ONES)]),
    ("dup2", &[Value(99), Value(99)]),
    ("dup3", &[Value(FILE), Value(FILE), Value(0)]),
    ("dup3", &[Value(FILE), Value(120), Value(0o2000000)]),
    ("epoll_create", &[Value(1)]),
    ("epoll_create", &[Value(0)]),
    ("epoll_create", &[Value(1 << 31)]),
    ("epoll_create", &[Value(1 << 32)]),
    ("epoll_create1", &[Value(0o2000000)]),
    ("epoll_ctl", &[Value(EPOLL), Value(1), Value(PIPE_READER), Zeros]),
    ("epoll_pwait", &[Value(EPOLL), Buffer(0), Value(4), Value(0), Value(0), Value(8)]),
    ("epoll_pwait2", &[Value(EPOLL), Buffer(0), Value(4), Zeros, Value(0), Value(8)]),
    ("epoll_wait", &[Value(EPOLL), Buffer(0), Value(4), Value(0)]),
    ("epoll_wait", &[Value(EPOLL), Buffer(0), Value(0), Value(0)]),
    ("epoll_wait", &[Value(EPOLL), Buffer(0), Value(ONES), Value(0)]),
    ("epoll_wait", &[Value(FILE), Buffer(0), Value(4), Value(0)]),
    ("eventfd", &[Value(3)]),
    ("eventfd2", &[Value(3), Value(1)]),
    ("faccessat", &[Value(FOLDER), Text(c"life"), Value(4)]),
    ("faccessat2", &[Value(FOLDER), Text(c"life"), Value(4), Value(0x200)]),
    ("fadvise64", &[Value(FILE), Value(0), Value(0), Value(0)]),
    ("fallocate", &[Value(FILE), Value(3), Value(0), Value(0)]),
    ("fchdir", &[Value(FOLDER)]),
    ("fchmod", &[Value(FOLDER), Value(0o755)]),
    ("fchmodat", &[Value(HERE), Text(c"gone"), Value(0o600)]),
    ("fchmodat2", &[Value(HERE), Text(c"gone"), Value(0o600), Value(0)]),
    ("fchownat", &[Value(HERE), Text(c"none"), Value(0), Value(0), Value(0)]),
    ("fcntl", &[Value(FILE), Value(1), Value(0)]),
    ("fcntl", &[Value(FILE), Value(3), Value(0)]),
    ("fdatasync", &[Value(FILE)]),
    ("flock", &[Value(FILE), Value(6)]),
    ("fstat", &[Value(FILE), Buffer(0)]),
    ("fstat", &[Value(FOLDER), Buffer(0)]),
    ("fstat", &[Value(FILE), Value(0)]),
    ("fstatfs", &[Value(FILE), Buffer(0)]),
    ("fsync", &[Value(FOLDER)]),
    ("ftruncate", &[Value(PIPE_READER), Value(0)]),
    ("futex", &[Zeros, Value(1), Value(1)]),
    ("futex", &[Zeros, Value(0), Value(7), Value(0)]),
    ("futex_wake", &[Zeros, Value(0xffffffff), Value(1), Value(2)]),
    ("futimesat", &[Value(HERE), Text(c"gone"), Value(0)]),
    ("futimesat", &[Value(HERE), Text(c"gone"), Zeros]),
    ("futimesat", &[Value(HERE), Text(c"gone"), Buffer(2048)]),
    ("futimesat", &[Value(HERE), Text(c"gone"), Buffer(2040)]),
    ("futimesat", &[Value(HERE), Text(c"none"), Text(NO_TIME)]),
    ("futimesat", &[Value(HERE), Text(c"gone"), Value(8)]),
    ("futimesat", &[Value(FILE), Value(0), Value(0)]),
    ("get_mempolicy", &[Buffer(0), Value(0), Value(0), Value(0), Value(0)]),
    ("get_robust_list", &[Value(0), Buffer(0), Value(0)]),
    ("getcwd", &[Buffer(0), Value(4096)]),
    ("getcwd", &[Buffer(0), Value(1)]),
    ("getdents", &[Value(FOLDER), Buffer(0), Value(4096)]),
    ("getdents", &[Value(FOLDER), Buffer(0), Value(1)]),
    ("getdents", &[Value(FILE), Buffer(0), Value(4096)]),
    ("getdents", &[Value(FOLDER), Buffer(1), Value(100)]),
    ("getdents", &[Value(FOLDER), Value(8), Value(4096)]),
    ("getdents64", &[Value(FOLDER), Buffer(0), Value(4096)]),
    ("getegid", &[]),
    ("getgroups", &[Value(0), Value(0)]),
    ("getitimer", &[Value(0), Buffer(0)]),
    ("getpeername", &[Value(SOCKET), Buffer(0), Zeros]),
    ("getpgid", &[Value(0)]),
    ("getpriority", &[Value(0), Value(0)]),
    ("getresgid", &[Buffer(0), Buffer(8), Buffer(16)]),
    ("getresuid", &[Buffer(0), Buffer(8), Buffer(16)]),
    ("getrlimit", &[Value(7), Buffer(0)]),
    ("getrlimit", &[Value(7), Value(0)]),
    ("getrlimit", &[Value(99), Buffer(0)]),
    ("getrlimit", &[Value(99), Value(0)]),
    ("getrlimit", &[Value(7), Value(8)]),
    ("getrusage", &[Value(0), Buffer(0)]),
    ("getsid", &[Value(0)]),
    ("getsockname", &[Value(SOCKET), Buffer(0), Buffer(2048)]),
    ("getsockopt", &[Value(SOCKET), Value(1), Value(3), Buffer(0), Buffer(2048)]),
    ("getxattr", &[Text(c"file"), Text(c"user.none"), Buffer(0), Value(64)]),
    ("inotify_add_watch", &[Value(FILE), Text(c"file"), Value(1)]),
    ("inotify_init", &[]),
    ("inotify_init1", &[Value(0o2000000)]),
    ("io_destroy", &[Value(0)]),
    ("ioctl", &[Value(PIPE_READER), Value(0x541b), Buffer(0)]),
    ("ioctl", &[Value(FILE), Value(0x5401), Buffer(0)]),
    ("ioprio_get", &[Value(1), Value(0)]),
    ("kcmp", &[Value(1), Value(1), Value(99), Value(0), Value(0)]),
    ("kill", &[Value(0x7ffffffe), Value(0)]),
    ("kill", &[Value(1), Value(4096)]),
    ("landlock_create_ruleset", &[Value(0), Value(0), Value(1)]),
    ("lchown", &[Text(c"none"), Value(0), Value(0)]),
    ("lchown", &[Text(c"link"), Value(ONES), Value(ONES)]),
    ("link", &[Text(c"file"), Text(c"fresh")]),
    ("link", &[Text(c"file"), Text(c"gone")]),
    ("link", &[Text(c"none"), Text(c"fresh")]),
    ("link", &[Text(c"file"), Text(c"")]),
    ("linkat", &[Value(HERE), Text(c"file"), Value(HERE), Text(c"fresh"), Value(0)]),
    ("listen", &[Value(SOCKET), Value(1)]),
    ("listxattr", &[Text(c"file"), Buffer(0), Value(4096)]),
    ("llistxattr", &[Text(c"link"), Buffer(0), Value(4096)]),
    ("lseek", &[Value(FILE), Value(5), Value(0)]),
    ("lseek", &[Value(FILE), Value(0), Value(2)]),
    ("lseek", &[Value(PIPE_READER), Value(0), Value(0)]),
    ("lstat", &[Text(c"link"), Buffer(0)]),
    ("lstat", &[Text(c"none"), Buffer(0)]),
    ("lstat", &[Text(c"link"), Value(0)]),
    ("madvise", &[Buffer(0), Value(4096), Value(0)]),
    ("membarrier", &[Value(0), Value(0), Value(0)]),
    ("memfd_create", &[Text(c"sweep"), Value(1)]),
    ("mincore", &[Buffer(0), Value(4096), Buffer(0)]),
    ("mkdir", &[Text(c"fresh"), Value(0o700)]),
    ("mkdir", &[Text(c"still"), Value(0o700)]),
    ("mkdir", &[Text(c"none/fresh"), Value(0o700)]),
    ("mkdirat", &[Value(HERE), Text(c"fresh"), Value(0o700)]),
    ("mknod", &[Text(c"fresh"), Value(0o010600), Value(0)]),
    ("mknod", &[Text(c"fresh"), Value(0o040600), Value(0)]),
    ("mknod", &[Text(c"gone"), Value(0o010600), Value(0)]),
    ("mknod", &[Text(c"fresh"), Value(0o100640), Value(0)]),
    ("mknodat", &[Value(HERE), Text(c"fresh"), Value(0o010600), Value(0)]),
    ("mlock", &[Buffer(0), Value(4096)]),
    ("mmap", &[Buffer(0), Value(4096), Value(3), Value(0x32), Value(ONES), Value(0)]),
    ("mmap", &[Value(0), Value(0), Value(1), Value(0x22), Value(ONES), Value(0)]),
    ("mprotect", &[Buffer(0), Value(4096), Value(3)]),
    ("mprotect", &[Buffer(1), Value(4096), Value(3)]),
    ("mremap", &[Buffer(0), Value(4096), Value(4096), Value(0), Value(0)]),
    ("msgget", &[Value(0x7e57ab1e), Value(0)]),
    ("msync", &[Buffer(0), Value(4096), Value(4)]),
    ("munlock", &[Buffer(0), Value(4096)]),
    ("name_to_handle_at", &[Value(HERE), Text(c"file"), Buffer(0), Buffer(128), Value(0)]),
    ("nanosleep", &[Zeros, Buffer(0)]),
    ("newfstatat", &[Value(HERE), Text(c"file"), Buffer(0), Value(0)]),
    ("newfstatat", &[Value(HERE), Text(c"link"), Buffer(0), Value(0x100)]),
    ("open", &[Text(c"file"), Value(0)]),
    ("open", &[Text(c"file"), Value(0o300), Value(0o600)]),
    ("open", &[Text(c"fresh"), Value(0o102), Value(0o600)]),
    ("open", &[Text(c"none"), Value(0)]),
    ("open", &[Text(c""), Value(0)]),
    ("open", &[Text(c"still"), Value(1)]),
    ("open", &[Text(c"link"), Value(0o400000)]),
    ("open", &[Text(c"still"), Value(0o200000)]),
    ("openat", &[Value(HERE), Text(c"file"), Value(0)]),
    ("openat", &[Value(FOLDER), Text(c"life"), Value(0)]),
    ("openat2", &[Value(HERE), Text(c"file"), Zeros, Value(24)]),
    ("personality", &[Value(0xffffffff)]),
    ("pidfd_open", &[Value(1), Value(0)]),
    ("pidfd_send_signal", &[Value(FILE), Value(0), Value(0), Value(0)]),
    ("pipe", &[Buffer(0)]),
    ("pipe", &[Value(0)]),
    ("pipe", &[Value(8)]),
    ("pipe2", &[Buffer(0), Value(0o4000)]),
    ("pkey_alloc", &[Value(1), Value(0)]),
    ("poll", &[Ready, Value(1), Value(0)]),
    ("poll", &[Ready, Value(1), Value(ONES)]),
    ("poll", &[Value(0), Value(0), Value(0)]),
    ("ppoll", &[Ready, Value(1), Zeros, Value(0), Value(8)]),
    ("prctl", &[Value(3)]),
    ("prctl", &[Value(16), Buffer(0)]),
    ("pread64", &[Value(FILE), Buffer(0), Value(9), Value(4)]),
    ("pread64", &[Value(PIPE_READER), Buffer(0), Value(9), Value(0)]),
    ("preadv", &[Value(FILE), Vector, Value(1), Value(4), Value(0)]),
    ("preadv2", &[Value(FILE), Vector, Value(1), Value(4), Value(0), Value(0)]),
    ("prlimit64", &[Value(0), Value(7), Value(0), Buffer(0)]),
    ("process_madvise", &[Value(FILE), Vector, Value(1), Value(0), Value(0)]),
    ("pselect6", &[Value(0), Value(0), Value(0), Value(0), Zeros, Value(0)]),
    ("pwrite64", &[Value(FILE), Text(c"The"), Value(3), Value(0)]),
    ("pwritev", &[Value(FILE), Vector, Value(0), Value(0), Value(0)]),
    ("pwritev2", &[Value(FILE), Vector, Value(0), Value(0), Value(0), Value(0)]),
    ("read", &[Value(PIPE_READER), Buffer(0), Value(64)]),
    ("read", &[Value(FILE), Buffer(0), Value(9)]),
    ("read", &[Value(FOLDER), Buffer(0), Value(9)]),
    ("readahead", &[Value(FILE), Value(0), Value(0)]),
    ("readlink", &[Text(c"link"), Buffer(0), Value(64)]),
    ("readlink", &[Text(c"link"), Buffer(0), Value(2)]),
    ("readlink", &[Text(c"link"), Buffer(0), Value(0)]),
    ("readlink", &[Text(c"file"), Buffer(0), Value(64)]),
    ("readlink", &[Text(c"link"), Buffer(0), Value(ONES)]),
    ("readlink", &[Text(c"link"), Value(8), Value(64)]),
    ("readlinkat", &[Value(HERE), Text(c"link"), Buffer(0), Value(64)]),
    ("readv", &[Value(PIPE_READER), Vector, Value(1)]),
    ("recvfrom", &[Value(SOCKET), Buffer(0), Value(64), Value(0x40), Value(0), Value(0)]),
    ("recvfrom", &[Value(SOCKET), Buffer(0), Value(64), Value(0x40), Buffer(128), Buffer(2048)]),
    ("recvmsg", &[Value(SOCKET), Zeros, Value(0x40)]),
    ("removexattr", &[Text(c"gone"), Text(c"user.none")]),
    ("rename", &[Text(c"gone"), Text(c"fresh")]),
    ("rename", &[Text(c"none"), Text(c"fresh")]),
    ("rename", &[Text(c"empty"), Text(c"gone")]),
    ("rename", &[Text(c"gone"), Text(c"still")]),
    ("renameat", &[Value(HERE), Text(c"gone"), Value(HERE), Text(c"fresh")]),
    ("renameat", &[Value(FOLDER), Text(c"none"), Value(HERE), Text(c"fresh")]),
    ("renameat", &[Value(HERE), Text(c"gone"), Value(99), Text(c"fresh")]),
    ("renameat2", &[Value(HERE), Text(c"gone"), Value(HERE), Text(c"file"), Value(1)]),
    ("rmdir", &[Text(c"empty")]),
    ("rmdir", &[Text(c"still")]),
    ("rmdir", &[Text(c"gone")]),
    ("rmdir", &[Text(c"still/.")]),
    ("rt_sigaction", &[Value(10), Value(0), Buffer(0), Value(8)]),
    ("rt_sigpending", &[Buffer(0), Value(8)]),
    ("rt_sigprocmask", &[Value(0), Value(0), Buffer(0), Value(8)]),
    ("rt_sigtimedwait", &[Zeros, Buffer(0), Zeros, Value(8)]),
    ("sched_get_priority_max", &[Value(1)]),
    ("sched_get_priority_min", &[Value(1)]),
    ("sched_getaffinity", &[Value(0), Value(128), Buffer(0)]),
    ("sched_getattr", &[Value(0), Buffer(0), Value(48), Value(0)]),
    ("sched_getparam", &[Value(0), Buffer(0)]),
    ("sched_getscheduler", &[Value(0)]),
    ("sched_rr_get_interval", &[Value(0), Buffer(0)]),
    ("select", &[Value(0), Value(0), Value(0), Value(0), Zeros]),
    ("select", &[Value(ONES), Value(0), Value(0), Value(0), Zeros]),
    ("semget", &[Value(0x7e57ab1e), Value(0), Value(0)]),
    ("sendfile", &[Value(PIPE_WRITER), Value(FILE), Value(0), Value(4)]),
    ("sendto", &[Value(SOCKET), Text(c"datagram"), Value(8), Value(0x40), Value(0), Value(0)]),
    ("set_robust_list", &[Value(0), Value(24)]),
    ("setfsgid", &[Value(ONES)]),
    ("setfsuid", &[Value(ONES)]),
    ("setgroups", &[Value(0x10001), Value(0)]),
    ("setitimer", &[Value(0), Zeros, Buffer(0)]),
    ("setpgid", &[Value(0), Value(0)]),
    ("setpriority", &[Value(0), Value(0), Value(10)]),
    ("setrlimit", &[Value(4), Zeros]),
    ("setrlimit", &[Value(4), Value(0)]),
    ("setrlimit", &[Value(4), Value(8)]),
    ("setrlimit", &[Value(99), Zeros]),
    ("setrlimit", &[Value(4), Buffer(2048)]),
    ("setrlimit", &[Value(4), Buffer(2040)]),
    ("setsockopt", &[Value(SOCKET), Value(1), Value(7), Ready, Value(4)]),
    ("shmget", &[Value(0x7e57ab1e), Value(0), Value(0)]),
    ("shutdown", &[Value(SOCKET), Value(2)]),
    ("sigaltstack", &[Value(0), Buffer(0)]),
    ("signalfd", &[Value(ONES), Zeros, Value(8)]),
    ("signalfd", &[Value(FILE), Zeros, Value(8)]),
    ("signalfd", &[Value(ONES), Zeros, Value(7)]),
    ("signalfd", &[Value(ONES), Value(8), Value(8)]),
    ("signalfd4", &[Value(ONES), Zeros, Value(8), Value(0o2000000)]),
    ("socket", &[Value(1), Value(1), Value(0)]),
    ("socketpair", &[Value(1), Value(1), Value(0), Buffer(0)]),
    ("splice", &[Value(PIPE_READER), Value(0), Value(PIPE_WRITER), Value(0), Value(4), Value(2)]),
    ("stat", &[Text(c"file"), Buffer(0)]),
    ("stat", &[Text(c"link"), Buffer(0)]),
    ("stat", &[Text(c"none"), Buffer(0)]),
    ("stat", &[Text(c"file"), Value(0)]),
    ("stat", &[Text(c""), Buffer(0)]),
    ("stat", &[Text(c"file"), Value(8)]),
    ("statfs", &[Text(c"/proc"), Buffer(0)]),
    ("statx", &[Value(HERE), Text(c"file"), Value(0), Value(0x7ff), Buffer(0)]),
    ("symlink", &[Text(c"file"), Text(c"fresh")]),
    ("symlink", &[Text(c"file"), Text(c"gone")]),
    ("symlink", &[Text(c""), Text(c"fresh")]),
    ("symlinkat", &[Text(c"file"), Value(HERE), Text(c"fresh")]),
    ("sync_file_range", &[Value(FILE), Value(0), Value(0), Value(0)]),
    ("sysfs", &[Value(3)]),
    ("sysinfo", &[Buffer(0)]),
    ("timer_create", &[Value(1), Value(0), Buffer(0)]),
    ("timerfd_create", &[Value(1), Value(0)]),
    ("timerfd_gettime", &[Value(TIMER), Buffer(0)]),
    ("timerfd_settime", &[Value(TIMER), Value(0), Zeros, Buffer(0)]),
    ("truncate", &[Text(c"gone"), Value(2)]),
    ("truncate", &[Text(c"still"), Value(2)]),
    ("umask", &[Value(0o077)]),
    ("uname", &[Buffer(0)]),
    ("uname", &[Value(0)]),
    ("unlink", &[Text(c"gone")]),
    ("unlink", &[Text(c"still")]),
    ("unlink", &[Text(c"none")]),
    ("unlink", &[Text(c"gone/")]),
    ("unlinkat", &[Value(HERE), Text(c"empty"), Value(0x200)]),
    ("unshare", &[Value(0)]),
    ("utime", &[Text(c"gone"), Zeros]),
    ("utime", &[Text(c"none"), Value(0)]),
    ("utime", &[Text(c"gone"), Value(0)]),
    ("utime", &[Text(c"gone"), Buffer(2048)]),
    ("utime", &[Text(c"gone"), Value(8)]),
    ("utime", &[Text(c"none"), Text(NO_TIME)]),
    ("utimensat", &[Value(HERE), Text(c"gone"), Zeros, Value(0)]),
    ("utimes", &[Text(c"gone"), Zeros]),
    ("utimes", &[Text(c"none"), Value(0)]),
    ("utimes", &[Text(c"gone"), Value(0)]),
    ("utimes", &[Text(c"gone"), Buffer(2048)]),
    ("utimes", &[Text(c"gone"), Buffer(2040)]),
    ("utimes", &[Text(c"gone"), Value(8)]),
    ("utimes", &[Text(c"none"), Text(NO_TIME)]),
    ("vmsplice", &[Value(PIPE_WRITER), Vector, Value(1), Value(2)]),
    ("wait4", &[Value(ONES), Buffer(0), Value(1), Value(0)]),
    ("waitid", &[Value(0), Value(0), Buffer(0), Value(5), Value(0)]),
    ("write", &[Value(PIPE_WRITER), Text(c"liblinux"), Value(8)]),
    ("write", &[Value(FOLDER), Text(c"liblinux"), Value(8)]),
    ("writev", &[Value(PIPE_WRITER), Vector, Value(1)]),
];

#[cfg(test)]
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    ARGUMENTS.iter().map(|(name, _)| *name)
}
