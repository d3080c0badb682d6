// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Lists of buffers: `struct iovec` with 32 bits.

use crate::call::{Errno, Outcome, native};
use crate::frame::Frame;
use crate::memory::{self, with_area};
use liblinux_abi::kernel::errno::EINVAL;

/// `UIO_MAXIOV`.
pub(crate) const MOST: u32 = 1024;

/// Bytes of an entry in the kernel's form.
pub(crate) const ENTRY_64: usize = 16;

/// Writes the kernel's form of a list to an area.
pub(crate) fn widen(list: u32, count: u32, area: u32) -> Result<(), Errno> {
    for index in 0..count {
        let [base, len] = memory::read::<[u32; 2]>(list.wrapping_add(index * 8))?;
        if len.cast_signed() < 0 {
            return Err(EINVAL);
        }
        memory::write(area + index * ENTRY_64 as u32, [u64::from(base), u64::from(len)])?;
    }
    Ok(())
}

/// Makes a call with the kernel's form of a list. The kernel refuses a list that is too long.
fn with(list: u32, count: u32, call: impl FnOnce(u32) -> Outcome) -> Outcome {
    if count > MOST {
        return Err(EINVAL);
    }
    with_area(count as usize * ENTRY_64, |area| {
        let area = area.expose_provenance() as u32;
        widen(list, count, area)?;
        call(area)
    })
}

/// `readv`.
pub(crate) fn readv(frame: &Frame) -> Outcome {
    let count = frame.argument(2);
    with(frame.argument(1), count, |list| native!(readv, frame.long(0), list, count))
}

/// `writev`.
pub(crate) fn writev(frame: &Frame) -> Outcome {
    let count = frame.argument(2);
    with(frame.argument(1), count, |list| native!(writev, frame.long(0), list, count))
}

/// `preadv`.
pub(crate) fn preadv(frame: &Frame) -> Outcome {
    let (count, offset) = (frame.argument(2), frame.pair(3));
    with(frame.argument(1), count, |list| native!(preadv, frame.long(0), list, count, offset))
}

/// `pwritev`.
pub(crate) fn pwritev(frame: &Frame) -> Outcome {
    let (count, offset) = (frame.argument(2), frame.pair(3));
    with(frame.argument(1), count, |list| native!(pwritev, frame.long(0), list, count, offset))
}

/// `preadv2`.
pub(crate) fn preadv2(frame: &Frame) -> Outcome {
    let (count, offset, flags) = (frame.argument(2), frame.pair(3), frame.long(5));
    with(frame.argument(1), count, |list| {
        native!(preadv2, frame.long(0), list, count, offset, 0, flags)
    })
}

/// `pwritev2`.
pub(crate) fn pwritev2(frame: &Frame) -> Outcome {
    let (count, offset, flags) = (frame.argument(2), frame.pair(3), frame.long(5));
    with(frame.argument(1), count, |list| {
        native!(pwritev2, frame.long(0), list, count, offset, 0, flags)
    })
}

/// `vmsplice`.
pub(crate) fn vmsplice(frame: &Frame) -> Outcome {
    let (count, flags) = (frame.argument(2), frame.long(3));
    with(frame.argument(1), count, |list| native!(vmsplice, frame.long(0), list, count, flags))
}

/// `process_madvise`.
pub(crate) fn process_madvise(frame: &Frame) -> Outcome {
    let [process, _, _, advice, flags, _] = frame.arguments();
    let count = frame.argument(2);
    with(frame.argument(1), count, |list| {
        native!(process_madvise, process, list, count, advice, flags)
    })
}
