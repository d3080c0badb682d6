// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Times of 32 bits, and what waits until one.

use crate::call::{Errno, Outcome, native};
use crate::delivery::action::blockable;
use crate::frame::Frame;
use crate::memory::{self, Plain as _, place, place_if, structures};
use liblinux_abi::kernel::errno::{EINTR, EINVAL};

structures! {
    /// `struct old_timespec32`, and `struct old_timeval32`.
    #[repr(C)]
    struct Time32 {
        seconds: i32,
        fraction: i32,
    }
    /// `struct __kernel_timespec`, and the 64-bit `struct timeval`.
    #[repr(C)]
    struct Time64 {
        seconds: i64,
        fraction: i64,
    }
}

impl Time32 {
    pub(crate) fn wide(self) -> Time64 {
        Time64 { seconds: self.seconds.into(), fraction: self.fraction.into() }
    }
}

impl Time64 {
    pub(crate) fn narrow(self) -> Time32 {
        Time32 { seconds: self.seconds as i32, fraction: self.fraction as i32 }
    }

    /// The kernel ignores what a 32-bit program has in the upper half of the nanoseconds.
    fn without_padding(self) -> Self {
        Self { fraction: self.fraction & 0xffff_ffff, ..self }
    }
}

/// A time that the caller gives, in the form that the call has.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    /// 32 bits.
    Narrow,
    /// 64 bits.
    Wide,
}

impl Form {
    /// Reads a time.
    pub(crate) fn read(self, address: u32) -> Result<Option<Time64>, Errno> {
        Ok(match self {
            Self::Narrow => memory::read_if::<Time32>(address)?.map(Time32::wide),
            Self::Wide => memory::read_if::<Time64>(address)?.map(Time64::without_padding),
        })
    }

    /// Writes a time, if the caller wants it.
    pub(crate) fn write(self, address: u32, time: Time64) -> Result<(), Errno> {
        match self {
            Self::Narrow => memory::write_if(address, time.narrow()),
            Self::Wide => memory::write_if(address, time),
        }
    }
}

/// `time`.
pub(crate) fn time(frame: &Frame) -> Outcome {
    let now = native!(time, 0)?;
    memory::write_if(frame.argument(0), now as u32)?;
    Ok(now)
}

/// `stime`.
pub(crate) fn stime(frame: &Frame) -> Outcome {
    let seconds = memory::read::<i32>(frame.argument(0))?;
    let mut time = Time64 { seconds: seconds.into(), fraction: 0 };
    native!(settimeofday, place(&mut time), 0)
}

/// `gettimeofday`.
pub(crate) fn gettimeofday(frame: &Frame) -> Outcome {
    let mut time = Time64::ZERO;
    let wanted = if frame.argument(0) == 0 { 0 } else { place(&mut time) };
    native!(gettimeofday, wanted, frame.long(1))?;
    memory::write_if(frame.argument(0), time.narrow())?;
    Ok(0)
}

/// `settimeofday`.
pub(crate) fn settimeofday(frame: &Frame) -> Outcome {
    let mut time = Form::Narrow.read(frame.argument(0))?;
    native!(settimeofday, place_if(&mut time), frame.long(1))
}

/// `clock_gettime` with 32 bits.
pub(crate) fn clock_gettime(frame: &Frame) -> Outcome {
    let mut time = Time64::ZERO;
    native!(clock_gettime, frame.long(0), place(&mut time))?;
    memory::write(frame.argument(1), time.narrow())?;
    Ok(0)
}

/// `clock_getres` with 32 bits.
pub(crate) fn clock_getres(frame: &Frame) -> Outcome {
    let mut time = Time64::ZERO;
    native!(clock_getres, frame.long(0), place(&mut time))?;
    memory::write_if(frame.argument(1), time.narrow())?;
    Ok(0)
}

/// The kernel looks at the clock before it looks at the time.
fn set_clock(frame: &Frame, form: Form) -> Outcome {
    match form.read(frame.argument(1)) {
        Ok(mut time) => native!(clock_settime, frame.long(0), place_if(&mut time)),
        Err(_) => native!(clock_settime, frame.long(0), frame.long(1)),
    }
}

/// `clock_settime` with 32 bits.
pub(crate) fn clock_settime(frame: &Frame) -> Outcome {
    set_clock(frame, Form::Narrow)
}

/// `clock_settime64`.
pub(crate) fn clock_settime64(frame: &Frame) -> Outcome {
    set_clock(frame, Form::Wide)
}

/// `nanosleep`.
pub(crate) fn nanosleep(frame: &Frame) -> Outcome {
    let mut time = memory::read::<Time32>(frame.argument(0))?.wide();
    let mut left = time;
    let result = native!(nanosleep, place(&mut time), place(&mut left));
    if result == Err(EINTR) {
        memory::write_if(frame.argument(1), left.narrow())?;
    }
    result
}

fn sleep_on_clock(frame: &Frame, form: Form) -> Outcome {
    const TIMER_ABSTIME: u32 = 1;
    let mut time = form.read(frame.argument(2))?.ok_or(liblinux_abi::kernel::errno::EFAULT)?;
    let mut left = time;
    let (clock, flags) = (frame.long(0), frame.long(1));
    let result = native!(clock_nanosleep, clock, flags, place(&mut time), place(&mut left));
    if result == Err(EINTR) && frame.argument(1) & TIMER_ABSTIME == 0 {
        form.write(frame.argument(3), left)?;
    }
    result
}

