// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! `sigreturn`: back from a 32-bit handler.

#![expect(unsafe_code, reason = "continues at the kernel's frame")]

use super::action::{self, SIGSEGV};
use super::die;
use super::frame::{
    Context, Context32, FRAME_SIZE, FpState32, Frame32, Link, MAGIC, RtFrame32, VECTORS_AT,
    VISIBLE_WORDS,
};
use super::interrupted::{self, Place, Registers};
use crate::arch;
use crate::call::Outcome;
use crate::memory;
use liblinux_abi::kernel::errno::EFAULT;

/// `sigreturn` of a handler without `SA_SIGINFO`, whose restorer has taken the signal's number
/// from the stack.
pub(crate) fn sigreturn(esp: u32) -> Outcome {
    let frame = esp.wrapping_sub(8);
    let at = |offset: usize| frame.wrapping_add(offset as u32);
    let context = memory::read::<Context32>(at(core::mem::offset_of!(Frame32, context)));
    let extra = memory::read::<u32>(at(core::mem::offset_of!(Frame32, extra_mask)));
    match (context, extra) {
        (Ok(context), Ok(extra)) => {
            let mask = u64::from(context.old_mask) | u64::from(extra) << 32;
            resume(frame, &context, mask)
        }
        _ => bad_frame(),
    }
}

/// `rt_sigreturn`.
pub(crate) fn rt_sigreturn(esp: u32) -> Outcome {
    let frame = esp.wrapping_sub(4);
    let at = |offset: usize| frame.wrapping_add(offset as u32);
    let context = memory::read::<Context32>(at(core::mem::offset_of!(RtFrame32, head.context)));
    let mask = memory::read::<u64>(at(core::mem::offset_of!(RtFrame32, head.mask)));
    match (context, mask) {
        (Ok(context), Ok(mask)) => resume(frame, &context, mask),
        _ => bad_frame(),
    }
}

/// Continues at the kernel's frame, with what the handler has changed.
fn resume(frame: u32, changed: &Context32, mask: u64) -> Outcome {
    let link = memory::read::<Link>(frame.wrapping_add(FRAME_SIZE as u32));
    let Ok(Link { magic: MAGIC, context: address }) = link else { return bad_frame() };
    let Ok(mut context) = memory::read::<Context>(address) else { return bad_frame() };
    let (registers, place) = interrupted::registers(&mut context);
    let wanted = Registers::of_handler(changed);
    let vectors = match place {
        Place::Between => None,
        Place::Shim(_) if wanted == registers => None,
        Place::Shim(vectors) => {
            wanted.put(&mut context);
            vectors
        }
        Place::Program => {
            wanted.put(&mut context);
            None
        }
    };
    context.mask = action::blockable(mask);
    let fpstate = context.fpstate as u32;
    let written = if changed.fpstate == 0 || fpstate == 0 {
        Ok(())
    } else {
        let from = changed.fpstate.wrapping_add((size_of::<FpState32>() - 512) as u32);
        memory::read::<[u32; VISIBLE_WORDS]>(from).and_then(|words| memory::write(fpstate, words))
    };
    let restored =
        vectors.map_or(Ok(()), |all| memory::write(fpstate.wrapping_add(VECTORS_AT), all));
    if written.and(restored).and(memory::write(address, context)).is_err() {
        return bad_frame();
    }
    // SAFETY: the link, which the shim has written, leads to the kernel's frame.
    unsafe { arch::leave(u64::from(address)) }
}

/// The frame is lost: the kernel's answer is `SIGSEGV`, which cannot be handled.
fn bad_frame() -> Outcome {
    die(SIGSEGV, 0);
    Err(EFAULT)
}
