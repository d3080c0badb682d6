//! The child: it makes one call, and says how it went.
//!
//! # Invariants
//!
//! 1. From the fork on it allocates nothing and takes no lock.
//! 2. What it says is in memory that it shares with its tracer.

use crate::calls::Call;
use crate::scene::{Scene, clean};
use liblinux_abi::arch::x86_64::signal::{SA_RESTART, SA_RESTORER, SA_SIGINFO};
use liblinux_abi::image::export::SYSCALL_CANCELLABLE;
use liblinux_tests::image::Image;
use nix::libc;
use std::mem::transmute;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// The signal that calls off.
pub(crate) const SIGNAL: libc::c_int = libc::SIGURG;

/// What a child says.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub(crate) struct Report {
    /// The state, which the tracer sets.
    pub(crate) state: u32,
    /// What the cancellable call returned.
    pub(crate) result: i64,
    /// How many descriptors more were open behind it.
    pub(crate) opened: i64,
    /// What the plain call returned then, made with all ready. The first of a child that makes no
    /// cancellable call.
    pub(crate) again: i64,
    /// 1 when the child has written everything.
    pub(crate) done: u32,
}

/// `__vdso_cancel_dispatch`, or 0 where the handler shall do nothing.
static DISPATCH: AtomicUsize = AtomicUsize::new(0);

extern "C" fn handler(_: libc::c_int, _: *const libc::c_void, context: *mut libc::c_void) {
    let dispatch = DISPATCH.load(Relaxed);
    if dispatch != 0 {
        // SAFETY: the image's function of this type, and a signal's context.
        unsafe { transmute::<usize, extern "C" fn(*mut libc::c_void) -> isize>(dispatch)(context) };
    }
}

/// `struct kernel_sigaction`.
#[repr(C)]
struct Action {
    handler: usize,
    flags: u64,
    restorer: usize,
    mask: u64,
}

fn install(image: &Image, restart: bool) -> bool {
    let restart = if restart { SA_RESTART } else { 0 };
    let action = Action {
        handler: (handler as *const ()).addr(),
        flags: SA_SIGINFO | SA_RESTORER | restart,
        restorer: image.require("__vdso_rt_sigreturn"),
        mask: 0,
    };
    // SAFETY: the kernel's structure, and a handler of this type.
    unsafe { libc::syscall(libc::SYS_rt_sigaction, SIGNAL, &raw const action, 0, 8) == 0 }
}

/// Descriptors below 64 that are open.
fn open_descriptors() -> i64 {
    // SAFETY: asks for the flags of a number.
    (0..64).filter(|number| unsafe { libc::fcntl(*number, libc::F_GETFD) } >= 0).count() as i64
}

/// What a child shall do.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Task<'t> {
    pub(crate) image: &'t Image,
    pub(crate) call: &'t Call,
    /// Whether the call finds at once what it waits for.
    pub(crate) ready: bool,
    pub(crate) restart: bool,
    /// Whether the handler dispatches.
    pub(crate) dispatches: bool,
}

type Cancellable = extern "C" fn(*mut u32, i64, i64, i64, i64, i64, i64, i64) -> i64;

/// The whole life of a child, from where it is traced; `stop` waits for the tracer.
pub(crate) fn live(task: Task<'_>, report: *mut Report, stop: fn()) {
    let Task { image, call, .. } = task;
    let dispatch = if task.dispatches { image.require("__vdso_cancel_dispatch") } else { 0 };
    DISPATCH.store(dispatch, Relaxed);
    let entry = image.require(SYSCALL_CANCELLABLE);
    // SAFETY: the image's function of this type.
    let cancellable = unsafe { transmute::<usize, Cancellable>(entry) };
    let mut scene = Scene::new();
    if !install(image, task.restart) || !(call.prepare)(&mut scene) {
        return;
    }
    if task.ready {
        (call.ready)(&mut scene);
    }
    let before = open_descriptors();
    let [a, b, c, d, e, f] = (call.arguments)(&scene);
    stop();
    // SAFETY: shared with the tracer, which writes it while this process is stopped alone.
    let state = unsafe { &raw mut (*report).state };
    let result = cancellable(state, call.number, a, b, c, d, e, f);
    let opened = open_descriptors() - before;
    if !task.ready {
        (call.ready)(&mut scene);
    }
    let [a, b, c, d, e, f] = (call.arguments)(&scene);
    // Not where the call would wait for a second event.
    let again = if result < 0 {
        // SAFETY: the arguments are the scene's.
        unsafe { libc::syscall(call.number, a, b, c, d, e, f) }
    } else {
        result
    };
    clean(&scene);
    let again = if call.returns_descriptor && again >= 0 { 0 } else { again };
    let result = if call.returns_descriptor && result >= 0 { 0 } else { result };
    // SAFETY: as above.
    let state = unsafe { state.read_volatile() };
    // SAFETY: as above.
    unsafe { report.write_volatile(Report { state, result, opened, again, done: 1 }) };
}
