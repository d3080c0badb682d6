//! Accesses to memory that may not be there: an error where an ordinary access would raise a signal.
//!
//! They need the running DSO's fixups to be registered ([`crate::fixup::Fixups::register_own`]). Without that, a fault is
//! an ordinary one.
//!
//! ```no_run
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use liblinux::{Vdso, fixup::Fixups, probe};
//!
//! let vdso = Vdso::find()?;
//! std::mem::forget(Fixups::of_process(&vdso)?.register_own()?);
//! assert!(probe::read::<u32>(8 as *const u32).is_err());
//! # Ok(())
//! # }
//! ```

#![expect(unsafe_code, reason = "accesses memory at any address")]

use crate::arch::probe as arch;
use core::fmt;
use core::mem::MaybeUninit;

/// An exception that an access raised.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Fault {
    /// The processor's number of the exception: 14 is a page fault, 13 a general protection fault.
    pub trap: u64,
    /// What the processor says about it; of a page fault bit 0 is set for a page that is there, bit 1 for a write.
    pub error_code: u64,
    /// The address that could not be accessed; 0 unless it was a page fault.
    pub address: u64,
    /// The instruction.
    pub ip: u64,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { trap, error_code, address, ip } = self;
        match trap {
            14 => {
                write!(f, "page fault at {address:#x} (error code {error_code:#x}, instruction at {ip:#x})")
            }
            _ => write!(f, "exception {trap} (error code {error_code:#x}, instruction at {ip:#x})"),
        }
    }
}

impl core::error::Error for Fault {}

/// An access to memory: to where, from where, what happened, and how many bytes; not 0 if it faulted.
type Access = unsafe extern "C" fn(*mut u8, *const u8, *mut Fault, usize) -> usize;

/// Types for which all bytes are a value: any memory may be read as one.
///
/// # Safety
///
/// The type must have no padding, no invalid values, no pointers that are dereferenced, and no interior mutability.
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
    // SAFETY: `value` has the size of the access. What `from` is does not matter: that is what the fixup is for.
    let failed = unsafe { access(to, from, &raw mut fault, size_of::<T>()) };
    // SAFETY: all bytes were read, and all bytes are a value (`Plain`).
    if failed == 0 { Ok(unsafe { value.assume_init() }) } else { Err(fault) }
}

/// Writes a value, in one access if it has 1, 2, 4 or 8 bytes.
///
/// # Safety
///
/// If the memory is there, nobody else relies on what it holds.
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
/// As far as the memory at `to` is there, nobody else relies on what it holds.
pub unsafe fn copy(to: *mut u8, from: *const u8, count: usize) -> Result<(), Fault> {
    let mut fault = Fault::default();
    // SAFETY: the caller's contract.
    let failed = unsafe { arch::copy(to, from, &raw mut fault, count) };
    if failed == 0 { Ok(()) } else { Err(fault) }
}
