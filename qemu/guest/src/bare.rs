//! The reference: what the kernel itself answers, by the bare `syscall` instruction.
//!
//! # Invariants
//!
//! 1. Nothing here goes through a libc or the vDSO.

#![expect(unsafe_code, reason = "system calls are made by the bare instruction")]

pub(crate) use liblinux_abi::syscall::number;

use crate::arch;

/// `struct __kernel_timespec` of `include/uapi/linux/time_types.h`.
#[repr(C)]
#[derive(Default)]
struct Timespec {
    seconds: i64,
    nanoseconds: i64,
}

/// `CLOCK_REALTIME` of `include/uapi/linux/time.h`.
pub const CLOCK_REALTIME: u32 = 0;

/// `CLOCK_MONOTONIC` of `include/uapi/linux/time.h`.
pub const CLOCK_MONOTONIC: u32 = 1;

/// Nanoseconds in a second.
pub const NANOSECONDS: i64 = 1_000_000_000;

/// Reads the clock `clockid`, in nanoseconds; `None` if the kernel has no such clock.
pub fn clock_gettime(clockid: u32) -> Option<i64> {
    let mut time = Timespec::default();
    let pointer = &raw mut time;
    let arguments = [u64::from(clockid), pointer.expose_provenance() as u64, 0, 0, 0, 0];
    // SAFETY: the kernel writes to `time` alone, which outlives the call.
    let result = unsafe { arch::syscall(number("clock_gettime"), arguments) };
    (result == 0).then(|| time.seconds * NANOSECONDS + time.nanoseconds)
}

/// The resolution of the clock `clockid`, in nanoseconds; `None` if the kernel has no such clock.
pub fn clock_getres(clockid: u32) -> Option<i64> {
    let mut time = Timespec::default();
    let pointer = &raw mut time;
    let arguments = [u64::from(clockid), pointer.expose_provenance() as u64, 0, 0, 0, 0];
    // SAFETY: the kernel writes to `time` alone, which outlives the call.
    let result = unsafe { arch::syscall(number("clock_getres"), arguments) };
    (result == 0).then(|| time.seconds * NANOSECONDS + time.nanoseconds)
}

/// `time`: the seconds since the epoch, of the coarse clock, which can be up to a tick behind
/// [`CLOCK_REALTIME`].
pub fn time() -> i64 {
    // SAFETY: with a null pointer the call only returns a value.
    unsafe { arch::syscall(number("time"), [0; 6]) }
}

/// Makes the call `name`.
///
/// # Safety
///
/// The call must be one that leaves this process's memory and threads in a state that Rust can live
/// with.
///
/// # Panics
///
/// If the table has no such call.
pub unsafe fn call(name: &str, arguments: [u64; 6]) -> i64 {
    // SAFETY: the caller's contract is the same.
    unsafe { arch::syscall(number(name), arguments) }
}

/// Makes the call with a number that need not be in the table.
///
/// # Safety
///
/// As for [`call`].
pub unsafe fn call_number(number: u32, arguments: [u64; 6]) -> i64 {
    // SAFETY: the caller's contract is the same.
    unsafe { arch::syscall(number, arguments) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_run_forward() {
        let before = clock_gettime(CLOCK_MONOTONIC).unwrap();
        assert!(clock_gettime(CLOCK_MONOTONIC).unwrap() >= before);
        assert!(time() <= clock_gettime(CLOCK_REALTIME).unwrap() / NANOSECONDS);
        assert_eq!(clock_gettime(99), None);
    }
}
