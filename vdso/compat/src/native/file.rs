// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Files: paths, and structures that describe locks and file systems.

use crate::arch::facts;
use crate::call::{Errno, Outcome, native};
use crate::frame::Frame;
use crate::memory::{self, Plain as _, place, structures};
use liblinux_abi::kernel::errno::{EINVAL, EOVERFLOW};

/// The path of the program's file, as the kernel knows it: that of the loader.
const OWN_PATH: [u8; 15] = *b"/proc/self/exe\0";

/// Whether a path is that of the program's own file.
fn is_own(path: u32) -> bool {
    memory::read::<[u8; 8]>(path).is_ok_and(|head| head == *b"/proc/se")
        && memory::read::<[u8; OWN_PATH.len()]>(path).is_ok_and(|whole| whole == OWN_PATH)
}

/// The path to take in place of the caller's.
pub(crate) fn path(path: u32) -> u64 {
    if is_own(path) { facts().program } else { path.into() }
}

/// `open`.
pub(crate) fn open(frame: &Frame) -> Outcome {
    native!(open, path(frame.argument(0)), frame.long(1), frame.long(2))
}

/// `openat`.
pub(crate) fn openat(frame: &Frame) -> Outcome {
    native!(openat, frame.long(0), path(frame.argument(1)), frame.long(2), frame.long(3))
}

/// Writes the path of the program's file.
fn own_link(buffer: u32, size: u32) -> Outcome {
    if size.cast_signed() <= 0 {
        return Err(EINVAL);
    }
    let facts = facts();
    let len = facts.program_len.min(size.into()) as u32;
    let source = facts.program as u32;
    for index in 0..len {
        memory::write(buffer.wrapping_add(index), memory::read::<u8>(source + index)?)?;
    }
    Ok(len as isize)
}

/// `readlink`.
pub(crate) fn readlink(frame: &Frame) -> Outcome {
    if is_own(frame.argument(0)) {
        return own_link(frame.argument(1), frame.argument(2));
    }
    native!(readlink, frame.long(0), frame.long(1), frame.long(2))
}

/// `readlinkat`.
pub(crate) fn readlinkat(frame: &Frame) -> Outcome {
    if is_own(frame.argument(1)) {
        return own_link(frame.argument(2), frame.argument(3));
    }
    native!(readlinkat, frame.long(0), frame.long(1), frame.long(2), frame.long(3))
}

/// `umount` without flags.
pub(crate) fn umount(frame: &Frame) -> Outcome {
    native!(umount2, frame.long(0), 0)
}

structures! {
    /// `struct flock` with 32 bits.
    #[repr(C)]
    struct Lock32 {
        kind: u16,
        whence: u16,
        start: i32,
        len: i32,
        process: i32,
    }
    /// `struct flock64` of i386.
    #[repr(C, packed(4))]
    struct LargeLock32 {
        kind: u16,
        whence: u16,
        start: i64,
        len: i64,
        process: i32,
    }
    /// The 64-bit `struct flock`.
    #[repr(C)]
    struct Lock64 {
        kind: u16,
        whence: u16,
        gap: u32,
        start: i64,
        len: i64,
        process: i32,
        end: u32,
    }
}

/// `F_GETLK`, `F_SETLK`, `F_SETLKW`.
const LOCKS: core::ops::RangeInclusive<u32> = 5..=7;
/// Their forms with 64 bits.
const LARGE_LOCKS: core::ops::RangeInclusive<u32> = 12..=14;
/// `F_OFD_GETLK` and its like.
const DESCRIPTION_LOCKS: core::ops::RangeInclusive<u32> = 36..=38;

/// `fcntl64`, and `fcntl`, which the kernel serves by the same function.
pub(crate) fn fcntl64(frame: &Frame) -> Outcome {
    let command = frame.argument(1);
    match command {
        _ if LOCKS.contains(&command) => lock(frame, command),
        _ if LARGE_LOCKS.contains(&command) => large_lock(frame, command - 7),
        _ if DESCRIPTION_LOCKS.contains(&command) => large_lock(frame, command),
        _ => native!(fcntl, frame.long(0), command, frame.long(2)),
    }
}

fn is_query(command: u32) -> bool {
    matches!(command, 5 | 36)
}

