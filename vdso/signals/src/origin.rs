//! Whose code is that no file has: of the library that called it.
//!
//! A compiler at run time (WebAssembly, .NET, JavaScript) makes code that is in no library's text.
//! A fault there is for the library that runs the code, and that is the one whose return address
//! comes first on the stack. Compiled code keeps the frame pointer, so that its own engine can walk
//! the stack; this walks the same way, for as long as each frame is above the one before.
//!
//! # Invariants
//!
//! 1. The stack is an allegation: a word is loaded after the kernel was able to read it. The kernel
//!    reads the mask of `rt_sigprocmask` before it refuses a change that it does not know. A filter
//!    under which programs with signals live allows that call, and may kill for `process_vm_readv`.
//!    Only a thread that unmaps this one's stack in between would make the load fault.

#![expect(unsafe_code, reason = "reads a signal's frame")]

use crate::caller;
use crate::libc::EINVAL;
use crate::lock::KERNEL;
use core::ffi::{c_int, c_void};
use core::ptr::{null_mut, with_exposed_provenance, with_exposed_provenance_mut};
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

/// Two words of the stack: the saved frame pointer and the return address.
fn read(address: u64) -> Option<[u64; 2]> {
    let words: *const [u64; 2] = with_exposed_provenance(address as usize);
    let is_there = words.is_aligned() && is_readable(address) && is_readable(address + 8);
    // SAFETY: the kernel has read it a moment ago (invariant 1).
    is_there.then(|| unsafe { words.read_volatile() })
}

/// Whether the word at an address can be read.
pub(crate) fn is_readable(address: u64) -> bool {
    /// A kind of change that the kernel does not have.
    const NO_CHANGE: c_int = -1;
    let mask = with_exposed_provenance_mut(address as usize);
    // SAFETY: the kernel reads the word, and refuses to do anything with it.
    let outcome = unsafe { KERNEL.rt_sigprocmask(NO_CHANGE, mask, null_mut(), 8) };
    outcome.is_err_and(|error| i32::from(error) == EINVAL)
}
