// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Control messages of sockets: descriptors, credentials, times.

use super::socket::SOL_SOCKET;
use crate::call::{Errno, native};
use crate::memory::{self, structures};
use liblinux_abi::kernel::errno::{EINVAL, ENOBUFS};

structures! {
    /// `struct cmsghdr` with 32 bits.
    #[repr(C)]
    struct Control32 {
        len: u32,
        level: u32,
        kind: u32,
    }
    /// The 64-bit `struct cmsghdr`.
    #[repr(C)]
    struct Control64 {
        len: u64,
        level: u32,
        kind: u32,
    }
}

const HEAD_32: u32 = size_of::<Control32>() as u32;
const HEAD_64: u32 = size_of::<Control64>() as u32;

/// Room for control messages in the kernel's form: 4 bytes more for the first, and 8 for others.
pub(super) fn room(control_len: u32) -> u32 {
    if control_len < HEAD_32 { 0 } else { control_len + 4 + 8 * (control_len / 16) }
}

pub(super) fn copy_bytes(to: u32, from: u32, len: u32) -> Result<(), Errno> {
    for index in 0..len {
        memory::write(to.wrapping_add(index), memory::read::<u8>(from.wrapping_add(index))?)?;
    }
    Ok(())
}

/// Writes the kernel's form of control messages to an area; its length.
pub(super) fn widen_control(from: u32, len: u32, area: u32, room: u32) -> Result<u32, Errno> {
    let (mut read, mut written) = (0, 0);
    while len - read >= HEAD_32 {
        let head = memory::read::<Control32>(from.wrapping_add(read))?;
        if head.len < HEAD_32 || head.len > len - read {
            return Err(EINVAL);
        }
        let data = head.len - HEAD_32;
        let wide = Control64 { len: (HEAD_64 + data).into(), level: head.level, kind: head.kind };
        if written + HEAD_64 + data > room {
            return Err(ENOBUFS);
        }
        memory::write(area + written, wide)?;
        copy_bytes(area + written + HEAD_64, from.wrapping_add(read + HEAD_32), data)?;
        written = (written + HEAD_64 + data).next_multiple_of(8).min(room);
        read = (read + head.len).next_multiple_of(4).min(len);
    }
    Ok(written)
}

/// `SCM_RIGHTS`.
const SCM_RIGHTS: u32 = 1;
/// `SCM_TIMESTAMP` and `SCM_TIMESTAMPNS` as they were first: two numbers of 64 bits.
const STAMPS: [u32; 2] = [29, 35];

/// Writes the caller's form of control messages; its length, and whether something had no room.
pub(super) fn narrow_control(
    area: u32,
    len: u32,
    to: u32,
    room: u32,
) -> Result<(u32, bool), Errno> {
    let (mut read, mut written) = (0, 0);
    let mut is_cut = false;
    while len.saturating_sub(read) >= HEAD_64 {
        let head = memory::read::<Control64>(area + read)?;
        let data = (head.len as u32).saturating_sub(HEAD_64);
        let from = area + read + HEAD_64;
        let is_stamp = head.level == SOL_SOCKET && STAMPS.contains(&head.kind) && data == 16;
        let wanted = if is_stamp { 8 } else { data };
        let free = room.saturating_sub(written + HEAD_32);
        if written + HEAD_32 > room {
            is_cut = true;
            close_rest(&head, from, 0, data)?;
            break;
        }
        let taken = wanted.min(free);
        if taken < wanted {
            is_cut = true;
            close_rest(&head, from, taken & !3, data)?;
        }
        let Control64 { level, kind, .. } = head;
        memory::write(to.wrapping_add(written), Control32 { len: HEAD_32 + taken, level, kind })?;
        let at = to.wrapping_add(written + HEAD_32);
        if is_stamp && taken == 8 {
            let [seconds, fraction] = memory::read::<[u64; 2]>(from)?;
            memory::write(at, [seconds as u32, fraction as u32])?;
        } else {
            copy_bytes(at, from, taken)?;
        }
        written = (written + HEAD_32 + taken).next_multiple_of(4).min(room);
        read = (read + head.len as u32).next_multiple_of(8);
    }
    Ok((written, is_cut))
}

/// Closes the descriptors of a message that the caller has no room for.
fn close_rest(head: &Control64, from: u32, first: u32, data: u32) -> Result<(), Errno> {
    if head.level == SOL_SOCKET && head.kind == SCM_RIGHTS {
        for offset in (first..data).step_by(4) {
            let _ = native!(close, memory::read::<u32>(from + offset)?);
        }
    }
    Ok(())
}
