// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Limits, use of resources, and what the system says of itself.

use super::time::{Time32, Time64};
use crate::call::{Errno, Outcome, native};
use crate::frame::Frame;
use crate::memory::{self, Plain as _, place, structures};

/// No limit, in 64 bits.
const NONE_64: u64 = u64::MAX;
/// No limit, in 32 bits.
const NONE_32: u32 = u32::MAX;
/// The largest value of the oldest call.
const LARGEST_OLD: u32 = 0x7fff_ffff;

fn get(resource: u32) -> Result<[u64; 2], Errno> {
    let mut limit = [0_u64; 2];
    native!(getrlimit, resource, place(&mut limit))?;
    Ok(limit)
}

/// `ugetrlimit`.
pub(crate) fn ugetrlimit(frame: &Frame) -> Outcome {
    let limit = get(frame.argument(0))?;
    memory::write(frame.argument(1), limit.map(|value| u32::try_from(value).unwrap_or(NONE_32)))?;
    Ok(0)
}

/// `getrlimit` as it was first.
pub(crate) fn old_getrlimit(frame: &Frame) -> Outcome {
    let limit = get(frame.argument(0))?;
    let narrow = limit.map(|value| u32::try_from(value).unwrap_or(NONE_32).min(LARGEST_OLD));
    memory::write(frame.argument(1), narrow)?;
    Ok(0)
}

/// `setrlimit`.
pub(crate) fn setrlimit(frame: &Frame) -> Outcome {
    let limit = memory::read::<[u32; 2]>(frame.argument(1))?;
    let mut wide = limit.map(|value| if value == NONE_32 { NONE_64 } else { value.into() });
    native!(setrlimit, frame.long(0), place(&mut wide))
}

structures! {
    /// The 64-bit `struct rusage`.
    #[repr(C)]
    struct Usage64 {
        user: Time64,
        system: Time64,
        counts: [u64; 14],
    }
    /// `struct rusage` of i386.
    #[repr(C)]
    struct Usage32 {
        user: Time32,
        system: Time32,
        counts: [u32; 14],
    }
}

impl Usage64 {
    pub(crate) fn narrow(&self) -> Usage32 {
        Usage32 {
            user: self.user.narrow(),
            system: self.system.narrow(),
            counts: self.counts.map(|count| count as u32),
        }
    }
}

/// `getrusage`.
pub(crate) fn getrusage(frame: &Frame) -> Outcome {
    let mut usage = Usage64::ZERO;
    native!(getrusage, frame.signed(0), place(&mut usage))?;
    memory::write(frame.argument(1), usage.narrow())?;
    Ok(0)
}

/// `times`.
pub(crate) fn times(frame: &Frame) -> Outcome {
    let mut times = [0_u64; 4];
    let result = native!(times, place(&mut times))?;
    memory::write_if(frame.argument(0), times.map(|time| time as u32))?;
    Ok(result)
}

structures! {
    /// The 64-bit `struct sysinfo`.
    #[repr(C)]
    struct System64 {
        uptime: u64,
        loads: [u64; 3],
        memory: [u64; 6],
        processes: u16,
        gap: [u16; 3],
        high: [u64; 2],
        unit: u32,
        end: u32,
    }
    /// `struct sysinfo` of i386.
    #[repr(C)]
    struct System32 {
        uptime: u32,
        loads: [u32; 3],
        memory: [u32; 6],
        processes: u16,
        gap: u16,
        high: [u32; 2],
        unit: u32,
        end: [u8; 8],
    }
}

/// `sysinfo`: sizes that do not fit are said in larger units, up to a page, as the kernel does.
pub(crate) fn sysinfo(frame: &Frame) -> Outcome {
    let mut system = System64::ZERO;
    native!(sysinfo, place(&mut system))?;
    let [total, .., swap, _] = system.memory;
    let (mut unit, mut shift) = (system.unit, 0);
    if total >> 32 != 0 || swap >> 32 != 0 {
        while unit < 4096 {
            unit <<= 1;
            shift += 1;
        }
    }
    memory::write(
        frame.argument(0),
        System32 {
            uptime: system.uptime as u32,
            loads: system.loads.map(|load| load as u32),
            memory: system.memory.map(|size| (size >> shift) as u32),
            processes: system.processes,
            gap: system.gap[0],
            high: system.high.map(|size| (size >> shift) as u32),
            unit,
            end: [0; 8],
        },
    )?;
    Ok(0)
}

/// Bytes of a name in `struct new_utsname`.
const NAME: usize = 65;
/// Bytes of a name in `struct oldold_utsname`.
const SHORT_NAME: usize = 9;

/// `olduname`: five names of 65 bytes.
pub(crate) fn olduname(frame: &Frame) -> Outcome {
    let mut names = [[0_u8; NAME]; 6];
    native!(uname, place(&mut names))?;
    let [system, node, release, version, machine, _] = names;
    memory::write(frame.argument(0), [system, node, release, version, machine])?;
    Ok(0)
}

/// `oldolduname`: five names of 9 bytes.
pub(crate) fn oldolduname(frame: &Frame) -> Outcome {
    let mut names = [[0_u8; NAME]; 6];
    native!(uname, place(&mut names))?;
    let mut short = [[0_u8; SHORT_NAME]; 5];
    for (short, name) in short.iter_mut().zip(names) {
        for (to, from) in short.iter_mut().take(SHORT_NAME - 1).zip(name) {
            *to = from;
        }
    }
    memory::write(frame.argument(0), short)?;
    Ok(0)
}

/// `nice`, which the 64-bit ABI does not have: the caller's priority, and one more or less.
pub(crate) fn nice(frame: &Frame) -> Outcome {
    const EPERM: Errno = liblinux_abi::kernel::errno::EPERM;
    const EACCES: Errno = liblinux_abi::kernel::errno::EACCES;
    // `getpriority` returns 20 less the priority, so that it is not negative.
    let now = 20 - native!(getpriority, 0, 0)?;
    let step = (frame.argument(0).cast_signed() as isize).clamp(-40, 40);
    let wanted = (now + step).clamp(-20, 19);
    native!(setpriority, 0, 0, wanted).map_err(|error| if error == EACCES { EPERM } else { error })
}
