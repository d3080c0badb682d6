//! Exception fixups by the signal handler, on this kernel.
//!
//! # Invariants
//!
//! 1. Dispositions are a process's, so each test has a child of its own.

#![expect(unsafe_code, reason = "forks")]

mod arena;
mod cookie;
mod cover;
mod flags;
mod handler;
mod label;
mod mask;
mod memory;
mod outcome;
mod registry;
mod table;

use liblinux::Vdso;
use liblinux::fixup::{Fixups, Registration};
use liblinux_tests::image::Image;
use nix::sys::mman::{MapFlags, ProtFlags, mmap_anonymous};
use nix::sys::signal::Signal;
use nix::sys::wait::{WaitStatus, waitpid};
use nix::unistd::{ForkResult, fork};
use std::num::NonZeroUsize;
use std::ptr::NonNull;
use std::sync::LazyLock;

const PAGE: usize = liblinux_abi::image::layout::PAGE_SIZE;

static VDSO: LazyLock<Vdso> = LazyLock::new(|| {
    // SAFETY: mapped for good, as its headers say.
    unsafe { Vdso::at(Image::load().base()) }.expect("our image is fit")
});

/// Runs `body` in a child; how the child ended. A child that returns has status 0, one that panics
/// 101.
fn child(body: impl FnOnce()) -> WaitStatus {
    LazyLock::force(&VDSO);
    // SAFETY: the child runs `body`, writes at most a panic's message, and ends.
    match unsafe { fork() }.expect("a child") {
        ForkResult::Parent { child } => waitpid(child, None).expect("its end"),
        ForkResult::Child => {
            let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(body));
            // SAFETY: ends the child without the harness's exit handlers.
            let _ = unsafe { VDSO.exit_group(if result.is_ok() { 0 } else { 101 }) };
            unreachable!("exit_group returned");
        }
    }
}

#[track_caller]
fn passes(body: impl FnOnce()) {
    let status = child(body);
    assert!(matches!(status, WaitStatus::Exited(_, 0)), "{status:?}");
}

#[track_caller]
fn dies(signal: Signal, body: impl FnOnce()) {
    let status = child(body);
    assert!(matches!(status, WaitStatus::Signaled(_, of, _) if of == signal), "{status:?}");
}

fn register() -> Registration<'static> {
    let fixups = Fixups::of_process(&VDSO).expect("fixups");
    fixups.register_own().expect("a registration")
}

fn pages(count: usize, protection: ProtFlags) -> NonNull<u8> {
    let length = NonZeroUsize::new(count * PAGE).expect("not empty");
    // SAFETY: a new mapping.
    unsafe { mmap_anonymous(None, length, protection, MapFlags::MAP_PRIVATE) }
        .expect("memory")
        .cast()
}
