//! A pinned thread's system calls come from the image, or not at all. Each test pins a child of its
//! own.

#![expect(unsafe_code, reason = "forks, and makes system calls")]

use liblinux::{Call, Vdso};
use liblinux_tests::image::Image;
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, fork};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

static VDSO: LazyLock<Vdso> = LazyLock::new(|| {
    // SAFETY: mapped for good, as its headers say.
    unsafe { Vdso::at(Image::load().base()) }.expect("our image is fit")
});

/// Runs `body` in a pinned child and returns how the child ended.
fn pinned(body: fn(&Vdso) -> i32) -> WaitStatus {
    let vdso = &*VDSO;
    // SAFETY: the child runs `body` and ends; it allocates nothing and takes no lock.
    match unsafe { fork() }.expect("a child") {
        ForkResult::Parent { child } => waitpid(child, None).expect("its end"),
        ForkResult::Child => {
            let status = match vdso.pin_origin() {
                Ok(()) => body(vdso),
                Err(_) => 99,
            };
            // SAFETY: ends the child.
            let _ = unsafe { vdso.exit_group(status) };
            unreachable!("exit_group returned");
        }
    }
}

#[track_caller]
fn assert_exited(status: WaitStatus, expected: i32) {
    assert!(matches!(status, WaitStatus::Exited(_, code) if code == expected), "{status:?}");
}

#[test]
fn calls_by_the_image_go_on() {
    let status = pinned(|vdso| {
        // SAFETY: changes nothing.
        let pid = unsafe { vdso.getpid() };
        // SAFETY: the name is a C string.
        let missing = unsafe { vdso.openat(-100, c"/nonesuch".as_ptr(), 0, 0) };
        let as_expected = pid.is_ok() && missing.is_err_and(|error| error.name() == Some("ENOENT"));
        if as_expected { 7 } else { 1 }
    });
    assert_exited(status, 7);
}

#[test]
fn a_call_by_the_libc_trips() {
    let status = pinned(|_| {
        // A system call in the libc's text.
        std::thread::yield_now();
        0
    });
    assert!(matches!(status, WaitStatus::Signaled(_, Signal::SIGSYS, _)), "{status:?}");
}

#[test]
fn a_call_by_the_bare_instruction_trips() {
    let status = pinned(|_| {
        let bare = Vdso::none().or_syscall();
        // SAFETY: changes nothing.
        i32::from(unsafe { bare.getpid() }.is_ok())
    });
    assert!(matches!(status, WaitStatus::Signaled(_, Signal::SIGSYS, _)), "{status:?}");
}

static HANDLED: AtomicU32 = AtomicU32::new(0);

extern "C" fn handler(_: i32) {
    HANDLED.fetch_add(1, SeqCst);
}

/// The kernel's `struct sigaction` (`arch/x86/include/uapi/asm/signal.h`).
#[repr(C)]
struct Action {
    handler: usize,
    flags: u64,
    restorer: usize,
    mask: u64,
}

#[test]
fn signal_handlers_return_by_the_image() {
    const SIGUSR1: i32 = 10;
    const SA_RESTORER: u64 = 0x0400_0000;
    let status = pinned(|vdso| {
        let Some(restorer) = vdso.entry(Call::rt_sigreturn) else { return 1 };
        let action = Action {
            handler: handler as *const () as usize,
            flags: SA_RESTORER,
            restorer,
            mask: 0,
        };
        // SAFETY: the handler is a function of this signature, and a signal set has 8 bytes.
        let set = unsafe {
            vdso.rt_sigaction(SIGUSR1, (&raw const action).cast(), std::ptr::null_mut(), 8)
        };
        // SAFETY: changes nothing.
        let pid = unsafe { vdso.getpid() };
        let (Ok(_), Ok(pid)) = (set, pid) else { return 2 };
        // SAFETY: this process has a handler for it.
        let sent = unsafe { vdso.kill(pid, SIGUSR1) };
        if sent.is_ok() && HANDLED.load(SeqCst) == 1 { 7 } else { 3 }
    });
    assert_exited(status, 7);
}
