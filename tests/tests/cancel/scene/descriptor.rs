//! Pipes, sockets and files, and what is polled.

use super::{Scene, address, call};
use nix::libc::{self, c_int};

pub(crate) fn pipe(scene: &mut Scene) -> bool {
    let mut ends = [-1; 2];
    // SAFETY: two descriptors.
    let made = unsafe { libc::pipe(ends.as_mut_ptr()) } == 0;
    [scene.own, scene.other] = ends;
    made
}

pub(crate) fn sockets(scene: &mut Scene) -> bool {
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
pub(crate) fn feed(scene: &mut Scene) {
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
pub(crate) fn drain(scene: &mut Scene) {
    nonblocking(scene.other, true);
    while call(libc::SYS_read, [scene.other.into(), address(&scene.bytes), 4096, 0, 0, 0]) > 0 {}
}

pub(crate) fn full_pipe(scene: &mut Scene) -> bool {
    let made = pipe(scene);
    std::mem::swap(&mut scene.own, &mut scene.other);
    vectors(scene);
    made && fill(scene)
}

pub(crate) fn full_socket(scene: &mut Scene) -> bool {
    sockets(scene) && fill(scene)
}

/// A file of one byte behind a full pipe.
pub(crate) fn file_and_full_pipe(scene: &mut Scene) -> bool {
    scene.third = call(libc::SYS_memfd_create, [address(c"f".as_ptr()), 0, 0, 0, 0, 0]) as c_int;
    call(libc::SYS_write, [scene.third.into(), address(&scene.bytes), 1, 0, 0, 0]);
    full_pipe(scene)
}

pub(crate) fn two_pipes(scene: &mut Scene) -> bool {
    let second = pipe(scene);
    scene.third = scene.other;
    second && pipe(scene)
}

pub(crate) fn polled(scene: &mut Scene) -> bool {
    let made = pipe(scene);
    scene.words[0] = u64::from(scene.own.cast_unsigned()) | (libc::POLLIN as u64) << 32;
    scene.words[8 + scene.own as usize / 64] |= 1 << (scene.own % 64);
    made
}

pub(crate) fn watched(scene: &mut Scene) -> bool {
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
pub(crate) fn listening(scene: &mut Scene) -> bool {
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

pub(crate) fn connect(scene: &mut Scene) {
    call(libc::SYS_connect, connection(scene));
}

/// `other` connects to the socket of `words`.
fn connection(scene: &Scene) -> [i64; 6] {
    [scene.other.into(), address(&scene.words), scene.words[32] as i64, 0, 0, 0]
}

/// A listening socket that another one is connected to, as many as may wait.
pub(crate) fn crowded(scene: &mut Scene) -> bool {
    let made = listening(scene);
    connect(scene);
    scene.other = unix_socket();
    made
}

/// Room for another connection. The accepted one takes the place of `own`.
pub(crate) fn accept(scene: &mut Scene) {
    let taken = call(libc::SYS_accept, [scene.own.into(), 0, 0, 0, 0, 0]);
    call(libc::SYS_dup2, [taken, 200, 0, 0, 0, 0]);
    call(libc::SYS_close, [taken, 0, 0, 0, 0, 0]);
}

pub(crate) fn pipe_vector(scene: &mut Scene) -> bool {
    vectors(scene);
    pipe(scene)
}
