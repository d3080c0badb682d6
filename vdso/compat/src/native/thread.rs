// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! New processes and threads.

use super::area;
use crate::arch::{self, Request, Segment};
use crate::call::{Outcome, native};
use crate::delivery::action::{SET_SIZE, blockable};
use crate::frame::Frame;
use crate::memory::{self, place, structures};
use liblinux_abi::kernel::clone::CLONE_VM;
use liblinux_abi::kernel::errno::{EINVAL, ENOSYS};

/// `CLONE_VFORK`.
const CLONE_VFORK: u64 = 0x4000;
/// `CLONE_SETTLS`.
const CLONE_SETTLS: u64 = 0x8_0000;
/// `SIGCHLD`.
const SIGCHLD: u64 = 17;
/// `SIG_SETMASK`.
const SIG_SETMASK: u64 = 2;

/// Makes a child with these flags, stack and places for its number.
#[expect(unsafe_code, reason = "leaves the shim by another way")]
fn make(frame: &Frame, flags: u64, stack: u64, [parent_tid, child_tid]: [u64; 2], base: u64) -> ! {
    let mut all = blockable(u64::MAX);
    let mut mask = 0_u64;
    // The kernel knows this size.
    let _ = native!(rt_sigprocmask, SIG_SETMASK, place(&mut all), place(&mut mask), SET_SIZE);
    let request = Request { flags, stack, parent_tid, child_tid, mask, base };
    // SAFETY: it is the frame of this call, and signals are blocked.
    unsafe { arch::clone(&request, frame) }
}

/// `fork`.
pub(crate) fn fork(frame: &Frame) -> Outcome {
    make(frame, SIGCHLD, 0, [0; 2], arch::base_of(Segment::Gs))
}

/// `vfork`.
pub(crate) fn vfork(frame: &Frame) -> Outcome {
    let flags = u64::from(CLONE_VM) | CLONE_VFORK | SIGCHLD;
    make(frame, flags, 0, [0; 2], arch::base_of(Segment::Gs))
}

/// `clone`. The kernel would set the base of `fs`; the child sets that of `gs` itself.
pub(crate) fn clone(frame: &Frame) -> Outcome {
    let [flags, stack, parent_tid, _, child_tid, _] = frame.arguments();
    let base = if flags & CLONE_SETTLS == 0 {
        arch::base_of(Segment::Gs)
    } else {
        area::base_for_child(frame.argument(3))?
    };
    make(frame, flags & !CLONE_SETTLS, stack, [parent_tid, child_tid], base)
}

structures! {
    /// `struct clone_args` as it was first.
    #[repr(C)]
    struct Arguments {
        flags: u64,
        descriptor: u64,
        child_tid: u64,
        parent_tid: u64,
        exit_signal: u64,
        stack: u64,
        stack_size: u64,
        tls: u64,
    }
}

/// `clone3`, as far as `clone` can do it. Where that is not so, the answer is that of a kernel
/// without the call, and C libraries make `clone` then.
pub(crate) fn clone3(frame: &Frame) -> Outcome {
    let size = frame.argument(1);
    if (size as usize) < size_of::<Arguments>() {
        return Err(EINVAL);
    }
    let arguments = memory::read::<Arguments>(frame.argument(0))?;
    let Arguments { flags, child_tid, parent_tid, exit_signal, stack, stack_size, tls, .. } =
        arguments;
    // `set_tid` and `cgroup`, flags that `clone` does not have, and the descriptor of a child,
    // which has the place of the parent's number.
    const CLONE_PIDFD: u64 = 0x1000;
    if size as usize != size_of::<Arguments>() && has_more(frame.argument(0), size)?
        || flags >> 32 != 0
        || flags & (CLONE_PIDFD | 0xff) != 0
    {
        return Err(ENOSYS);
    }
    if exit_signal > 64 || (stack == 0) != (stack_size == 0) {
        return Err(EINVAL);
    }
    let base = if flags & CLONE_SETTLS == 0 {
        arch::base_of(Segment::Gs)
    } else {
        area::base_for_child(tls as u32)?
    };
    let flags = flags & !CLONE_SETTLS | exit_signal;
    make(frame, flags, stack + stack_size, [parent_tid, child_tid], base)
}

/// Whether there is anything but zeros behind the first form of the structure.
fn has_more(address: u32, size: u32) -> Result<bool, isize> {
    const LARGEST: u32 = 4096;
    if size > LARGEST {
        return Err(liblinux_abi::kernel::errno::E2BIG);
    }
    for offset in size_of::<Arguments>() as u32..size {
        if memory::read::<u8>(address.wrapping_add(offset))? != 0 {
            return Ok(true);
        }
    }
    Ok(false)
}
