//! Threads for a program without a libc, by the entry of `clone3`.
//!
//! With a new stack the child of `clone3` comes back at the call, on a stack that has nothing on
//! it: no compiled function survives that. [`Thread::start`] makes the call in assembly, where
//! nothing of the stack is needed, and calls a function there.
//!
//! ```no_run
//! use core::ffi::{c_int, c_void};
//! use liblinux::{Vdso, thread::Thread};
//!
//! unsafe extern "C" fn work(_argument: *mut c_void) -> c_int {
//!     0
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let vdso = Vdso::find()?;
//! let mut stack = [const { core::mem::MaybeUninit::<u128>::uninit() }; 4096];
//! let (start, size) = (stack.as_mut_ptr().cast(), size_of_val(&stack));
//! let thread = Thread::new(start, size, work, core::ptr::null_mut());
//! // SAFETY: the stack is large enough for `work` and used by nothing else; both outlive the
//! // thread, which is waited for.
//! unsafe { thread.start(&vdso) }?;
//! thread.join(&vdso)?;
//! # Ok(())
//! # }
//! ```
//!
//! # Invariants
//!
//! 1. The kernel writes the thread's number into `number` before the thread runs, and 0 when it has
//!    ended: then it uses neither its stack nor this structure any more.

#![expect(unsafe_code, reason = "starts threads")]

use crate::{Call, Errno, Vdso, arch};
use core::ffi::{c_int, c_void};
use core::ptr;
use core::sync::atomic::{AtomicI32, Ordering};
pub use liblinux_abi::kernel::clone::CloneArgs;
use liblinux_abi::kernel::clone::{CLONE_SETTLS, CLONE_VM, THREAD_FLAGS};

/// `FUTEX_WAIT` (`linux/futex.h`). Not the private one, as the kernel wakes by the address alone.
const FUTEX_WAIT: c_int = 0;

/// The function of a thread; the result is its exit status.
pub type Function = unsafe extern "C" fn(*mut c_void) -> c_int;

/// A thread: the function that it will run, and whether it still runs.
#[derive(Debug)]
pub struct Thread {
    stack: *mut u8,
    stack_size: usize,
    tls: *mut c_void,
    function: Function,
    argument: *mut c_void,
    number: AtomicI32,
}

impl Thread {
    /// A thread that was not started yet. The end of its stack is a multiple of 16.
    pub const fn new(
        stack: *mut u8,
        stack_size: usize,
        function: Function,
        argument: *mut c_void,
    ) -> Self {
        Self {
            stack,
            stack_size,
            tls: ptr::null_mut(),
            function,
            argument,
            number: AtomicI32::new(0),
        }
    }

    /// Gives it a base of `fs`, the anchor of thread-local storage. Without it has that of the
    /// thread which starts it.
    #[must_use]
    pub const fn with_tls(mut self, tls: *mut c_void) -> Self {
        self.tls = tls;
        self
    }

    /// Starts it; its number. It shares everything with its process.
    ///
    /// Fails with [`Errno::NO_ENTRY`] on an image without `clone3` or `exit`, whatever
    /// [`Vdso::or_syscall`] says, and with `EINVAL` for a null or misaligned stack.
    ///
    /// # Safety
    ///
    /// - It has not been started before, or has ended.
    /// - It stays in its place, and its stack mapped and otherwise unused, until it has ended
    ///   ([`Thread::join`]).
    /// - The stack is large enough for the function, and the function may be called with the
    ///   argument on another thread.
    /// - The function does not unwind, and uses no thread-local storage but what `tls` leads to.
    ///   That forbids a libc's functions and those of std.
    pub unsafe fn start(&self, vdso: &Vdso) -> Result<c_int, Errno> {
        let clone3 = vdso.entry(Call::clone3).ok_or(Errno::NO_ENTRY)?;
        let exit = vdso.entry(Call::exit).ok_or(Errno::NO_ENTRY)?;
        let end = self.stack.addr().wrapping_add(self.stack_size);
        if self.stack.is_null() || !end.is_multiple_of(16) {
            return Err(Errno::EINVAL);
        }
        let number = self.number.as_ptr().expose_provenance() as u64;
        let tls = if self.tls.is_null() { 0 } else { CLONE_SETTLS };
        let arguments = CloneArgs {
            flags: (THREAD_FLAGS | tls).into(),
            child_tid: number,
            parent_tid: number,
            stack: self.stack.expose_provenance() as u64,
            stack_size: self.stack_size as u64,
            tls: self.tls.expose_provenance() as u64,
            ..CloneArgs::default()
        };
        // SAFETY: a new stack, and the rest is the caller's contract.
        unsafe { clone3_with(clone3, exit, &arguments, self.function, self.argument) }
    }

    /// Waits until it has ended, if it was started. Fails with [`Errno::NO_ENTRY`] on an image
    /// without `futex`.
    pub fn join(&self, vdso: &Vdso) -> Result<(), Errno> {
        loop {
            // Pairs with the kernel's store at the thread's end.
            let number = self.number.load(Ordering::Acquire);
            if number == 0 {
                return Ok(());
            }
            let (place, none) = (self.number.as_ptr().cast::<u32>(), ptr::null());
            // SAFETY: waits for a change of the number, which the kernel reads.
            let waited = unsafe {
                vdso.futex(place, FUTEX_WAIT, number.cast_unsigned(), none, ptr::null_mut(), 0)
            };
            // All else is a reason to look again: it was woken, interrupted, or late.
            if waited == Err(Errno::NO_ENTRY) {
                return Err(Errno::NO_ENTRY);
            }
        }
    }
}

/// Makes a `clone3` call whose child has a new stack and calls `function` there; the child's
/// number.
///
/// # Safety
///
/// `clone3` and `exit` are the image's entries; `arguments` ask for `CLONE_VM` and a new stack,
/// which is the child's alone and large enough; and the child may share with this process what it
/// shares.
unsafe fn clone3_with(
    clone3: usize,
    exit: usize,
    arguments: &CloneArgs,
    function: Function,
    argument: *mut c_void,
) -> Result<c_int, Errno> {
    debug_assert!(arguments.stack != 0 && arguments.flags & u64::from(CLONE_VM) != 0);
    // SAFETY: the caller's contract.
    let returned = unsafe {
        arch::clone3(clone3, exit, arguments, size_of::<CloneArgs>(), function, argument)
    };
    Errno::result(returned).map(|number| number as c_int)
}