/// `clock_nanosleep` with 32 bits.
pub(crate) fn clock_nanosleep(frame: &Frame) -> Outcome {
    sleep_on_clock(frame, Form::Narrow)
}

/// `clock_nanosleep_time64`.
pub(crate) fn clock_nanosleep64(frame: &Frame) -> Outcome {
    sleep_on_clock(frame, Form::Wide)
}

/// The commands of `futex` whose fourth argument is a time.
fn takes_time(operation: u32) -> bool {
    // FUTEX_WAIT, LOCK_PI, WAIT_BITSET, WAIT_REQUEUE_PI, LOCK_PI2
    matches!(operation & 0x7f, 0 | 6 | 9 | 11 | 13)
}

fn futex_in(frame: &Frame, form: Form) -> Outcome {
    let [word, operation, value, time, second, third] = frame.arguments();
    if time == 0 || !takes_time(frame.argument(1)) {
        return native!(futex, word, operation, value, time, second, third);
    }
    let mut time = form.read(frame.argument(3))?;
    native!(futex, word, operation, value, place_if(&mut time), second, third)
}

/// `futex` with 32 bits.
pub(crate) fn futex(frame: &Frame) -> Outcome {
    futex_in(frame, Form::Narrow)
}

/// `futex_time64`.
pub(crate) fn futex64(frame: &Frame) -> Outcome {
    futex_in(frame, Form::Wide)
}

/// Reads a set of signals that a call blocks while it waits.
pub(crate) fn waiting_mask(address: u32, size: u32) -> Result<Option<u64>, Errno> {
    match memory::read_if::<u64>(address)? {
        Some(_) if size != 8 => Err(EINVAL),
        mask => Ok(mask.map(blockable)),
    }
}

fn poll_in(frame: &Frame, form: Form) -> Outcome {
    let mut time = form.read(frame.argument(2))?;
    let mut mask = waiting_mask(frame.argument(3), frame.argument(4))?;
    let (files, count) = (frame.long(0), frame.long(1));
    let result = native!(ppoll, files, count, place_if(&mut time), place_if(&mut mask), 8);
    if let Some(left) = time {
        // As in the kernel, what is left is written if that can be done.
        let _ = form.write(frame.argument(2), left);
    }
    result
}

/// `ppoll` with 32 bits.
pub(crate) fn ppoll(frame: &Frame) -> Outcome {
    poll_in(frame, Form::Narrow)
}

/// `ppoll_time64`.
pub(crate) fn ppoll64(frame: &Frame) -> Outcome {
    poll_in(frame, Form::Wide)
}

/// `epoll_pwait`, whose set of signals may not block the shim's own.
pub(crate) fn epoll_pwait(frame: &Frame) -> Outcome {
    let mut mask = waiting_mask(frame.argument(4), frame.argument(5))?;
    let [file, events, count, wait, ..] = frame.arguments();
    native!(epoll_pwait, file, events, count, wait, place_if(&mut mask), 8)
}

/// `epoll_pwait2`.
pub(crate) fn epoll_pwait2(frame: &Frame) -> Outcome {
    let mut mask = waiting_mask(frame.argument(4), frame.argument(5))?;
    let mut time = Form::Wide.read(frame.argument(3))?;
    let [file, events, count, ..] = frame.arguments();
    native!(epoll_pwait2, file, events, count, place_if(&mut time), place_if(&mut mask), 8)
}

/// `sched_rr_get_interval` with 32 bits.
pub(crate) fn sched_rr_get_interval(frame: &Frame) -> Outcome {
    let mut time = Time64::ZERO;
    native!(sched_rr_get_interval, frame.long(0), place(&mut time))?;
    memory::write(frame.argument(1), time.narrow())?;
    Ok(0)
}

/// `utime`.
pub(crate) fn utime(frame: &Frame) -> Outcome {
    let mut times = memory::read_if::<[i32; 2]>(frame.argument(1))?.map(|all| all.map(i64::from));
    native!(utime, frame.long(0), place_if(&mut times))
}

/// Two times of a file.
fn two(address: u32, form: Form) -> Result<Option<[Time64; 2]>, Errno> {
    if address == 0 {
        return Ok(None);
    }
    let size = if form == Form::Narrow { size_of::<Time32>() } else { size_of::<Time64>() };
    let first = form.read(address)?;
    let second = form.read(address.wrapping_add(size as u32))?;
    Ok(first.zip(second).map(|(first, second)| [first, second]))
}

/// `utimes`.
pub(crate) fn utimes(frame: &Frame) -> Outcome {
    let mut times = two(frame.argument(1), Form::Narrow)?;
    native!(utimes, frame.long(0), place_if(&mut times))
}

/// `futimesat`.
pub(crate) fn futimesat(frame: &Frame) -> Outcome {
    let mut times = two(frame.argument(2), Form::Narrow)?;
    native!(futimesat, frame.long(0), frame.long(1), place_if(&mut times))
}

fn utimensat_in(frame: &Frame, form: Form) -> Outcome {
    let mut times = two(frame.argument(2), form)?;
    native!(utimensat, frame.long(0), frame.long(1), place_if(&mut times), frame.long(3))
}

/// `utimensat` with 32 bits.
pub(crate) fn utimensat(frame: &Frame) -> Outcome {
    utimensat_in(frame, Form::Narrow)
}

/// `utimensat_time64`.
pub(crate) fn utimensat64(frame: &Frame) -> Outcome {
    utimensat_in(frame, Form::Wide)
}
