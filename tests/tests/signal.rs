//! A signal handler that returns through `__vdso_rt_sigreturn`, and an unwinder that walks over it.
//!
//! The unwinder is libgcc's, which knows nothing of this image but the `.eh_frame` that it is
//! given.

#![expect(unsafe_code, reason = "installs a signal handler and unwinds")]

use liblinux_abi::image::layout::slot;
use liblinux_abi::syscall;
use liblinux_tests::image::Image;
use std::cell::UnsafeCell;
use std::ffi::{c_int, c_void};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

static IMAGE: LazyLock<Image> = LazyLock::new(Image::load);

// `include/uapi/asm-generic/signal.h`, `arch/x86/include/uapi/asm/signal.h`.
const SIGUSR1: c_int = 10;
const SA_SIGINFO: u64 = 4;
const SA_RESTORER: u64 = 0x0400_0000;

/// `struct kernel_sigaction`.
#[repr(C)]
struct Action {
    handler: extern "C" fn(c_int, *const c_void, *const c_void),
    flags: u64,
    restorer: usize,
    mask: u64,
}

unsafe extern "C" {
    fn __register_frame(eh_frame: *const c_void);
    safe fn _Unwind_Backtrace(
        step: extern "C" fn(*mut c_void, *mut c_void) -> c_int,
        argument: *mut c_void,
    ) -> c_int;
    fn _Unwind_GetIP(context: *mut c_void) -> usize;
    fn _Unwind_FindEnclosingFunction(ip: *const c_void) -> usize;
}

/// The frames that the handler saw, innermost first. Written by the handler alone, read when it has
/// returned.
struct Frames(UnsafeCell<[usize; 64]>);
// SAFETY: one test uses it, on one thread.
unsafe impl Sync for Frames {}
static FRAMES: Frames = Frames(UnsafeCell::new([0; 64]));
static DEPTH: AtomicUsize = AtomicUsize::new(0);

extern "C" fn step(context: *mut c_void, _: *mut c_void) -> c_int {
    let depth = DEPTH.fetch_add(1, SeqCst);
    // SAFETY: called by the unwinder with its context.
    let ip = unsafe { _Unwind_GetIP(context) };
    // SAFETY: only the handler accesses it now.
    let frames = unsafe { &mut *FRAMES.0.get() };
    if let Some(frame) = frames.get_mut(depth) {
        *frame = ip;
    }
    0
}

extern "C" fn handler(_: c_int, _: *const c_void, _: *const c_void) {
    _Unwind_Backtrace(step, std::ptr::null_mut());
}

fn call(name: &str, arguments: [usize; 4]) -> isize {
    let entry = IMAGE.require(name);
    // SAFETY: every entry takes its arguments in registers, at most four here.
    let entry = unsafe {
        std::mem::transmute::<usize, extern "C" fn(usize, usize, usize, usize) -> isize>(entry)
    };
    let [a, b, c, d] = arguments;
    entry(a, b, c, d)
}

/// Sends the signal to this thread; returns when the handler has.
#[inline(never)]
extern "C" fn interrupted() -> usize {
    let (pid, tid) = (call("__vdso_getpid", [0; 4]), call("__vdso_gettid", [0; 4]));
    let sent =
        call("__vdso_tgkill", [pid.cast_unsigned(), tid.cast_unsigned(), SIGUSR1 as usize, 0]);
    assert_eq!(sent, 0);
    std::hint::black_box(DEPTH.load(SeqCst))
}

#[test]
fn a_handler_returns_and_unwinds_through_rt_sigreturn() {
    let restorer = IMAGE.require("__vdso_rt_sigreturn");
    // SAFETY: the image's `.eh_frame` is mapped for good and ends with a zero.
    unsafe { __register_frame(std::ptr::with_exposed_provenance(IMAGE.section(".eh_frame"))) };

    let action = Action { handler, flags: SA_SIGINFO | SA_RESTORER, restorer, mask: 0 };
    let action = (&raw const action).addr();
    assert_eq!(call("__vdso_rt_sigaction", [SIGUSR1 as usize, action, 0, 8]), 0);
    let depth = interrupted();
    assert!(depth > 3, "the handler saw {depth} frames");

    // SAFETY: the handler has returned.
    let frames = unsafe { *FRAMES.0.get() };
    let frames = &frames[..depth.min(64)];
    let at = frames.iter().position(|&ip| ip == restorer);
    let at =
        at.unwrap_or_else(|| panic!("{frames:x?} does not contain the restorer {restorer:#x}"));
    // Behind the signal frame: the stub that was interrupted, at the instruction after `syscall`,
    // and its caller.
    let tgkill = syscall::find("tgkill").expect("a row");
    assert_eq!(frames[at + 1], IMAGE.base() + slot(tgkill.number) + 14, "the interrupted stub");
    let functions = frames[at + 2..].iter().map(|&ip| {
        // SAFETY: any address may be asked for.
        unsafe { _Unwind_FindEnclosingFunction(std::ptr::with_exposed_provenance(ip)) }
    });
    let caller = (interrupted as extern "C" fn() -> usize) as usize;
    let functions: Vec<_> = functions.collect();
    assert!(
        functions.contains(&caller),
        "{functions:x?} does not contain the stub's caller {caller:#x}"
    );
}
