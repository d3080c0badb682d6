// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! System calls of the 64-bit ABI.
//!
//! Every call goes through the process's entry ([`crate::facts::Facts::syscall`]): that of our
//! image, or where the process has another vDSO, the shim's own.

#![expect(unsafe_code, reason = "makes system calls")]

use crate::arch;
use liblinux_abi::kernel::errno::MAX;

/// An error number, as `liblinux_abi::kernel::errno` has it.
pub(crate) type Errno = isize;

/// What a call returns: a value, or an error number.
pub(crate) type Outcome = Result<isize, Errno>;

/// Makes a call with these arguments, the missing ones 0.
///
/// It is the 32-bit program that asks for the call, with addresses of its own or with those of
/// values that the shim has on its stack.
#[inline(always)]
pub(crate) fn call<const N: usize>(number: u32, arguments: [u64; N]) -> Outcome {
    let argument = |index: usize| arguments.get(index).copied().unwrap_or(0);
    // SAFETY: the shim's own memory is written where a conversion passes an address of it, which
    // is then of a value of the right size; the rest is the program's.
    let result = unsafe {
        arch::call(
            u64::from(number),
            argument(0),
            argument(1),
            argument(2),
            argument(3),
            argument(4),
            argument(5),
        )
    };
    if (-(MAX as isize)..0).contains(&result) { Err(-result) } else { Ok(result) }
}

/// Makes the call of this name: `native!(read, 0, address, 1)`.
macro_rules! native {
    ($name:ident $(, $argument:expr)* $(,)?) => {{
        const NUMBER: u32 = liblinux_abi::syscall::number(stringify!($name));
        $crate::call::call(NUMBER, [$($argument as u64),*])
    }};
}
pub(crate) use native;
