//! Whose code is that no file has: of the library that called it.
//!
//! A compiler at run time (WebAssembly, .NET, JavaScript) makes code that is in no library's text.
//! A fault there is for the library that runs the code, and that is the one whose return address
//! comes first on the stack. Compiled code keeps the frame pointer, so that its own engine can walk
//! the stack; this walks the same way, for as long as each frame is above the one before.
//!
//! # Invariants
//!
//! 1. The stack is an allegation: the kernel reads it (`process_vm_readv`), and refuses what is not
//!    there. A filter that refuses the call leaves the fault to the library that came last.

#![expect(unsafe_code, reason = "reads a signal's frame")]

use crate::caller;
use crate::lock::KERNEL;
use core::ffi::{c_int, c_void};
use liblinux_abi::arch::x86_64::exception::SIGNALS;
use liblinux_abi::arch::x86_64::signal::{MCONTEXT, REGISTERS, RIP, RSP, SI_CODE};

/// How many frames of compiled code are looked at.
const FRAMES: usize = 4096;

/// A stack has no more bytes, and a frame pointer that is farther away is not one.
const STACK_SIZE: u64 = 1 << 30;

/// Offset of the frame pointer in `struct ucontext`.
const RBP: usize = {
    const FRAME_POINTER: u8 = 6; // of the psABI's numbers
    let mut index = 0;
    while REGISTERS[index] != FRAME_POINTER {
        index += 1;
    }
    MCONTEXT + 8 * index
};

/// The return address that says whose the code is in which an exception was; none if a file has
/// that code, if the signal was sent, or if no library is found.
///
/// # Safety
///
/// The `siginfo_t` and the `ucontext_t` of a signal, as the kernel gives them to its handler.
pub(crate) unsafe fn caller(information: *const c_void, context: *const c_void) -> Option<u64> {
    // SAFETY: a `siginfo_t` begins with the signal.
    let signal = unsafe { information.cast::<u32>().read() };
    // SAFETY: in the `siginfo_t`.
    let code = unsafe { information.wrapping_byte_add(SI_CODE).cast::<c_int>().read() };
    if code <= 0 || !SIGNALS.contains(&signal) {
        return None;
    }
    // SAFETY: in the `ucontext_t`, as are the two below.
    let register =
        |offset: usize| unsafe { context.wrapping_byte_add(offset).cast::<u64>().read() };
    if caller::library(register(RIP) as usize).is_some() {
        return None;
    }
    let (mut frame, mut below) = (register(RBP), register(RSP));
    for _ in 0..FRAMES {
        if frame < below || frame - below > STACK_SIZE {
            return None;
        }
        let [next, address] = read(frame)?;
        if caller::library(address as usize).is_some() {
            return Some(address);
        }
        (below, frame) = (frame + 16, next);
    }
    None
}

/// `struct iovec`.
#[repr(C)]
struct Part {
    start: u64,
    len: u64,
}

/// Two words of this process's memory: the saved frame pointer and the return address.
fn read(address: u64) -> Option<[u64; 2]> {
    let mut words = [0_u64; 2];
    let len = size_of_val(&words);
    let to = Part { start: (&raw mut words).expose_provenance() as u64, len: len as u64 };
    let from = Part { start: address, len: len as u64 };
    let (to, from) = ((&raw const to).cast(), (&raw const from).cast());
    // SAFETY: without effect.
    let process = unsafe { KERNEL.getpid() }.ok()?;
    // SAFETY: writes the words, and reads what is there.
    let read = unsafe { KERNEL.process_vm_readv(process, to, 1, from, 1, 0) };
    (read == Ok(len)).then_some(words)
}
