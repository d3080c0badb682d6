// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! `execve`: another program in this process.
//!
//! The kernel starts 64-bit programs, and scripts that name one. Where the file is an i386 program,
//! or a script for one, the loader is started, and starts it.

use super::file::path;
use crate::arch::facts;
use crate::call::{Errno, Outcome, native};
use crate::delivery::action;
use crate::frame::Frame;
use crate::memory::{self, place, with_area};
use liblinux_abi::kernel::errno::{E2BIG, ENOSYS};

/// `AT_FDCWD`.
const HERE: u64 = -100_i64 as u64;
/// Bytes of a file that say what it is; `BINPRM_BUF_SIZE` of the kernel.
const HEAD: usize = 256;
/// How many scripts may name each other.
const MOST_SCRIPTS: u32 = 5;
/// More words than the kernel takes.
const MOST_WORDS: u32 = 0x8_0000;

/// `execve`.
pub(crate) fn execve(frame: &Frame) -> Outcome {
    execute(frame.argument(0), frame.argument(1), frame.argument(2))
}

/// `execveat`, relative to the working folder. For other descriptors the answer is that of a
/// kernel without the call, and C libraries go by `/proc/self/fd` then.
pub(crate) fn execveat(frame: &Frame) -> Outcome {
    if frame.argument(0) != HERE as u32 || frame.argument(4) != 0 {
        return Err(ENOSYS);
    }
    execute(frame.argument(1), frame.argument(2), frame.argument(3))
}

/// How many words a list has.
fn count(list: u32) -> Result<u32, Errno> {
    if list == 0 {
        return Ok(0);
    }
    for index in 0..MOST_WORDS {
        if memory::read::<u32>(list.wrapping_add(index * 4))? == 0 {
            return Ok(index);
        }
    }
    Err(E2BIG)
}

fn execute(file: u32, words: u32, environment: u32) -> Outcome {
    let (words_count, environment_count) = (count(words)?, count(environment)?);
    let is_ours = is_i386(path(file), MOST_SCRIPTS);
    if is_ours {
        const X_OK: u32 = 1;
        const AT_EACCESS: u32 = 0x200;
        native!(faccessat2, HERE, path(file), X_OK, AT_EACCESS)?;
    }
    let facts = facts();
    let leading = if is_ours { facts.words_len as u32 + 2 } else { 0 };
    let places = leading + words_count + environment_count + 3;
    with_area(places as usize * 8, |area| {
        let area = area.expose_provenance() as u32;
        let mut next = area;
        let mut put = |value: u64| -> Result<(), Errno> {
            memory::write(next, value)?;
            next += 8;
            Ok(())
        };
        let mut first = 0;
        if is_ours {
            for index in 0..facts.words_len as u32 {
                put(memory::read(facts.words as u32 + index * 8)?)?;
            }
            let name = if words_count == 0 { file } else { memory::read(words)? };
            put(name.into())?;
            put(path(file))?;
            first = 1;
        }
        for index in first..words_count.max(first) {
            put(memory::read::<u32>(words.wrapping_add(index * 4))?.into())?;
        }
        put(0)?;
        let environment_at = area + (leading + words_count.max(first) - first + 1) * 8;
        for index in 0..environment_count {
            put(memory::read::<u32>(environment.wrapping_add(index * 4))?.into())?;
        }
        put(0)?;
        let ignored = action::release();
        let program = if is_ours { facts.loader } else { path(file) };
        let result = native!(execve, program, area, environment_at);
        action::adopt_again(ignored);
        result
    })
}

/// Whether a file is an i386 program, or a script for one. A file that cannot be read is left to
/// the kernel.
fn is_i386(path: u64, scripts: u32) -> bool {
    const O_CLOEXEC: u32 = 0o2_000_000;
    let Ok(descriptor) = native!(openat, HERE, path, O_CLOEXEC) else { return false };
    let mut head = [0_u8; HEAD];
    let filled = native!(pread64, descriptor, place(&mut head), HEAD, 0);
    let _ = native!(close, descriptor);
    if filled.is_err() {
        return false;
    }
    match head {
        [0x7f, b'E', b'L', b'F', 1, 1, ..] => head[18] == 3 && head[19] == 0,
        [b'#', b'!', ..] if scripts > 0 => {
            let Some(start) = head.iter().skip(2).position(|byte| !matches!(byte, b' ' | b'\t'))
            else {
                return false;
            };
            let start = start + 2;
            let is_end = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\n' | 0);
            let Some(len) = head.iter().skip(start).position(is_end) else { return false };
            if let Some(end) = head.get_mut(start + len) {
                *end = 0;
            }
            is_i386(place(&mut head) + start as u64, scripts - 1)
        }
        _ => false,
    }
}