fn lock(frame: &Frame, command: u32) -> Outcome {
    let address = frame.argument(2);
    let Lock32 { kind, whence, start, len, process } = memory::read(address)?;
    let (start, len) = (start.into(), len.into());
    let mut lock = Lock64 { kind, whence, start, len, process, ..Lock64::ZERO };
    let result = native!(fcntl, frame.long(0), command, place(&mut lock))?;
    if is_query(command) {
        let Lock64 { kind, whence, start, len, process, .. } = lock;
        const F_UNLCK: u16 = 2;
        let narrow = |value: i64| i32::try_from(value).map_err(|_| EOVERFLOW);
        // A lock to the end is said by 0.
        let answer = if kind == F_UNLCK {
            Lock32 { kind, whence, start: start as i32, len: len as i32, process }
        } else {
            let len = narrow(len).unwrap_or(0);
            Lock32 { kind, whence, start: narrow(start)?, len, process }
        };
        memory::write(address, answer)?;
    }
    Ok(result)
}

fn large_lock(frame: &Frame, command: u32) -> Outcome {
    let address = frame.argument(2);
    let LargeLock32 { kind, whence, start, len, process } = memory::read(address)?;
    let mut lock = Lock64 { kind, whence, start, len, process, ..Lock64::ZERO };
    let result = native!(fcntl, frame.long(0), command, place(&mut lock))?;
    if is_query(command) {
        let Lock64 { kind, whence, start, len, process, .. } = lock;
        memory::write(address, LargeLock32 { kind, whence, start, len, process })?;
    }
    Ok(result)
}

structures! {
    /// The 64-bit `struct statfs`.
    #[repr(C)]
    struct System64 {
        kind: u64,
        block: u64,
        counts: [u64; 5],
        id: [u32; 2],
        name_len: u64,
        fragment: u64,
        flags: u64,
        spare: [u64; 4],
    }
    /// `struct statfs` of i386.
    #[repr(C)]
    struct System32 {
        kind: u32,
        block: u32,
        counts: [u32; 5],
        id: [u32; 2],
        name_len: u32,
        fragment: u32,
        flags: u32,
        spare: [u32; 4],
    }
    /// `struct statfs64` of i386.
    #[repr(C, packed(4))]
    struct LargeSystem32 {
        kind: u32,
        block: u32,
        counts: [u64; 5],
        id: [u32; 2],
        name_len: u32,
        fragment: u32,
        flags: u32,
        spare: [u32; 4],
    }
}

fn put_system(address: u32, system: &System64) -> Outcome {
    let System64 { kind, block, counts, id, name_len, fragment, flags, .. } = *system;
    let mut narrow = [0; 5];
    for (to, from) in narrow.iter_mut().zip(counts) {
        // A file system without a limit of files says so by ones.
        *to =
            if from == u64::MAX { u32::MAX } else { u32::try_from(from).map_err(|_| EOVERFLOW)? };
    }
    memory::write(
        address,
        System32 {
            kind: kind as u32,
            block: block as u32,
            counts: narrow,
            id,
            name_len: name_len as u32,
            fragment: fragment as u32,
            flags: flags as u32,
            spare: [0; 4],
        },
    )?;
    Ok(0)
}

fn put_large_system(address: u32, system: &System64) -> Outcome {
    let System64 { kind, block, counts, id, name_len, fragment, flags, .. } = *system;
    memory::write(
        address,
        LargeSystem32 {
            kind: kind as u32,
            block: block as u32,
            counts,
            id,
            name_len: name_len as u32,
            fragment: fragment as u32,
            flags: flags as u32,
            spare: [0; 4],
        },
    )?;
    Ok(0)
}

/// `statfs`.
pub(crate) fn statfs(frame: &Frame) -> Outcome {
    let mut system = System64::ZERO;
    native!(statfs, frame.long(0), place(&mut system))?;
    put_system(frame.argument(1), &system)
}

/// `fstatfs`.
pub(crate) fn fstatfs(frame: &Frame) -> Outcome {
    let mut system = System64::ZERO;
    native!(fstatfs, frame.long(0), place(&mut system))?;
    put_system(frame.argument(1), &system)
}

fn require_large(size: u32) -> Result<(), Errno> {
    if size as usize == size_of::<LargeSystem32>() { Ok(()) } else { Err(EINVAL) }
}

/// `statfs64`.
pub(crate) fn statfs64(frame: &Frame) -> Outcome {
    require_large(frame.argument(1))?;
    let mut system = System64::ZERO;
    native!(statfs, frame.long(0), place(&mut system))?;
    put_large_system(frame.argument(2), &system)
}

/// `fstatfs64`.
pub(crate) fn fstatfs64(frame: &Frame) -> Outcome {
    require_large(frame.argument(1))?;
    let mut system = System64::ZERO;
    native!(fstatfs, frame.long(0), place(&mut system))?;
    put_large_system(frame.argument(2), &system)
}
