// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The caller's memory, which may be anything at any time.
//!
//! An address of 32 bits cannot reach the 64-bit part of the process. Where it leads to no memory,
//! the copy's fault comes to the shim's own handler ([`crate::delivery`]), which lets the copy
//! report it: the call fails with `EFAULT`, as in the kernel.

#![expect(unsafe_code, reason = "reads and writes memory of the caller")]

use crate::arch;
use crate::call::Errno;
use core::mem::MaybeUninit;
use liblinux_abi::kernel::errno::EFAULT;

/// A type of which any bytes are a value, and that has no gaps.
///
/// # Safety
///
/// That has to be so.
pub(crate) unsafe trait Plain: Copy {
    /// All zeros.
    const ZERO: Self = {
        // SAFETY: the trait's contract.
        unsafe { MaybeUninit::zeroed().assume_init() }
    };
}

/// Implements [`Plain`].
macro_rules! plain {
    ($($name:ty),* $(,)?) => {
        // SAFETY: these consist of integers.
        $(unsafe impl Plain for $name {})*
    };
}

plain!(u8, u16, u32, u64, i32, i64);

// SAFETY: an array has no gaps of its own.
unsafe impl<T: Plain, const N: usize> Plain for [T; N] {}

/// Defines structures of integers, as 32-bit code lays them out (64-bit numbers on 4 bytes) or as
/// the kernel does.
macro_rules! structures {
    ($($(#[$meta:meta])* struct $name:ident { $($field:ident: $type:ty,)* })*) => {
        $(
            $(#[$meta])*
            #[derive(Clone, Copy)]
            pub(crate) struct $name { $(pub(crate) $field: $type,)* }
            const _: () = assert!(
                0 $(+ size_of::<$type>())* == size_of::<$name>(),
                "the structure has gaps"
            );
            #[expect(unsafe_code, reason = "promises what the assertion shows")]
            // SAFETY: the fields are integers, and there are no gaps (asserted above).
            unsafe impl $crate::memory::Plain for $name {}
        )*
    };
}
pub(crate) use structures;

/// Reads a value of the caller.
pub(crate) fn read<T: Plain>(address: u32) -> Result<T, Errno> {
    let mut value = MaybeUninit::<T>::uninit();
    // SAFETY: `value` is as long.
    let fault = unsafe { arch::copy(place(&mut value), u64::from(address), size_of::<T>()) } != 0;
    if fault {
        Err(EFAULT)
    } else {
        // SAFETY: all bytes are written, and any are a value.
        Ok(unsafe { value.assume_init() })
    }
}

/// Writes a value of the caller.
pub(crate) fn write<T: Plain>(address: u32, mut value: T) -> Result<(), Errno> {
    // SAFETY: the caller gave this address to be written; if nothing is there, it is a fault.
    let fault = unsafe { arch::copy(u64::from(address), place(&mut value), size_of::<T>()) } != 0;
    if fault { Err(EFAULT) } else { Ok(()) }
}

/// Writes a value of the caller, if there is an address.
pub(crate) fn write_if<T: Plain>(address: u32, value: T) -> Result<(), Errno> {
    if address == 0 { Ok(()) } else { write(address, value) }
}

/// Reads a value of the caller, if there is an address.
pub(crate) fn read_if<T: Plain>(address: u32) -> Result<Option<T>, Errno> {
    if address == 0 { Ok(None) } else { read(address).map(Some) }
}

/// The address of a value, as the kernel takes it.
pub(crate) fn place<T>(value: &mut T) -> u64 {
    (&raw mut *value).expose_provenance() as u64
}

/// The address of a value that may be absent, or 0.
pub(crate) fn place_if<T>(value: &mut Option<T>) -> u64 {
    value.as_mut().map_or(0, place)
}

/// Lets a function use `len` bytes of the stack, 16-aligned.
pub(crate) fn with_area<F: FnOnce(*mut u8) -> crate::call::Outcome>(
    len: usize,
    function: F,
) -> crate::call::Outcome {
    struct Work<F> {
        function: Option<F>,
        outcome: crate::call::Outcome,
    }
    extern "C" fn perform<F: FnOnce(*mut u8) -> crate::call::Outcome>(
        area: *mut u8,
        work: *mut Work<F>,
    ) {
        // SAFETY: `with_area` has it on its stack and waits.
        let work = unsafe { &mut *work };
        if let Some(function) = work.function.take() {
            work.outcome = function(area);
        }
    }
    let mut work = Work { function: Some(function), outcome: Err(EFAULT) };
    let address = place(&mut work);
    // SAFETY: the function takes the area and this address.
    unsafe { arch::with_area(len, perform::<F> as *const () as u64, address) };
    work.outcome
}
