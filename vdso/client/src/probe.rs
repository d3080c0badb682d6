//! Accesses to memory that may not be there: an error where an ordinary access would raise a
//! signal.
//!
//! They need the running DSO's fixups to be registered ([`crate::fixup::Fixups::register_own`]).
//! Without that, a fault is an ordinary one.
//!
//! Where a signal handler stands in for the kernel, they also need the thread not to block SIGSEGV
//! and SIGBUS: a fault then ends the process. In a handler of SIGSEGV without `SA_NODEFER`, in one
//! with a mask, and in a thread that blocks all signals, probe under
//! [`Fixups::unblock`](crate::fixup::Fixups::unblock). Where a handler of the program's own is in
//! front and does not pass faults on, [`read_by_call`] works.
//!
//! ```no_run
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use liblinux::{Vdso, fixup::Fixups, probe};
//!
//! let vdso = Vdso::find()?;
//! Fixups::of_process(&vdso)?.register_own()?.keep();
//! assert!(probe::read::<u32>(8 as *const u32).is_err());
//! # Ok(())
//! # }
//! ```

#![expect(unsafe_code, reason = "accesses memory at any address")]

use crate::arch::probe as arch;
use crate::{Errno, Vdso};
use core::fmt;
use core::mem::MaybeUninit;
use liblinux_abi::kernel::errno::EFAULT;

/// Part of the memory cannot be read.
const FAULT: Errno = Errno::new(EFAULT as u16).expect("an error number");

/// An exception that an access raised.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Fault {
    /// The processor's number of the exception: 14 is a page fault, 13 a general protection fault.
    pub trap: u64,
    /// The processor's error code; of a page fault bit 0 is set for a page that is there, bit 1 for
    /// a write.
    pub error_code: u32,
    /// The number of the signal; 0 where an older image or kernel does not say.
    signal: u32,
    /// The address that could not be accessed; 0 unless it was a page fault.
    pub address: u64,
    /// The instruction.
    pub ip: u64,
}

impl Fault {
    /// The signal that an ordinary access would have raised (`asm/signal.h`): 7, SIGBUS, behind the
    /// end of a file and where a page cannot be read from its device; 11, SIGSEGV, where nothing is
    /// mapped or the mapping forbids it.
    ///
    /// None where the image or the kernel is too old to say.
    pub fn signal(&self) -> Option<u32> {
        (self.signal != 0).then_some(self.signal)
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { trap, error_code, address, ip, .. } = self;
        match trap {
            14 => {
                write!(
                    f,
                    "page fault at {address:#x} (error code {error_code:#x}, instruction at {ip:#x})"
                )
            }
            _ => write!(f, "exception {trap} (error code {error_code:#x}, instruction at {ip:#x})"),
        }
    }
}

impl core::error::Error for Fault {}

/// An access to memory: to where, from where, its outcome, and how many bytes; not 0 if it faulted.
type Access = unsafe extern "C" fn(*mut u8, *const u8, *mut Fault, usize) -> usize;

/// Types for which all bytes are a value: any memory may be read as one.
///
/// # Safety
///
/// The type must have no padding, no invalid values, no pointers that are dereferenced, and no
/// interior mutability.
pub unsafe trait Plain: Copy {}

macro_rules! plain {
    ($($type:ty),+) => { $(
        // SAFETY: an integer.
        unsafe impl Plain for $type {}
    )+ };
}
plain!(u8, u16, u32, u64, u128, usize, i8, i16, i32, i64, i128, isize);

// SAFETY: its elements are.
unsafe impl<T: Plain, const N: usize> Plain for [T; N] {}

/// Reads a value, in one access if it has 1, 2, 4 or 8 bytes.
pub fn read<T: Plain>(from: *const T) -> Result<T, Fault> {
    let mut value = MaybeUninit::<T>::uninit();
    let (to, from) = (value.as_mut_ptr().cast::<u8>(), from.cast::<u8>());
    let mut fault = Fault::default();
    let access: Access = match size_of::<T>() {
        1 => arch::load1,
        2 => arch::load2,
        4 => arch::load4,
        8 => arch::load8,
        _ => arch::copy,
    };
    // SAFETY: `value` has the size of the access. `from` may be any address: that is what the fixup
    // is for.
    let failed = unsafe { access(to, from, &raw mut fault, size_of::<T>()) };
    // SAFETY: all bytes were read, and all bytes are a value (`Plain`).
    if failed == 0 { Ok(unsafe { value.assume_init() }) } else { Err(fault) }
}

/// Reads a value by system calls, `gettid` and `process_vm_readv`: an error where the memory cannot
/// be read.
///
/// It needs no fixups and raises no signal. So it works where the others may not on a kernel
/// without the series: in a handler of SIGSEGV that was installed over this crate's and does not
/// pass on, as in one that reports crashes; with signals blocked; before anything is registered. It
/// costs two system calls and is not one access. `EFAULT` for memory that is not mapped or not
/// readable, and for a device's; the error of a filter that refuses the call.
pub fn read_by_call<T: Plain>(vdso: &Vdso, from: *const T) -> Result<T, Errno> {
    /// `struct iovec` (`linux/uio.h`).
    #[repr(C)]
    struct Vector {
        base: usize,
        len: usize,
    }
    let len = size_of::<T>();
    let mut value = MaybeUninit::<T>::uninit();
    let mut here = Vector { base: value.as_mut_ptr().expose_provenance(), len };
    let mut there = Vector { base: from.expose_provenance(), len };
    // Not the process's number: that is the first thread's, which may have ended.
    // SAFETY: has no arguments.
    let thread = unsafe { vdso.gettid() }?;
    let (to, from) = ((&raw mut here).cast(), (&raw mut there).cast());
    // SAFETY: writes `len` bytes to `value`, from wherever that is.
    let read = unsafe { vdso.process_vm_readv(thread, to, 1, from, 1, 0) }?;
    if read != len {
        return Err(FAULT);
    }
    // SAFETY: all bytes were read, and all bytes are a value (`Plain`).
    Ok(unsafe { value.assume_init() })
}

/// Writes a value, in one access if it has 1, 2, 4 or 8 bytes.
///
/// # Safety
///
/// If the memory is there, no other code relies on its content.
pub unsafe fn write<T: Plain>(to: *mut T, value: T) -> Result<(), Fault> {
    let (to, from) = (to.cast::<u8>(), (&raw const value).cast::<u8>());
    let mut fault = Fault::default();
    let access: Access = match size_of::<T>() {
        1 => arch::store1,
        2 => arch::store2,
        4 => arch::store4,
        8 => arch::store8,
        _ => arch::copy,
    };
    // SAFETY: `value` has the size of the access; the rest is the caller's contract.
    let failed = unsafe { access(to, from, &raw mut fault, size_of::<T>()) };
    if failed == 0 { Ok(()) } else { Err(fault) }
}

/// Copies bytes upwards; before a fault some may have been copied.
///
/// # Safety
///
/// As far as the memory at `to` is there, no other code relies on its content.
pub unsafe fn copy(to: *mut u8, from: *const u8, count: usize) -> Result<(), Fault> {
    let mut fault = Fault::default();
    // SAFETY: the caller's contract.
    let failed = unsafe { arch::copy(to, from, &raw mut fault, count) };
    if failed == 0 { Ok(()) } else { Err(fault) }
}
