//! Pinning the origin of system calls: from then on a thread's calls come from the image, or not at
//! all.
//!
//! The kernel's Syscall User Dispatch lets a thread name one range of addresses from which
//! `syscall` is allowed. Given the image's range and no selector byte, every `syscall` elsewhere
//! (in a libc, in injected code, in a gadget) is refused: it does not reach the kernel's table, the
//! thread gets `SIGSYS` with `si_code` `SYS_USER_DISPATCH`.
//!
//! It has no selector, because that would be a writable byte that turns the rule off. A thread can
//! still turn it off by `prctl` through the image.
//!
//! # Invariants
//!
//! 1. It holds for the calling thread alone. A new thread or process starts without it, and pins
//!    itself.
//! 2. Signal handlers still return: with `sa_restorer` set to the entry of [`Call::rt_sigreturn`]
//!    that call comes from the image, too. A libc's own restorer would trip.

#![expect(unsafe_code, reason = "makes a system call")]

use crate::{Call, Errno, Vdso};
use core::ffi::{c_int, c_ulong};

// `linux/prctl.h`.
const PR_SET_SYSCALL_USER_DISPATCH: c_int = 59;
const PR_SYS_DISPATCH_ON: c_ulong = 1;

impl Vdso {
    /// Lets the calling thread make system calls from this image alone; any other `syscall` gives
    /// `SIGSYS`.
    ///
    /// Fails with [`Errno::NO_ENTRY`] on an image without `prctl`, whatever [`Vdso::or_syscall`]
    /// says: a pinned thread could not call at all. `EINVAL` is a kernel before 5.11.
    pub fn pin_origin(&self) -> Result<(), Errno> {
        self.entry(Call::prctl).ok_or(Errno::NO_ENTRY)?;
        let (base, size) = (self.base() as c_ulong, self.size() as c_ulong);
        // SAFETY: the option changes what later calls do, not memory; without a selector the kernel
        // reads none.
        unsafe { self.prctl(PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_ON, base, size, 0) }?;
        Ok(())
    }
}
