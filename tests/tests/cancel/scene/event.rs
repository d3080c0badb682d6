//! Processes, locks, signals, times, words, and names of pipes.

use super::{Scene, address, call};
use nix::libc::{self, c_int, timespec};

pub(crate) fn process(scene: &mut Scene) -> bool {
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
pub(crate) fn end(scene: &mut Scene) {
    call(libc::SYS_kill, [scene.id.into(), libc::SIGKILL.into(), 0, 0, 0, 0]);
    let flags = i64::from(libc::WEXITED | libc::WNOWAIT);
    call(libc::SYS_waitid, [libc::P_PID as i64, scene.id.into(), 0, flags, 0, 0]);
}

fn mask(how: c_int, set: &u64) {
    call(libc::SYS_rt_sigprocmask, [how.into(), address(set), 0, 8, 0, 0]);
}

/// Operations of a semaphore that is 0: `words[0]` takes one, `words[1]` gives one.
pub(crate) fn semaphore(scene: &mut Scene) -> bool {
    scene.id = call(libc::SYS_semget, [0, 1, 0o600, 0, 0, 0]) as c_int;
    scene.words[0] = 0xffff << 16;
    scene.words[1] = 1 << 16;
    scene.id >= 0
}

pub(crate) fn give(scene: &mut Scene) {
    let operation = address(&raw const scene.words[1]);
    call(libc::SYS_semop, [scene.id.into(), operation, 1, 0, 0, 0]);
}

pub(crate) fn locked(scene: &mut Scene) -> bool {
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

pub(crate) fn unlock(scene: &mut Scene) {
    scene.words[16] = libc::F_UNLCK as u64;
    let lock = address(&raw const scene.words[16]);
    call(libc::SYS_flock, [scene.other.into(), libc::LOCK_UN.into(), 0, 0, 0, 0]);
    call(libc::SYS_fcntl, [scene.other.into(), libc::F_OFD_SETLK.into(), lock, 0, 0, 0]);
}

pub(crate) fn waits_for_user(scene: &mut Scene) -> bool {
    scene.words[0] = 1 << (libc::SIGUSR1 - 1);
    mask(libc::SIG_BLOCK, &scene.words[0]);
    true
}

pub(crate) fn user(_: &mut Scene) {
    let (process, thread) = (call(libc::SYS_getpid, [0; 6]), call(libc::SYS_gettid, [0; 6]));
    call(libc::SYS_tgkill, [process, thread, libc::SIGUSR1.into(), 0, 0, 0]);
}

pub(crate) fn long_time(scene: &mut Scene) -> bool {
    scene.time = timespec { tv_sec: 1000, tv_nsec: 0 };
    true
}

pub(crate) fn no_time(scene: &mut Scene) {
    scene.time = timespec { tv_sec: 0, tv_nsec: 0 };
}

pub(crate) fn nothing(_: &mut Scene) -> bool {
    true
}

extern "C" fn ignore(_: c_int) {}

/// What waits for a signal gets one, again and again: one that comes too early ends nothing.
pub(crate) fn alarms(_: &mut Scene) {
    let soon: [i64; 4] = [0, 50_000, 0, 50_000];
    let handler = (ignore as *const ()).addr();
    // SAFETY: installs a handler that does nothing.
    unsafe { libc::signal(libc::SIGALRM, handler) };
    call(libc::SYS_setitimer, [0, address(&soon), 0, 0, 0, 0]);
}

pub(crate) fn word(scene: &mut Scene) -> bool {
    // A futex_waitv: value, address, size of 32 bits.
    scene.words[0] = 0;
    scene.words[1] = address(&raw const scene.words[8]) as u64;
    scene.words[2] = 2;
    true
}

pub(crate) fn changed(scene: &mut Scene) {
    scene.words[8] = 1;
}

pub(crate) fn fifo(scene: &mut Scene) -> bool {
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
pub(crate) fn both_ends(scene: &mut Scene) {
    let flags = i64::from(libc::O_RDWR | libc::O_NONBLOCK);
    let end = call(libc::SYS_open, [address(&scene.path), flags, 0, 0, 0, 0]);
    scene.third = end as c_int;
}
