// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Signals: sets, stacks, waiting and sending. Actions are in [`crate::delivery::action`].

use super::time::{Form, waiting_mask};
use crate::call::{Errno, Outcome, native};
use crate::delivery::action::{self, SET_SIZE, blockable};
use crate::delivery::{info, resume};
use crate::frame::Frame;
use crate::memory::{self, Plain as _, place, place_if, structures};
use liblinux_abi::kernel::errno::EINVAL;

/// `SIG_SETMASK`.
const SIG_SETMASK: u32 = 2;

/// `sigreturn`.
pub(crate) fn sigreturn(frame: &Frame) -> Outcome {
    resume::sigreturn(frame.esp)
}

/// `rt_sigreturn`.
pub(crate) fn rt_sigreturn(frame: &Frame) -> Outcome {
    resume::rt_sigreturn(frame.esp)
}

/// `rt_sigaction`.
pub(crate) fn rt_sigaction(frame: &Frame) -> Outcome {
    let [signal, new, old, size] = [0, 1, 2, 3].map(|index| frame.argument(index));
    action::rt_sigaction(signal, new, old, size)
}

/// `sigaction`.
pub(crate) fn sigaction(frame: &Frame) -> Outcome {
    action::sigaction(frame.argument(0), frame.argument(1), frame.argument(2))
}

/// `signal`.
pub(crate) fn signal(frame: &Frame) -> Outcome {
    action::signal(frame.argument(0), frame.argument(1))
}

/// Changes the set of blocked signals; the set before.
fn exchange(how: u64, new: Option<u64>) -> Result<u64, Errno> {
    let mut new = new.map(blockable);
    let mut old = 0_u64;
    native!(rt_sigprocmask, how, place_if(&mut new), place(&mut old), SET_SIZE)?;
    Ok(old)
}

/// `rt_sigprocmask`.
pub(crate) fn rt_sigprocmask(frame: &Frame) -> Outcome {
    if frame.argument(3) != SET_SIZE {
        return Err(EINVAL);
    }
    let old = exchange(frame.long(0), memory::read_if(frame.argument(1))?)?;
    memory::write_if(frame.argument(2), old)?;
    Ok(0)
}

/// `sigprocmask`: 32 signals, and the others stay.
pub(crate) fn sigprocmask(frame: &Frame) -> Outcome {
    let new = memory::read_if::<u32>(frame.argument(1))?;
    let before = exchange(0, None)?;
    if let Some(new) = new {
        let upper = if frame.argument(0) == SIG_SETMASK { before >> 32 << 32 } else { 0 };
        exchange(frame.long(0), Some(upper | u64::from(new)))?;
    }
    memory::write_if(frame.argument(2), before as u32)?;
    Ok(0)
}

/// `sgetmask`.
pub(crate) fn sgetmask(_: &Frame) -> Outcome {
    Ok(exchange(0, None)? as u32 as isize)
}

/// `ssetmask`.
pub(crate) fn ssetmask(frame: &Frame) -> Outcome {
    Ok(exchange(SIG_SETMASK.into(), Some(frame.long(0)))? as u32 as isize)
}

/// `sigpending`.
pub(crate) fn sigpending(frame: &Frame) -> Outcome {
    let mut pending = 0_u64;
    native!(rt_sigpending, place(&mut pending), SET_SIZE)?;
    memory::write(frame.argument(0), pending as u32)?;
    Ok(0)
}

/// `rt_sigsuspend`.
pub(crate) fn rt_sigsuspend(frame: &Frame) -> Outcome {
    if frame.argument(1) != SET_SIZE {
        return Err(EINVAL);
    }
    let mut mask = blockable(memory::read(frame.argument(0))?);
    native!(rt_sigsuspend, place(&mut mask), SET_SIZE)
}

/// `sigsuspend`, whose third argument is the set.
pub(crate) fn sigsuspend(frame: &Frame) -> Outcome {
    let mut mask = blockable(frame.long(2));
    native!(rt_sigsuspend, place(&mut mask), SET_SIZE)
}

fn wait_in(frame: &Frame, form: Form) -> Outcome {
    let mut time = form.read(frame.argument(2))?;
    let mut found: info::Words = [0; 32];
    let (set, size) = (frame.long(0), frame.long(3));
    let result = native!(rt_sigtimedwait, set, place(&mut found), place_if(&mut time), size)?;
    memory::write_if(frame.argument(1), info::narrow(&found))?;
    Ok(result)
}

/// `rt_sigtimedwait` with 32 bits.
pub(crate) fn rt_sigtimedwait(frame: &Frame) -> Outcome {
    wait_in(frame, Form::Narrow)
}

/// `rt_sigtimedwait_time64`.
pub(crate) fn rt_sigtimedwait64(frame: &Frame) -> Outcome {
    wait_in(frame, Form::Wide)
}

fn wide_info(signal: u32, address: u32) -> Result<info::Words, Errno> {
    Ok(info::widen(signal, &memory::read(address)?))
}

/// `rt_sigqueueinfo`.
pub(crate) fn rt_sigqueueinfo(frame: &Frame) -> Outcome {
    let mut info = wide_info(frame.argument(1), frame.argument(2))?;
    native!(rt_sigqueueinfo, frame.long(0), frame.long(1), place(&mut info))
}

/// `rt_tgsigqueueinfo`.
pub(crate) fn rt_tgsigqueueinfo(frame: &Frame) -> Outcome {
    let mut info = wide_info(frame.argument(2), frame.argument(3))?;
    let [process, thread, signal, ..] = frame.arguments();
    native!(rt_tgsigqueueinfo, process, thread, signal, place(&mut info))
}

/// `pidfd_send_signal`.
pub(crate) fn pidfd_send_signal(frame: &Frame) -> Outcome {
    let [file, signal, _, flags, ..] = frame.arguments();
    let mut info = match frame.argument(2) {
        0 => None,
        address => Some(wide_info(frame.argument(1), address)?),
    };
    native!(pidfd_send_signal, file, signal, place_if(&mut info), flags)
}

structures! {
    /// `stack_t` of i386.
    #[repr(C)]
    struct Stack32 {
        start: u32,
        flags: u32,
        size: u32,
    }
    /// The 64-bit `stack_t`.
    #[repr(C)]
    struct Stack64 {
        start: u64,
        flags: u32,
        gap: u32,
        size: u64,
    }
}

/// `sigaltstack`. The shim is on the caller's stack, so the kernel knows whether that is the one
/// in use.
pub(crate) fn sigaltstack(frame: &Frame) -> Outcome {
    let mut new = memory::read_if::<Stack32>(frame.argument(0))?.map(|stack| Stack64 {
        start: stack.start.into(),
        flags: stack.flags,
        gap: 0,
        size: stack.size.into(),
    });
    let mut old = Stack64::ZERO;
    native!(sigaltstack, place_if(&mut new), place(&mut old))?;
    let Stack64 { start, flags, size, .. } = old;
    let old = Stack32 { start: start as u32, flags, size: size as u32 };
    memory::write_if(frame.argument(1), old)?;
    Ok(0)
}

/// `signalfd`.
pub(crate) fn signalfd(frame: &Frame) -> Outcome {
    let mut mask = waiting_mask(frame.argument(1), frame.argument(2))?;
    native!(signalfd, frame.long(0), place_if(&mut mask), SET_SIZE)
}

/// `signalfd4`.
pub(crate) fn signalfd4(frame: &Frame) -> Outcome {
    let mut mask = waiting_mask(frame.argument(1), frame.argument(2))?;
    native!(signalfd4, frame.long(0), place_if(&mut mask), SET_SIZE, frame.long(3))
}
