//! The blocking calls: the objects of each, and how what it waits for comes.
//!
//! Left out of the table's calls are those that wait for devices or other machines (`fsync`,
//! `ioctl`), and those whose objects this machine need not have (`io_uring_enter`).
//!
//! # Invariants
//!
//! 1. A call that is made when all is ready returns at once, and a second one would not.

use crate::scene::descriptor::{
    accept, connect, crowded, drain, feed, file_and_full_pipe, full_pipe, full_socket, listening,
    pipe, pipe_vector, polled, sockets, two_pipes, watched,
};
use crate::scene::event::{
    alarms, both_ends, changed, end, fifo, give, locked, long_time, no_time, nothing, process,
    semaphore, unlock, user, waits_for_user, word,
};
use crate::scene::{Scene, address};
use liblinux_abi::syscall::number;
use nix::libc;

/// A call, and how it is set up.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) name: &'static str,
    pub(crate) number: i64,
    /// Makes the objects; whether they could be made.
    pub(crate) prepare: fn(&mut Scene) -> bool,
    /// What the call waits for comes.
    pub(crate) ready: fn(&mut Scene),
    pub(crate) arguments: fn(&Scene) -> [i64; 6],
    /// Whether its result is a number that differs from child to child.
    pub(crate) returns_descriptor: bool,
}

impl Call {
    /// Whether nothing but a signal ends it.
    pub(crate) fn waits_for_signals(&self) -> bool {
        matches!(self.name, "pause" | "rt_sigsuspend")
    }
}

macro_rules! calls {
    ($($name:literal $prepare:ident, $ready:ident, $scene:pat => [$($argument:expr),* $(,)?] $($returns:ident)?;)*) => {
        /// Every call that is set up.
        pub(crate) const CALLS: &[Call] = &[$(Call {
            name: $name,
            number: number($name) as i64,
            prepare: $prepare,
            ready: $ready,
            arguments: |$scene| {
                let given: &[i64] = &[$(($argument) as i64),*];
                let mut all = [0; 6];
                all[..given.len()].copy_from_slice(given);
                all
            },
            returns_descriptor: false $(|| calls!(@ $returns))?,
        }),*];
    };
    (@ descriptor) => { true };
}

calls! {
    "read" pipe, feed, s => [s.own, address(&s.bytes), 1];
    "readv" pipe_vector, feed, s => [s.own, address(&s.vector), 1];
    "preadv2" pipe_vector, feed, s => [s.own, address(&s.vector), 1, -1, -1, 0];
    "write" full_pipe, drain, s => [s.own, address(&s.bytes), 1];
    "writev" full_pipe, drain, s => [s.own, address(&s.vector), 1];
    "pwritev2" full_pipe, drain, s => [s.own, address(&s.vector), 1, -1, -1, 0];
    "vmsplice" full_pipe, drain, s => [s.own, address(&s.vector), 1, 0];
    "sendfile" file_and_full_pipe, drain, s => [s.own, s.third, address(&s.words[63]), 1];
    "splice" two_pipes, feed, s => [s.own, 0, s.third, 0, 1, 0];
    "tee" two_pipes, feed, s => [s.own, s.third, 1, 0];
    "recvfrom" sockets, feed, s => [s.own, address(&s.bytes), 1, 0, 0, 0];
    "recvmsg" sockets, feed, s => [s.own, address(&s.message.msg_hdr), 0];
    "recvmmsg" sockets, feed, s => [s.own, address(&s.message), 1, 0, 0];
    "sendto" full_socket, drain, s => [s.own, address(&s.bytes), 1, 0, 0, 0];
    "sendmsg" full_socket, drain, s => [s.own, address(&s.message.msg_hdr), 0];
    "sendmmsg" full_socket, drain, s => [s.own, address(&s.message), 1, 0];
    "accept" listening, connect, s => [s.own, 0, 0] descriptor;
    "accept4" listening, connect, s => [s.own, 0, 0, 0] descriptor;
    "connect" crowded, accept, s => [s.other, address(&s.words), s.words[32]];
    "poll" polled, feed, s => [address(&s.words), 1, -1];
    "ppoll" polled, feed, s => [address(&s.words), 1, 0, 0, 8];
    "select" polled, feed, s => [64, address(&s.words[8]), 0, 0, 0];
    "pselect6" polled, feed, s => [64, address(&s.words[8]), 0, 0, 0, 0];
    "epoll_wait" watched, feed, s => [s.third, address(&s.words[16]), 1, -1];
    "epoll_pwait" watched, feed, s => [s.third, address(&s.words[16]), 1, -1, 0, 8];
    "epoll_pwait2" watched, feed, s => [s.third, address(&s.words[16]), 1, 0, 0, 8];
    "wait4" process, end, s => [s.id, 0, 0, 0] descriptor;
    "waitid" process, end, s => [libc::P_PID, s.id, 0, libc::WEXITED, 0];
    "semop" semaphore, give, s => [s.id, address(&s.words), 1];
    "semtimedop" semaphore, give, s => [s.id, address(&s.words), 1, 0];
    "flock" locked, unlock, s => [s.own, libc::LOCK_EX];
    "fcntl" locked, unlock, s => [s.own, libc::F_OFD_SETLKW, address(&s.words)];
    "rt_sigtimedwait" waits_for_user, user, s => [address(&s.words), 0, 0, 8];
    "rt_sigsuspend" nothing, alarms, s => [address(&s.words), 8];
    "pause" nothing, alarms, _ => [];
    "nanosleep" long_time, no_time, s => [address(&s.time), 0];
    "clock_nanosleep" long_time, no_time, s => [libc::CLOCK_MONOTONIC, 0, address(&s.time), 0];
    "futex" word, changed, s => [address(&s.words[8]), libc::FUTEX_WAIT, 0, 0, 0, 0];
    "futex_waitv" word, changed, s => [address(&s.words), 1, 0, 0, 0];
    "open" fifo, both_ends, s => [address(&s.path), libc::O_RDONLY] descriptor;
    "creat" fifo, both_ends, s => [address(&s.path), 0o600] descriptor;
    "openat" fifo, both_ends, s => [libc::AT_FDCWD, address(&s.path), libc::O_RDONLY] descriptor;
    "openat2" fifo, both_ends, s => [libc::AT_FDCWD, address(&s.path), address(&s.words), 24] descriptor;
}

/// `close`, which waits for nothing.
pub(crate) const CLOSE: Call = Call {
    name: "close",
    number: number("close") as i64,
    prepare: pipe,
    ready: |_| {},
    arguments: |scene| [scene.own.into(), 0, 0, 0, 0, 0],
    returns_descriptor: false,
};
