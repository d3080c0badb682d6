// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Mapping memory. The loader has taken everything above 4 GiB, so the kernel finds room below.

use crate::call::{Outcome, native};
use crate::frame::Frame;
use crate::memory;
use liblinux_abi::kernel::errno::EINVAL;

/// Bytes of the unit in which `mmap2` counts its offset.
const PAGE: u64 = 4096;

/// `mmap`, whose arguments are in memory.
pub(crate) fn mmap(frame: &Frame) -> Outcome {
    let arguments = memory::read::<[u32; 6]>(frame.argument(0))?;
    let [address, len, protection, flags, file, offset] = arguments.map(u64::from);
    if offset % PAGE != 0 {
        return Err(EINVAL);
    }
    native!(mmap, address, len, protection, flags, file, offset)
}

/// `mmap2`.
pub(crate) fn mmap2(frame: &Frame) -> Outcome {
    let [address, len, protection, flags, file, page] = frame.arguments();
    native!(mmap, address, len, protection, flags, file, page * PAGE)
}
