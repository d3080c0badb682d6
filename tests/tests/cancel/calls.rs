//! The blocking calls: the objects of each, and how what it waits for comes.
//!
//! Left out of the table's calls are those that wait for devices or other machines (`fsync`,
//! `ioctl`), and those whose objects this machine need not have (`io_uring_enter`).
//!
//! # Invariants
//!
//! 1. The functions of a row run in a child of one thread, and make system calls alone.
//! 2. A call that is made when all is ready returns at once, and a second one would not.

use liblinux_abi::syscall::number;
use nix::libc::{self, c_int, c_long, timespec};
use std::mem::zeroed;

/// The objects of a call.
pub(crate) struct Scene {
    /// Descriptors: the one that waits first.
    pub(crate) own: c_int,
    pub(crate) other: c_int,
    pub(crate) third: c_int,
    /// A process, or the identifier of a queue or a set.
    pub(crate) id: c_int,
    pub(crate) bytes: [u8; 4096],
    pub(crate) words: [u64; 64],
    pub(crate) time: timespec,
    pub(crate) vector: libc::iovec,
    pub(crate) message: libc::mmsghdr,
    pub(crate) path: [u8; 40],
}

impl Scene {
    pub(crate) fn new() -> Self {
        // SAFETY: all of it are integers and pointers, for which zero is a value.
        let mut scene: Self = unsafe { zeroed() };
        [scene.own, scene.other, scene.third] = [-1; 3];
        scene.bytes[0] = 1;
        scene
    }
}

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

fn address<T>(place: *const T) -> i64 {
    place.expose_provenance() as i64
}

/// A system call by the libc.
fn call(name: c_long, arguments: [i64; 6]) -> i64 {
    let [a, b, c, d, e, f] = arguments;
    // SAFETY: the arguments are a scene's.
    unsafe { libc::syscall(name, a, b, c, d, e, f) }
}

fn pipe(scene: &mut Scene) -> bool {
    let mut ends = [-1; 2];
    // SAFETY: two descriptors.
    let made = unsafe { libc::pipe(ends.as_mut_ptr()) } == 0;
    [scene.own, scene.other] = ends;
    made
}

fn sockets(scene: &mut Scene) -> bool {
    let mut ends = [-1; 2];
    // SAFETY: two descriptors.
    let made =
        unsafe { libc::socketpair(libc::AF_UNIX, libc::SOCK_STREAM, 0, ends.as_mut_ptr()) } == 0;
    [scene.own, scene.other] = ends;
    vectors(scene);
    made
}

fn vectors(scene: &mut Scene) {
    scene.vector = libc::iovec { iov_base: scene.bytes.as_mut_ptr().cast(), iov_len: 1 };
    scene.message.msg_hdr.msg_iov = &raw mut scene.vector;
    scene.message.msg_hdr.msg_iovlen = 1;
}

/// A byte comes.
fn feed(scene: &mut Scene) {
    call(libc::SYS_write, [scene.other.into(), address(&scene.bytes), 1, 0, 0, 0]);
}

fn nonblocking(descriptor: c_int, on: bool) {
    let flags = if on { libc::O_NONBLOCK } else { 0 };
    call(libc::SYS_fcntl, [descriptor.into(), libc::F_SETFL.into(), flags.into(), 0, 0, 0]);
}

/// `own` can take nothing more.
fn fill(scene: &mut Scene) -> bool {
    nonblocking(scene.own, true);
    for length in [4096, 1] {
        while call(libc::SYS_write, [scene.own.into(), address(&scene.bytes), length, 0, 0, 0]) > 0
        {
        }
    }
    nonblocking(scene.own, false);
    true
}

/// All that was written is read.
fn drain(scene: &mut Scene) {
    nonblocking(scene.other, true);
    while call(libc::SYS_read, [scene.other.into(), address(&scene.bytes), 4096, 0, 0, 0]) > 0 {}
}

fn full_pipe(scene: &mut Scene) -> bool {
    let made = pipe(scene);
    std::mem::swap(&mut scene.own, &mut scene.other);
    vectors(scene);
    made && fill(scene)
}

fn full_socket(scene: &mut Scene) -> bool {
    sockets(scene) && fill(scene)
}

/// A file of one byte behind a full pipe.
fn file_and_full_pipe(scene: &mut Scene) -> bool {
    scene.third = call(libc::SYS_memfd_create, [address(c"f".as_ptr()), 0, 0, 0, 0, 0]) as c_int;
    call(libc::SYS_write, [scene.third.into(), address(&scene.bytes), 1, 0, 0, 0]);
    full_pipe(scene)
}

