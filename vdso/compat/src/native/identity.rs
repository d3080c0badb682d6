// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Users and groups of 16 bits.
//!
//! All ones mean "as it is", and a number that does not fit becomes the overflow number.

use crate::call::{Outcome, native};
use crate::frame::Frame;
use crate::memory::{self, place, with_area};
use liblinux_abi::kernel::errno::EINVAL;

/// The default of `/proc/sys/kernel/overflowuid` and of its like.
const OVERFLOW: u16 = 65534;
/// `NGROUPS_MAX`.
const MOST_GROUPS: u32 = 65536;

/// A number of 16 bits.
pub(crate) fn narrow_id(id: u32) -> u16 {
    u16::try_from(id).unwrap_or(OVERFLOW)
}

/// The number in an argument.
fn wide(frame: &Frame, index: u32) -> u64 {
    match frame.argument(index) as u16 {
        u16::MAX => u32::MAX.into(),
        id => id.into(),
    }
}

/// The result of a call that returns a number.
fn result(id: isize) -> Outcome {
    Ok(narrow_id(id as u32) as isize)
}

/// Calls that only take numbers, or return one.
macro_rules! calls {
    ($($name:ident($($index:literal),*) $($kept:literal)?;)*) => {
        $(
            #[doc = concat!("`", stringify!($name), "` with 16 bits.")]
            pub(crate) fn $name(frame: &Frame) -> Outcome {
                native!($name, $(frame.long($kept),)? $(wide(frame, $index)),*)
            }
        )*
    };
}

calls! {
    setuid(0);
    setgid(0);
    setreuid(0, 1);
    setregid(0, 1);
    setresuid(0, 1, 2);
    setresgid(0, 1, 2);
    chown(1, 2) 0;
    lchown(1, 2) 0;
    fchown(1, 2) 0;
}

/// `getuid`.
pub(crate) fn getuid(_: &Frame) -> Outcome {
    result(native!(getuid)?)
}

/// `getgid`.
pub(crate) fn getgid(_: &Frame) -> Outcome {
    result(native!(getgid)?)
}

/// `geteuid`.
pub(crate) fn geteuid(_: &Frame) -> Outcome {
    result(native!(geteuid)?)
}

/// `getegid`.
pub(crate) fn getegid(_: &Frame) -> Outcome {
    result(native!(getegid)?)
}

/// `setfsuid`.
pub(crate) fn setfsuid(frame: &Frame) -> Outcome {
    result(native!(setfsuid, wide(frame, 0))?)
}

/// `setfsgid`.
pub(crate) fn setfsgid(frame: &Frame) -> Outcome {
    result(native!(setfsgid, wide(frame, 0))?)
}

fn put_three(frame: &Frame, ids: [u32; 3]) -> Outcome {
    for (index, id) in (0..).zip(ids) {
        memory::write(frame.argument(index), narrow_id(id))?;
    }
    Ok(0)
}

/// `getresuid`.
pub(crate) fn getresuid(frame: &Frame) -> Outcome {
    let (mut real, mut effective, mut saved) = (0_u32, 0_u32, 0_u32);
    native!(getresuid, place(&mut real), place(&mut effective), place(&mut saved))?;
    put_three(frame, [real, effective, saved])
}

/// `getresgid`.
pub(crate) fn getresgid(frame: &Frame) -> Outcome {
    let (mut real, mut effective, mut saved) = (0_u32, 0_u32, 0_u32);
    native!(getresgid, place(&mut real), place(&mut effective), place(&mut saved))?;
    put_three(frame, [real, effective, saved])
}

/// `getgroups`.
pub(crate) fn getgroups(frame: &Frame) -> Outcome {
    let (room, list) = (frame.argument(0), frame.argument(1));
    let count = native!(getgroups, 0, 0)?;
    if room == 0 {
        return Ok(count);
    }
    if (room.cast_signed() as isize) < count {
        return Err(EINVAL);
    }
    with_area(count as usize * 4, |area| {
        let area = area.expose_provenance() as u32;
        let count = native!(getgroups, count, area)?;
        for index in 0..count as u32 {
            let id = memory::read::<u32>(area + index * 4)?;
            memory::write(list.wrapping_add(index * 2), narrow_id(id))?;
        }
        Ok(count)
    })
}

/// `setgroups`.
pub(crate) fn setgroups(frame: &Frame) -> Outcome {
    let (count, list) = (frame.argument(0), frame.argument(1));
    if count > MOST_GROUPS {
        return Err(EINVAL);
    }
    with_area(count as usize * 4, |area| {
        let area = area.expose_provenance() as u32;
        for index in 0..count {
            let id = memory::read::<u16>(list.wrapping_add(index * 2))?;
            memory::write::<u32>(area + index * 4, id.into())?;
        }
        native!(setgroups, count, area)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_does_not_fit_is_the_overflow_number() {
        assert_eq!(narrow_id(1000), 1000);
        assert_eq!(narrow_id(65535), 65535);
        assert_eq!(narrow_id(100_000), OVERFLOW);
    }
}
