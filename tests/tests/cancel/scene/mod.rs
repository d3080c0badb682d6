//! The objects of a call, and how what it waits for comes.
//!
//! # Invariants
//!
//! 1. The functions run in a child of one thread, and make system calls alone.

pub(crate) mod descriptor;
pub(crate) mod event;

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
pub(crate) fn address<T>(place: *const T) -> i64 {
    place.expose_provenance() as i64
}

/// A system call by the libc.
pub(crate) fn call(name: c_long, arguments: [i64; 6]) -> i64 {
    let [a, b, c, d, e, f] = arguments;
    // SAFETY: the arguments are a scene's.
    unsafe { libc::syscall(name, a, b, c, d, e, f) }
}

/// Takes away what a child leaves behind.
pub(crate) fn clean(scene: &Scene) {
    if scene.path[0] != 0 {
        call(libc::SYS_unlink, [address(&scene.path), 0, 0, 0, 0, 0]);
    }
    if scene.words[0] == 0xffff << 16 {
        call(libc::SYS_semctl, [scene.id.into(), 0, libc::IPC_RMID.into(), 0, 0, 0]);
    }
}