fn two_pipes(scene: &mut Scene) -> bool {
    let second = pipe(scene);
    scene.third = scene.other;
    second && pipe(scene)
}

fn polled(scene: &mut Scene) -> bool {
    let made = pipe(scene);
    scene.words[0] = u64::from(scene.own.cast_unsigned()) | (libc::POLLIN as u64) << 32;
    scene.words[8 + scene.own as usize / 64] |= 1 << (scene.own % 64);
    made
}

fn watched(scene: &mut Scene) -> bool {
    let made = pipe(scene);
    scene.third = call(libc::SYS_epoll_create1, [0; 6]) as c_int;
    scene.words[0] = libc::EPOLLIN as u64;
    let words = address(&scene.words);
    let add = [scene.third.into(), libc::EPOLL_CTL_ADD.into(), scene.own.into(), words, 0, 0];
    made && call(libc::SYS_epoll_ctl, add) == 0
}

fn unix_socket() -> c_int {
    call(libc::SYS_socket, [libc::AF_UNIX.into(), libc::SOCK_STREAM.into(), 0, 0, 0, 0]) as c_int
}

/// A listening socket without a backlog, its address in `words`.
fn listening(scene: &mut Scene) -> bool {
    scene.own = unix_socket();
    scene.other = unix_socket();
    let family = libc::AF_UNIX as u16;
    scene.words[0] = family.into();
    let words = address(&scene.words);
    // The kernel chooses the name.
    let bound = call(libc::SYS_bind, [scene.own.into(), words, 2, 0, 0, 0]) == 0;
    scene.words[32] = 110;
    let length = address(&raw const scene.words[32]);
    let named = call(libc::SYS_getsockname, [scene.own.into(), words, length, 0, 0, 0]) == 0;
    bound && named && call(libc::SYS_listen, [scene.own.into(), 0, 0, 0, 0, 0]) == 0
}

fn connect(scene: &mut Scene) {
    call(libc::SYS_connect, connection(scene));
}

/// `other` connects to the socket of `words`.
fn connection(scene: &Scene) -> [i64; 6] {
    [scene.other.into(), address(&scene.words), scene.words[32] as i64, 0, 0, 0]
}

/// A listening socket that another one is connected to, as many as may wait.
fn crowded(scene: &mut Scene) -> bool {
    let made = listening(scene);
    connect(scene);
    scene.other = unix_socket();
    made
}

/// Room for another connection. The accepted one takes the place of `own`.
fn accept(scene: &mut Scene) {
    let taken = call(libc::SYS_accept, [scene.own.into(), 0, 0, 0, 0, 0]);
    call(libc::SYS_dup2, [taken, 200, 0, 0, 0, 0]);
    call(libc::SYS_close, [taken, 0, 0, 0, 0, 0]);
}

fn process(scene: &mut Scene) -> bool {
    scene.words[0] = 1 << (libc::SIGCHLD - 1);
    mask(libc::SIG_BLOCK, &scene.words[0]);
    // SAFETY: the child waits for its end.
    scene.id = unsafe { libc::fork() };
    if scene.id == 0 {
        call(libc::SYS_prctl, [libc::PR_SET_PDEATHSIG.into(), libc::SIGKILL.into(), 0, 0, 0, 0]);
        loop {
            call(libc::SYS_pause, [0; 6]);
        }
    }
    scene.id > 0
}

/// It ends, and can be waited for.
fn end(scene: &mut Scene) {
    call(libc::SYS_kill, [scene.id.into(), libc::SIGKILL.into(), 0, 0, 0, 0]);
    let flags = i64::from(libc::WEXITED | libc::WNOWAIT);
    call(libc::SYS_waitid, [libc::P_PID as i64, scene.id.into(), 0, flags, 0, 0]);
}

fn mask(how: c_int, set: &u64) {
    call(libc::SYS_rt_sigprocmask, [how.into(), address(set), 0, 8, 0, 0]);
}

/// Operations of a semaphore that is 0: `words[0]` takes one, `words[1]` gives one.
fn semaphore(scene: &mut Scene) -> bool {
    scene.id = call(libc::SYS_semget, [0, 1, 0o600, 0, 0, 0]) as c_int;
    scene.words[0] = 0xffff << 16;
    scene.words[1] = 1 << 16;
    scene.id >= 0
}

fn give(scene: &mut Scene) {
    let operation = address(&raw const scene.words[1]);
    call(libc::SYS_semop, [scene.id.into(), operation, 1, 0, 0, 0]);
}

