// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The `stat` calls: a file's status in the layouts of i386.

use super::file::path;
use super::identity::narrow_id;
use crate::call::{Errno, Outcome, native};
use crate::frame::Frame;
use crate::memory::{self, Plain as _, place, structures};
use liblinux_abi::kernel::errno::EOVERFLOW;

structures! {
    /// The 64-bit `struct stat`.
    #[repr(C)]
    struct Status64 {
        device: u64,
        inode: u64,
        links: u64,
        mode: u32,
        user: u32,
        group: u32,
        gap: u32,
        special: u64,
        size: u64,
        block_size: u64,
        blocks: u64,
        times: [u64; 6],
        unused: [u64; 3],
    }
    /// `struct stat` of i386.
    #[repr(C)]
    struct Status32 {
        device: u32,
        inode: u32,
        mode: u16,
        links: u16,
        user: u16,
        group: u16,
        special: u32,
        size: u32,
        block_size: u32,
        blocks: u32,
        times: [u32; 6],
        unused: [u32; 2],
    }
    /// `struct stat64` of i386 between its two gaps, which the kernel does not write.
    #[repr(C, packed(4))]
    struct LargeFront32 {
        short_inode: u32,
        mode: u32,
        links: u32,
        user: u32,
        group: u32,
        special: u64,
    }
    /// `struct stat64` of i386 behind its gaps.
    #[repr(C, packed(4))]
    struct LargeBack32 {
        size: u64,
        block_size: u32,
        blocks: u64,
        times: [u32; 6],
        inode: u64,
    }
    /// `struct __old_kernel_stat` of i386.
    #[repr(C)]
    struct OldStatus32 {
        short: [u16; 7],
        gap: u16,
        size: u32,
        times: [u32; 3],
    }
}

/// `MAX_NON_LFS`: the largest size that 31 bits can say.
const LARGEST: u64 = (1 << 31) - 1;

fn put(address: u32, status: &Status64) -> Outcome {
    if status.size > LARGEST {
        return Err(EOVERFLOW);
    }
    memory::write(
        address,
        Status32 {
            device: status.device as u32,
            inode: u32::try_from(status.inode).map_err(|_| EOVERFLOW)?,
            mode: status.mode as u16,
            links: u16::try_from(status.links).map_err(|_| EOVERFLOW)?,
            user: narrow_id(status.user),
            group: narrow_id(status.group),
            special: status.special as u32,
            size: status.size as u32,
            block_size: status.block_size as u32,
            blocks: status.blocks as u32,
            times: status.times.map(|time| time as u32),
            unused: [0; 2],
        },
    )?;
    Ok(0)
}

fn put_large(address: u32, status: &Status64) -> Outcome {
    const FRONT: u32 = 12;
    const BACK: u32 = FRONT + size_of::<LargeFront32>() as u32 + 4;
    memory::write(address, status.device)?;
    memory::write(
        address.wrapping_add(FRONT),
        LargeFront32 {
            short_inode: status.inode as u32,
            mode: status.mode,
            links: status.links as u32,
            user: status.user,
            group: status.group,
            special: status.special,
        },
    )?;
    memory::write(
        address.wrapping_add(BACK),
        LargeBack32 {
            size: status.size,
            block_size: status.block_size as u32,
            blocks: status.blocks,
            times: status.times.map(|time| time as u32),
            inode: status.inode,
        },
    )?;
    Ok(0)
}

fn put_old(address: u32, status: &Status64) -> Outcome {
    // The kernel's `old_encode_dev`: 8 bits each of major and minor number.
    let device =
        |device: u64| -> Result<u16, Errno> { u16::try_from(device).map_err(|_| EOVERFLOW) };
    if status.size > LARGEST {
        return Err(EOVERFLOW);
    }
    let [access, _, change, _, creation, _] = status.times.map(|time| time as u32);
    memory::write(
        address,
        OldStatus32 {
            short: [
                device(status.device)?,
                u16::try_from(status.inode).map_err(|_| EOVERFLOW)?,
                status.mode as u16,
                u16::try_from(status.links).map_err(|_| EOVERFLOW)?,
                narrow_id(status.user),
                narrow_id(status.group),
                device(status.special)?,
            ],
            gap: 0,
            size: status.size as u32,
            times: [access, change, creation],
        },
    )?;
    Ok(0)
}

fn of_path(path_at: u32) -> Result<Status64, Errno> {
    let mut status = Status64::ZERO;
    native!(stat, path(path_at), place(&mut status))?;
    Ok(status)
}

fn of_link(frame: &Frame) -> Result<Status64, Errno> {
    let mut status = Status64::ZERO;
    native!(lstat, frame.long(0), place(&mut status))?;
    Ok(status)
}

fn of_descriptor(frame: &Frame) -> Result<Status64, Errno> {
    let mut status = Status64::ZERO;
    native!(fstat, frame.long(0), place(&mut status))?;
    Ok(status)
}

/// `stat`.
pub(crate) fn stat(frame: &Frame) -> Outcome {
    put(frame.argument(1), &of_path(frame.argument(0))?)
}

/// `lstat`.
pub(crate) fn lstat(frame: &Frame) -> Outcome {
    put(frame.argument(1), &of_link(frame)?)
}

/// `fstat`.
pub(crate) fn fstat(frame: &Frame) -> Outcome {
    put(frame.argument(1), &of_descriptor(frame)?)
}

/// `stat64`.
pub(crate) fn stat64(frame: &Frame) -> Outcome {
    put_large(frame.argument(1), &of_path(frame.argument(0))?)
}

/// `lstat64`.
pub(crate) fn lstat64(frame: &Frame) -> Outcome {
    put_large(frame.argument(1), &of_link(frame)?)
}

/// `fstat64`.
pub(crate) fn fstat64(frame: &Frame) -> Outcome {
    put_large(frame.argument(1), &of_descriptor(frame)?)
}

/// `fstatat64`.
pub(crate) fn fstatat64(frame: &Frame) -> Outcome {
    const AT_SYMLINK_NOFOLLOW: u32 = 0x100;
    let mut status = Status64::ZERO;
    let follows = frame.argument(3) & AT_SYMLINK_NOFOLLOW == 0;
    let path = if follows { path(frame.argument(1)) } else { frame.long(1) };
    native!(newfstatat, frame.long(0), path, place(&mut status), frame.long(3))?;
    put_large(frame.argument(2), &status)
}

/// `oldstat`.
pub(crate) fn oldstat(frame: &Frame) -> Outcome {
    put_old(frame.argument(1), &of_path(frame.argument(0))?)
}

/// `oldlstat`.
pub(crate) fn oldlstat(frame: &Frame) -> Outcome {
    put_old(frame.argument(1), &of_link(frame)?)
}

/// `oldfstat`.
pub(crate) fn oldfstat(frame: &Frame) -> Outcome {
    put_old(frame.argument(1), &of_descriptor(frame)?)
}
