// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Offsets of files: signed ones of 32 bits, and those in two arguments.

use crate::call::{Outcome, native};
use crate::frame::Frame;
use crate::memory::{self, place_if};

/// `lseek`.
pub(crate) fn lseek(frame: &Frame) -> Outcome {
    native!(lseek, frame.long(0), frame.signed(1), frame.long(2))
}

/// `_llseek`: the offset has the upper half first, and the result is in memory.
pub(crate) fn llseek(frame: &Frame) -> Outcome {
    let offset = frame.long(1) << 32 | frame.long(2);
    let result = native!(lseek, frame.long(0), offset, frame.long(4))?;
    memory::write(frame.argument(3), result as u64)?;
    Ok(0)
}

/// `truncate`.
pub(crate) fn truncate(frame: &Frame) -> Outcome {
    native!(truncate, frame.long(0), frame.signed(1))
}

/// `ftruncate`.
pub(crate) fn ftruncate(frame: &Frame) -> Outcome {
    native!(ftruncate, frame.long(0), frame.signed(1))
}

/// `truncate64`.
pub(crate) fn truncate64(frame: &Frame) -> Outcome {
    native!(truncate, frame.long(0), frame.pair(1))
}

/// `ftruncate64`.
pub(crate) fn ftruncate64(frame: &Frame) -> Outcome {
    native!(ftruncate, frame.long(0), frame.pair(1))
}

/// `pread64`.
pub(crate) fn pread64(frame: &Frame) -> Outcome {
    native!(pread64, frame.long(0), frame.long(1), frame.long(2), frame.pair(3))
}

/// `pwrite64`.
pub(crate) fn pwrite64(frame: &Frame) -> Outcome {
    native!(pwrite64, frame.long(0), frame.long(1), frame.long(2), frame.pair(3))
}

/// `readahead`.
pub(crate) fn readahead(frame: &Frame) -> Outcome {
    native!(readahead, frame.long(0), frame.pair(1), frame.long(3))
}

/// `fadvise64`.
pub(crate) fn fadvise64(frame: &Frame) -> Outcome {
    native!(fadvise64, frame.long(0), frame.pair(1), frame.long(3), frame.long(4))
}

/// `fadvise64_64`.
pub(crate) fn fadvise64_64(frame: &Frame) -> Outcome {
    native!(fadvise64, frame.long(0), frame.pair(1), frame.pair(3), frame.long(5))
}

/// `sync_file_range`.
pub(crate) fn sync_file_range(frame: &Frame) -> Outcome {
    native!(sync_file_range, frame.long(0), frame.pair(1), frame.pair(3), frame.long(5))
}

/// `fallocate`.
pub(crate) fn fallocate(frame: &Frame) -> Outcome {
    native!(fallocate, frame.long(0), frame.long(1), frame.pair(2), frame.pair(4))
}

/// `fanotify_mark`.
pub(crate) fn fanotify_mark(frame: &Frame) -> Outcome {
    let [group, flags, .., file, path] = frame.arguments();
    native!(fanotify_mark, group, flags, frame.pair(2), file, path)
}

/// `sendfile`, whose offset has 32 bits.
pub(crate) fn sendfile(frame: &Frame) -> Outcome {
    let mut offset = memory::read_if::<i32>(frame.argument(2))?.map(i64::from);
    let count = frame.long(3);
    let result = native!(sendfile, frame.long(0), frame.long(1), place_if(&mut offset), count)?;
    if let Some(offset) = offset {
        memory::write(frame.argument(2), offset as u32)?;
    }
    Ok(result)
}