fn locked(scene: &mut Scene) -> bool {
    scene.other = call(libc::SYS_memfd_create, [address(c"f".as_ptr()), 0, 0, 0, 0, 0]) as c_int;
    let mut name = *b"/proc/self/fd/\0\0\0\0";
    let digits = [b'0' + (scene.other / 10) as u8, b'0' + (scene.other % 10) as u8];
    name[14..16].copy_from_slice(&digits);
    if scene.other < 10 {
        name[14..16].copy_from_slice(&[digits[1], 0]);
    }
    let path = address(name.as_ptr());
    scene.own = call(libc::SYS_open, [path, libc::O_RDWR.into(), 0, 0, 0, 0]) as c_int;
    scene.words[0] = libc::F_WRLCK as u64;
    let lock = address(&scene.words);
    call(libc::SYS_flock, [scene.other.into(), libc::LOCK_EX.into(), 0, 0, 0, 0]);
    call(libc::SYS_fcntl, [scene.other.into(), libc::F_OFD_SETLK.into(), lock, 0, 0, 0]);
    scene.own >= 0
}

fn unlock(scene: &mut Scene) {
    scene.words[16] = libc::F_UNLCK as u64;
    let lock = address(&raw const scene.words[16]);
    call(libc::SYS_flock, [scene.other.into(), libc::LOCK_UN.into(), 0, 0, 0, 0]);
    call(libc::SYS_fcntl, [scene.other.into(), libc::F_OFD_SETLK.into(), lock, 0, 0, 0]);
}

fn waits_for_user(scene: &mut Scene) -> bool {
    scene.words[0] = 1 << (libc::SIGUSR1 - 1);
    mask(libc::SIG_BLOCK, &scene.words[0]);
    true
}

fn user(_: &mut Scene) {
    let (process, thread) = (call(libc::SYS_getpid, [0; 6]), call(libc::SYS_gettid, [0; 6]));
    call(libc::SYS_tgkill, [process, thread, libc::SIGUSR1.into(), 0, 0, 0]);
}

fn long_time(scene: &mut Scene) -> bool {
    scene.time = timespec { tv_sec: 1000, tv_nsec: 0 };
    true
}

fn no_time(scene: &mut Scene) {
    scene.time = timespec { tv_sec: 0, tv_nsec: 0 };
}

fn nothing(_: &mut Scene) -> bool {
    true
}

extern "C" fn ignore(_: c_int) {}

/// What waits for a signal gets one, again and again: one that comes too early ends nothing.
fn alarms(_: &mut Scene) {
    let soon: [i64; 4] = [0, 50_000, 0, 50_000];
    let handler = (ignore as *const ()).addr();
    // SAFETY: installs a handler that does nothing.
    unsafe { libc::signal(libc::SIGALRM, handler) };
    call(libc::SYS_setitimer, [0, address(&soon), 0, 0, 0, 0]);
}

fn word(scene: &mut Scene) -> bool {
    // A futex_waitv: value, address, size of 32 bits.
    scene.words[0] = 0;
    scene.words[1] = address(&raw const scene.words[8]) as u64;
    scene.words[2] = 2;
    true
}

fn changed(scene: &mut Scene) {
    scene.words[8] = 1;
}

fn fifo(scene: &mut Scene) -> bool {
    let mut at = 0;
    for byte in b"/tmp/liblinux-cancel-" {
        scene.path[at] = *byte;
        at += 1;
    }
    let mut rest = call(libc::SYS_getpid, [0; 6]);
    while rest > 0 {
        scene.path[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
        at += 1;
    }
    let mode = i64::from(libc::S_IFIFO | 0o600);
    call(libc::SYS_mknod, [address(&scene.path), mode, 0, 0, 0, 0]) == 0
}

/// Both ends are open.
fn both_ends(scene: &mut Scene) {
    let flags = i64::from(libc::O_RDWR | libc::O_NONBLOCK);
    let end = call(libc::SYS_open, [address(&scene.path), flags, 0, 0, 0, 0]);
    scene.third = end as c_int;
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

fn pipe_vector(scene: &mut Scene) -> bool {
    vectors(scene);
    pipe(scene)
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

/// Takes away what a child leaves behind.
pub(crate) fn clean(scene: &Scene) {
    if scene.path[0] != 0 {
        call(libc::SYS_unlink, [address(&scene.path), 0, 0, 0, 0, 0]);
    }
    if scene.words[0] == 0xffff << 16 {
        call(libc::SYS_semctl, [scene.id.into(), 0, libc::IPC_RMID.into(), 0, 0, 0]);
    }
}
