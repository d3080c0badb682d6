// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Calls that are many: `ioctl`, `prctl`, `keyctl`.
//!
//! Such a call is made only where its argument is known to be the same in both ABIs, or is
//! converted. Others get the error of a kernel that does not know them.

use crate::call::{Outcome, native};
use crate::frame::Frame;
use crate::memory::{self, place};
use liblinux_abi::kernel::errno::{EINVAL, ENOTTY, EOPNOTSUPP};

/// `ioctl`.
pub(crate) fn ioctl(frame: &Frame) -> Outcome {
    /// `TIOCGSERIAL` and `TIOCSSERIAL`: a structure with an address.
    const SERIAL: core::ops::RangeInclusive<u32> = 0x541e..=0x541f;
    /// `FS_IOC_GETFLAGS`, `_SETFLAGS`, `_GETVERSION`, `_SETVERSION`: an `int`, which the number
    /// calls a `long`. The same for `BLKGETSIZE64`, `BLKBSZGET` and `BLKBSZSET`.
    const LONGS: [u32; 7] =
        [0x8004_6601, 0x4004_6602, 0x8004_7601, 0x4004_7602, 0x8004_1272, 0x8004_1270, 0x4004_1271];
    let number = frame.argument(1);
    if LONGS.contains(&number) {
        return native!(ioctl, frame.long(0), number + (4 << 16), frame.long(2));
    }
    match number >> 8 & 0xff {
        _ if SERIAL.contains(&number) => Err(ENOTTY),
        0x89 => socket(frame, number),
        // Terminals and descriptors; evdev; file systems; copies of ranges; name spaces;
        // userfaultfd.
        0x54 | 0x45 | 0x58 | 0x94 | 0xb7 | 0xaa => {
            native!(ioctl, frame.long(0), number, frame.long(2))
        }
        // Block devices, those without a structure.
        0x12 if number >> 16 == 0 => native!(ioctl, frame.long(0), number, frame.long(2)),
        _ => Err(ENOTTY),
    }
}

/// Sockets: most take a `struct ifreq`, which is shorter here.
fn socket(frame: &Frame, number: u32) -> Outcome {
    match number {
        // Owner and mark: an `int`.
        0x8901..=0x8905 => native!(ioctl, frame.long(0), number, frame.long(2)),
        // Names, flags, addresses, masks, metrics, sizes, hardware addresses, indexes, queue
        // lengths.
        0x8910 | 0x8913..=0x8926 | 0x8933 | 0x8942 | 0x8943 => {
            let short = memory::read::<[u32; 8]>(frame.argument(2))?;
            let mut long = [0_u32; 10];
            for (to, from) in long.iter_mut().zip(short) {
                *to = from;
            }
            let result = native!(ioctl, frame.long(0), number, place(&mut long))?;
            let mut short = [0_u32; 8];
            for (to, from) in short.iter_mut().zip(long) {
                *to = from;
            }
            memory::write(frame.argument(2), short)?;
            Ok(result)
        }
        _ => Err(ENOTTY),
    }
}

/// `prctl`. The shim needs the dispatch of system calls itself; a filter's program has another
/// layout, and would see 64-bit calls.
pub(crate) fn prctl(frame: &Frame) -> Outcome {
    const PR_SET_SECCOMP: u32 = 22;
    const PR_SET_MM: u32 = 35;
    const PR_SET_SYSCALL_USER_DISPATCH: u32 = 59;
    const FILTER: u32 = 2;
    match frame.argument(0) {
        PR_SET_MM | PR_SET_SYSCALL_USER_DISPATCH => Err(EINVAL),
        PR_SET_SECCOMP if frame.argument(1) == FILTER => Err(EINVAL),
        _ => {
            let [option, second, third, fourth, fifth, _] = frame.arguments();
            native!(prctl, option, second, third, fourth, fifth)
        }
    }
}

/// `seccomp`: the strict mode, and the question which actions there are.
pub(crate) fn seccomp(frame: &Frame) -> Outcome {
    const SECCOMP_SET_MODE_FILTER: u32 = 1;
    if frame.argument(0) == SECCOMP_SET_MODE_FILTER {
        return Err(EINVAL);
    }
    native!(seccomp, frame.long(0), frame.long(1), frame.long(2))
}

/// `arch_prctl`: what is not about the segment registers, as in an i386 kernel.
pub(crate) fn arch_prctl(frame: &Frame) -> Outcome {
    match frame.argument(0) {
        // `ARCH_GET_CPUID`, `ARCH_SET_CPUID`, and those of extended processor state.
        0x1011 | 0x1012 | 0x1021..=0x1025 => native!(arch_prctl, frame.long(0), frame.long(1)),
        _ => Err(EINVAL),
    }
}

/// `keyctl`.
pub(crate) fn keyctl(frame: &Frame) -> Outcome {
    const KEYCTL_INSTANTIATE_IOV: u32 = 20;
    const KEYCTL_DH_COMPUTE: u32 = 23;
    match frame.argument(0) {
        KEYCTL_INSTANTIATE_IOV | KEYCTL_DH_COMPUTE => Err(EOPNOTSUPP),
        _ => {
            let [operation, second, third, fourth, fifth, _] = frame.arguments();
            native!(keyctl, operation, second, third, fourth, fifth)
        }
    }
}
