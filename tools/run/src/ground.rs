//! The stack that this program and its tracer run on: one of their own.
//!
//! `ulimit -s` limits a process's first stack. The user means that limit for the program, which
//! inherits it unchanged. Reading a command line and judging an image can need more.
//!
//! # Invariants
//!
//! 1. There is still one thread: a forked child continues on its copy of this stack.

#![expect(unsafe_code, reason = "stacks are changed by C functions")]

use nix::libc::{self, c_int, c_void};
use std::mem::MaybeUninit;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicU8, Ordering};

/// Bytes of the stack.
const SIZE: usize = 2 << 20;

/// Bytes at its lower end that cannot be accessed, so that an overflow is a fault.
const GUARD: usize = 4096;

/// The exit status that [`enter`] got. There is one thread, so relaxed accesses see the latest
/// value.
static STATUS: AtomicU8 = AtomicU8::new(0);

/// Runs `W` on a stack of its own, or on the present one if memory for another is lacking; its exit
/// status.
pub(crate) fn run<W: Work>() -> u8 {
    let Some(stack) = map() else { return W::run() };
    let mut here = MaybeUninit::<libc::ucontext_t>::uninit();
    let mut there = MaybeUninit::<libc::ucontext_t>::uninit();
    // SAFETY: fills the structure that it is given.
    if unsafe { libc::getcontext(there.as_mut_ptr()) } != 0 {
        return W::run();
    }
    // SAFETY: filled above.
    let context = unsafe { there.assume_init_mut() };
    context.uc_stack = libc::stack_t { ss_sp: stack, ss_flags: 0, ss_size: SIZE };
    context.uc_link = here.as_mut_ptr();
    let no_arguments: c_int = 0;
    // SAFETY: the context has a stack that nothing else uses, and one to return to; the function
    // takes no argument.
    unsafe { libc::makecontext(context, enter::<W>, no_arguments) };
    // SAFETY: both live until `enter` has returned, which is when this call does.
    match unsafe { libc::swapcontext(here.as_mut_ptr(), context) } {
        0 => STATUS.load(Ordering::Relaxed),
        _ => W::run(),
    }
}

/// The work of a program.
pub(crate) trait Work {
    /// Does it; the exit status.
    fn run() -> u8;
}

extern "C" fn enter<W: Work>() {
    STATUS.store(W::run(), Ordering::Relaxed);
}

fn map() -> Option<*mut c_void> {
    let (access, kind) = (
        libc::PROT_READ | libc::PROT_WRITE,
        libc::MAP_PRIVATE | libc::MAP_ANONYMOUS | libc::MAP_STACK,
    );
    // SAFETY: new memory, at a place that the kernel chooses.
    let stack = unsafe { libc::mmap(null_mut(), SIZE, access, kind, -1, 0) };
    if stack == libc::MAP_FAILED {
        return None;
    }
    // An error leaves it without a guard. SAFETY: the lowest page of the memory that was mapped
    // above.
    unsafe { libc::mprotect(stack, GUARD, libc::PROT_NONE) };
    Some(stack)
}
