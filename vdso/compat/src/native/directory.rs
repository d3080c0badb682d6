// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! `getdents` with 32 bits.

use crate::call::{Outcome, native};
use crate::frame::Frame;
use crate::memory;
use liblinux_abi::kernel::errno::EOVERFLOW;

/// Bytes in front of the name of an entry of `getdents64`: inode, offset, length, type.
const HEAD_64: u32 = 19;
/// Bytes in front of the name of an entry here: inode, offset, length.
const HEAD_32: u32 = 10;

/// `getdents`. The kernel's entries are larger, so they are read into the caller's buffer and
/// moved down one after the other. Behind the name come zeros, and the type in the last byte.
pub(crate) fn getdents(frame: &Frame) -> Outcome {
    let buffer = frame.argument(1);
    let filled = native!(getdents64, frame.long(0), buffer, frame.long(2))? as u32;
    let (mut from, mut to) = (buffer, buffer);
    while from.wrapping_sub(buffer) < filled {
        let inode = memory::read::<u64>(from)?;
        let offset = memory::read::<u64>(from.wrapping_add(8))?;
        let len = memory::read::<u16>(from.wrapping_add(16))?;
        let kind = memory::read::<u8>(from.wrapping_add(18))?;
        if inode >> 32 != 0 {
            return Err(EOVERFLOW);
        }
        let mut end = 0;
        let next = from.wrapping_add(len.into());
        while memory::read::<u8>(from.wrapping_add(HEAD_64 + end))? != 0 {
            end += 1;
        }
        let short = (HEAD_32 + end + 2).next_multiple_of(4);
        for index in 0..end {
            let byte = memory::read::<u8>(from.wrapping_add(HEAD_64 + index))?;
            memory::write(to.wrapping_add(HEAD_32 + index), byte)?;
        }
        for index in HEAD_32 + end..short - 1 {
            memory::write(to.wrapping_add(index), 0_u8)?;
        }
        memory::write(to.wrapping_add(short - 1), kind)?;
        memory::write(to, [inode as u32, offset as u32])?;
        memory::write(to.wrapping_add(8), short as u16)?;
        (from, to) = (next, to.wrapping_add(short));
    }
    Ok(to.wrapping_sub(buffer) as isize)
}
