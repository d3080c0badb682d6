//! The signal mask, on which a handler depends that stands in for the kernel.
//!
//! The probes do not do this by themselves. They have no image to call, and two system calls are a
//! hundred times what a load costs; a walk over a stack needs them once.

#![expect(unsafe_code, reason = "changes the signal mask")]

use super::Fixups;
use crate::{Errno, Vdso};
use core::marker::PhantomData;
use core::ptr;

/// SIGILL, SIGBUS, SIGFPE, SIGSEGV (`asm/signal.h`), as bits of a mask.
const FAULTS: u64 = 1 << (4 - 1) | 1 << (7 - 1) | 1 << (8 - 1) | 1 << (11 - 1);

// `asm-generic/signal-defs.h`.
const SIG_BLOCK: i32 = 0;
const SIG_UNBLOCK: i32 = 1;

/// The calling thread lets faults through. Dropping this blocks again what was blocked.
#[derive(Debug)]
#[must_use = "the signals are blocked again when this is dropped"]
pub struct Unblocked<'a> {
    vdso: &'a Vdso,
    blocked: u64,
    /// A mask belongs to a thread.
    _thread: PhantomData<*mut ()>,
}

impl<'a> Fixups<'a> {
    /// Lets faults of the calling thread reach the handler that looks up fixups, until what is
    /// returned is dropped.
    ///
    /// A kernel with the series does not ask for the mask. Without it a fault is a signal, and one
    /// that is blocked ends the process. So code with fixups, [`probe`](crate::probe) among it,
    /// runs under this where SIGILL, SIGBUS, SIGFPE or SIGSEGV may be blocked: in a handler of
    /// SIGSEGV without `SA_NODEFER` above all, in a handler with a mask, in a thread that blocks
    /// everything. It costs one system call, and another at the end if one was blocked; both may be
    /// made in a handler.
    ///
    /// It changes the mask, not handlers. Where another handler was installed over this crate's,
    /// that one is called first, and has to pass on what is not its own. A signal of the four that
    /// another process sent, and that waits because it is blocked, is delivered at once.
    pub fn unblock(&self) -> Result<Unblocked<'a>, Errno> {
        let (mut faults, mut mask) = (FAULTS, 0_u64);
        let (set, old) = ((&raw mut faults).cast(), (&raw mut mask).cast());
        // SAFETY: both are masks of 8 bytes. Faults that are let through had ended the process
        // before.
        unsafe { self.vdso().rt_sigprocmask(SIG_UNBLOCK, set, old, size_of::<u64>()) }?;
        Ok(Unblocked { vdso: self.vdso(), blocked: mask & FAULTS, _thread: PhantomData })
    }
}

impl Drop for Unblocked<'_> {
    fn drop(&mut self) {
        if self.blocked != 0 {
            let set = (&raw const self.blocked).cast_mut().cast();
            // SAFETY: a mask of 8 bytes; the signals were blocked before. With good arguments the
            // call cannot fail.
            let _ = unsafe {
                self.vdso.rt_sigprocmask(SIG_BLOCK, set, ptr::null_mut(), size_of::<u64>())
            };
        }
    }
}
