// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Timers with times of 32 bits.

use super::time::{Form, Time32, Time64};
use crate::call::Outcome;
use crate::call::native;
use crate::frame::Frame;
use crate::memory::{self, Plain as _, place, place_if};

/// An interval, and the time to the next expiry.
fn wide(pair: [Time32; 2]) -> [Time64; 2] {
    pair.map(Time32::wide)
}

fn read(address: u32) -> Result<Option<[Time64; 2]>, isize> {
    let pair = memory::read_if::<[[i32; 2]; 2]>(address)?;
    Ok(pair.map(|pair| wide(pair.map(|[seconds, fraction]| Time32 { seconds, fraction }))))
}

fn write(address: u32, pair: [Time64; 2]) -> Result<(), isize> {
    let pair = pair.map(Time64::narrow).map(|Time32 { seconds, fraction }| [seconds, fraction]);
    memory::write_if(address, pair)
}

/// `setitimer`.
pub(crate) fn setitimer(frame: &Frame) -> Outcome {
    let mut new = read(frame.argument(1))?;
    let mut old = [Time64::ZERO; 2];
    native!(setitimer, frame.long(0), place_if(&mut new), place(&mut old))?;
    write(frame.argument(2), old)?;
    Ok(0)
}

/// `getitimer`.
pub(crate) fn getitimer(frame: &Frame) -> Outcome {
    let mut old = [Time64::ZERO; 2];
    native!(getitimer, frame.long(0), place(&mut old))?;
    memory::read::<u8>(frame.argument(1))?;
    write(frame.argument(1), old)?;
    Ok(0)
}

/// `timer_create`: `struct sigevent` has a value, a signal, a kind and a thread.
pub(crate) fn timer_create(frame: &Frame) -> Outcome {
    let mut event = memory::read_if::<[u32; 4]>(frame.argument(1))?.map(|event| {
        let mut wide = [0_u32; 16];
        wide[0] = event[0];
        wide[2] = event[1];
        wide[3] = event[2];
        wide[4] = event[3];
        wide
    });
    native!(timer_create, frame.long(0), place_if(&mut event), frame.long(2))
}

/// `timer_settime` with 32 bits.
pub(crate) fn timer_settime(frame: &Frame) -> Outcome {
    let mut new = read(frame.argument(2))?;
    let mut old = [Time64::ZERO; 2];
    let (timer, flags) = (frame.long(0), frame.long(1));
    native!(timer_settime, timer, flags, place_if(&mut new), place(&mut old))?;
    write(frame.argument(3), old)?;
    Ok(0)
}

/// `timer_gettime` with 32 bits.
pub(crate) fn timer_gettime(frame: &Frame) -> Outcome {
    let mut old = [Time64::ZERO; 2];
    native!(timer_gettime, frame.long(0), place(&mut old))?;
    memory::read::<u8>(frame.argument(1))?;
    write(frame.argument(1), old)?;
    Ok(0)
}

/// `timerfd_settime` with 32 bits.
pub(crate) fn timerfd_settime(frame: &Frame) -> Outcome {
    let mut new = read(frame.argument(2))?;
    let mut old = [Time64::ZERO; 2];
    let (file, flags) = (frame.long(0), frame.long(1));
    native!(timerfd_settime, file, flags, place_if(&mut new), place(&mut old))?;
    write(frame.argument(3), old)?;
    Ok(0)
}

/// `timerfd_gettime` with 32 bits.
pub(crate) fn timerfd_gettime(frame: &Frame) -> Outcome {
    let mut old = [Time64::ZERO; 2];
    native!(timerfd_gettime, frame.long(0), place(&mut old))?;
    memory::read::<u8>(frame.argument(1))?;
    write(frame.argument(1), old)?;
    Ok(0)
}

fn read_wide(address: u32) -> Result<Option<[Time64; 2]>, isize> {
    if address == 0 {
        return Ok(None);
    }
    let interval = Form::Wide.read(address)?;
    let value = Form::Wide.read(address.wrapping_add(size_of::<Time64>() as u32))?;
    Ok(interval.zip(value).map(|(interval, value)| [interval, value]))
}

/// `timer_settime64`, whose padding the kernel would look at.
pub(crate) fn timer_settime64(frame: &Frame) -> Outcome {
    let mut new = read_wide(frame.argument(2))?;
    native!(timer_settime, frame.long(0), frame.long(1), place_if(&mut new), frame.long(3))
}

/// `timerfd_settime64`.
pub(crate) fn timerfd_settime64(frame: &Frame) -> Outcome {
    let mut new = read_wide(frame.argument(2))?;
    native!(timerfd_settime, frame.long(0), frame.long(1), place_if(&mut new), frame.long(3))
}
