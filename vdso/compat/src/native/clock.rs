// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The functions of the 32-bit image that read clocks, by those of the 64-bit one.
//!
//! Where the 32-bit image does not read a clock by itself ([`crate::data`]), its functions enter
//! the shim as a system call does, with numbers of their own. The shim calls the 64-bit image,
//! which reads what it can without the kernel.

use super::time::{Form, Time64};
use crate::arch;
use crate::call::{Errno, Outcome, native};
use crate::facts::CLOCKS;
use crate::frame::Frame;
use crate::memory::{self, Plain as _, place};

/// The clocks that images read: `CLOCK_REALTIME`, `MONOTONIC`, `MONOTONIC_RAW`, the two coarse
/// ones, `BOOTTIME`, `TAI`.
const READ_BY_IMAGES: u32 = 1 << 0 | 1 << 1 | 1 << 4 | 1 << 5 | 1 << 6 | 1 << 7 | 1 << 11;

/// `CLOCK_REALTIME`.
const REALTIME: u32 = 0;
/// `CLOCK_REALTIME_COARSE`, whose seconds are those of `time`.
const REALTIME_COARSE: u32 = 5;

/// What the 32-bit image asks for; `None` if the number is of nothing.
///
/// The numbers are those of `vdso/compat/gate/linux-gate.S`.
pub(crate) fn answer(frame: &Frame) -> Option<Outcome> {
    Some(match frame.eax.wrapping_sub(CLOCKS) {
        0 => gettime(frame, Form::Wide),
        1 => gettime(frame, Form::Narrow),
        2 => gettimeofday(frame),
        3 => time(frame),
        _ => return None,
    })
}

/// `__vdso_clock_gettime64`, and `__vdso_clock_gettime` with 32 bits.
fn gettime(frame: &Frame, form: Form) -> Outcome {
    let time = now(frame.argument(0))?;
    match form {
        Form::Wide => memory::write(frame.argument(1), time)?,
        Form::Narrow => memory::write(frame.argument(1), time.narrow())?,
    }
    Ok(0)
}

/// `__vdso_gettimeofday`; the time zone is the kernel's to know.
fn gettimeofday(frame: &Frame) -> Outcome {
    if frame.argument(1) != 0 {
        return super::time::gettimeofday(frame);
    }
    let mut time = now(REALTIME)?;
    time.fraction /= 1000;
    memory::write_if(frame.argument(0), time.narrow())?;
    Ok(0)
}

/// `__vdso_time`.
fn time(frame: &Frame) -> Outcome {
    let seconds = now(REALTIME_COARSE)?.seconds as u32;
    memory::write_if(frame.argument(0), seconds)?;
    Ok(seconds as isize)
}

/// A clock's time.
#[expect(unsafe_code, reason = "calls the 64-bit image")]
fn now(clock: u32) -> Result<Time64, Errno> {
    let mut time = Time64::ZERO;
    let is_read = clock < 32 && READ_BY_IMAGES >> clock & 1 != 0;
    if is_read && arch::facts().clock_gettime != 0 {
        // SAFETY: a value of the kernel's layout on this stack.
        let result = unsafe { arch::clock_gettime(clock, place(&mut time)) };
        // Otherwise the call says what is wrong.
        if result == 0 {
            return Ok(time);
        }
    }
    native!(clock_gettime, clock, place(&mut time))?;
    Ok(time)
}
