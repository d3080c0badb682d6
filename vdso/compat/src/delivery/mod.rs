// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Signals: from the kernel's 64-bit frame to a 32-bit handler, and back by `sigreturn`.
//!
//! The kernel interrupts a thread with a 64-bit frame on the program's own stack, or on its
//! alternate one. Below it the shim puts the frame that an i386 kernel would have made, and starts
//! the 32-bit handler. The 32-bit frame is followed by the address of the kernel's. `sigreturn`
//! takes what the handler has changed over into the kernel's frame, and lets the kernel continue
//! there.
//!
//! A thread that is interrupted inside of the shim, as in a call that waits, shows its handler the
//! registers with which it has made the call. If the handler leaves them as they are, the shim
//! continues where it was: a call that is to be restarted is. If the handler changes them, the
//! shim's work is dropped, and 32-bit code continues with the changed ones.
//!
//! # Invariants
//!
//! 1. A context that [`interrupted::registers`] has seen gives the same answer when it is seen
//!    again: that decides whether a handler has changed anything.

#![expect(unsafe_code, reason = "is entered from the kernel's frame")]

pub(crate) mod action;
pub(crate) mod frame;
pub(crate) mod info;
mod interrupted;
pub(crate) mod resume;
mod trap;

use crate::arch::{self, CODE_32, DATA, Segment, facts, place};
use crate::call::{Outcome, native};
use crate::memory;
use action::{DEFAULT, IGNORE, SIGBUS, SIGSEGV, Variant};
use frame::{
    Context, Context32, FRAME_SIZE, FpState32, Frame32, Launch, Link, MAGIC, Room, RtFrame32,
    RtFrameHead,
};
use info::Words;
use interrupted::Registers;

/// Takes a signal of the kernel; whether a 32-bit handler is to be started. Otherwise the thread
/// continues where the context says.
///
/// # Safety
///
/// The entry calls it, with the places in the kernel's frame and the room below that.
// SAFETY: the name begins with this crate's own word.
#[unsafe(no_mangle)]
unsafe extern "C" fn compat_deliver(
    signal: u32,
    info: *const Words,
    context: *mut Context,
    variant: u32,
    packed: u64,
    room: *mut Room,
) -> u32 {
    // SAFETY: the kernel has written it in its frame, which nothing else uses.
    let info = unsafe { &*info };
    // SAFETY: as above.
    let context = unsafe { &mut *context };
    // SAFETY: the entry has made room.
    let room = unsafe { &mut *room };
    let code = info[2].cast_signed();
    if matches!(signal, SIGSEGV | SIGBUS)
        && context.cs != CODE_32
        && (place::copy()..place::copy_end()).contains(&context.rip)
    {
        context.rip = place::copy_fault();
        return 0;
    }
    if trap::answer(signal, code, context) {
        return 0;
    }
    let (handler, restorer) = (packed as u32, (packed >> 32) as u32);
    match handler {
        // Sent by a process.
        IGNORE if code <= 0 => 0,
        DEFAULT | IGNORE => {
            die(signal, code);
            0
        }
        _ => {
            let variant = Variant(variant);
            if action::is_own(signal) && variant.is_once() {
                action::set_default(signal);
            }
            launch(signal, info, context, variant, [handler, restorer], room).into()
        }
    }
}

/// Takes the default action of a signal that ends the process.
fn die(signal: u32, code: i32) {
    action::reset(signal);
    // A fault comes again when the instruction is executed again.
    if (code <= 0 || signal == action::SIGSYS)
        && let (Ok(process), Ok(thread)) = (native!(getpid), native!(gettid))
    {
        let _ = native!(tgkill, process, thread, signal);
    }
}

/// Makes the 32-bit frame.
fn launch(
    signal: u32,
    info: &Words,
    context: &mut Context,
    variant: Variant,
    [handler, restorer]: [u32; 2],
    room: &mut Room,
) -> bool {
    let (registers, _) = interrupted::registers(context);
    let esp = room.frame();
    let has_info = variant.has_info();
    let restorer = match (restorer, has_info) {
        (0, true) => facts().kernel_rt_sigreturn,
        (0, false) => facts().kernel_sigreturn,
        (restorer, _) => restorer,
    };
    let info = info::narrow(info);
    let made = if has_info {
        rt_frame(signal, &info, context, &registers, restorer, esp)
    } else {
        plain_frame(signal, context, &registers, restorer, esp)
    };
    let address = memory::place(context) as u32;
    let link = Link { magic: MAGIC, context: address };
    if made.is_err() || memory::write(esp + FRAME_SIZE as u32, link).is_err() {
        return false;
    }
    let at = |offset: usize| if has_info { esp + offset as u32 } else { 0 };
    room.launch = Launch {
        eip: handler,
        esp,
        eax: signal,
        edx: at(core::mem::offset_of!(RtFrame32, head.info)),
        ecx: at(core::mem::offset_of!(RtFrame32, head.flags)),
    };
    true
}

/// The frame of a handler with `SA_SIGINFO`.
fn rt_frame(
    signal: u32,
    info: &Words,
    context: &Context,
    registers: &Registers,
    restorer: u32,
    esp: u32,
) -> Outcome {
    let at = |offset: usize| esp + offset as u32;
    let fpstate = fp_state(context, at(core::mem::offset_of!(RtFrame32, fpstate)))?;
    memory::write(
        esp,
        RtFrameHead {
            restorer,
            signal,
            info_at: at(core::mem::offset_of!(RtFrame32, head.info)),
            context_at: at(core::mem::offset_of!(RtFrame32, head.flags)),
            info: *info,
            flags: 0,
            link: 0,
            stack: [context.stack_start, context.stack_flags, context.stack_size]
                .map(|value| value as u32),
            context: context32(context, registers, fpstate),
            mask: [context.mask as u32, (context.mask >> 32) as u32],
            code: [0; 2],
        },
    )?;
    Ok(0)
}

/// The frame of a handler without `SA_SIGINFO`.
fn plain_frame(
    signal: u32,
    context: &Context,
    registers: &Registers,
    restorer: u32,
    esp: u32,
) -> Outcome {
    let at = |offset: usize| esp + offset as u32;
    let fpstate = fp_state(context, at(core::mem::offset_of!(Frame32, fpstate)))?;
    memory::write(esp, [restorer, signal])?;
    let place = at(core::mem::offset_of!(Frame32, context));
    memory::write(place, context32(context, registers, fpstate))?;
    let extra = at(core::mem::offset_of!(Frame32, extra_mask));
    memory::write(extra, [(context.mask >> 32) as u32, 0, 0])?;
    Ok(0)
}

/// Writes the state of the floating-point unit; its address, or 0 if there is none.
fn fp_state(context: &Context, address: u32) -> Result<u32, isize> {
    if context.fpstate == 0 {
        return Ok(0);
    }
    let extended = memory::read::<[u32; 128]>(context.fpstate as u32)?;
    memory::write(address, FpState32::of(extended))?;
    Ok(address)
}

fn context32(context: &Context, registers: &Registers, fpstate: u32) -> Context32 {
    Context32 {
        gs: arch::selector_of(Segment::Gs).into(),
        fs: arch::selector_of(Segment::Fs).into(),
        es: DATA.into(),
        ds: DATA.into(),
        edi: registers.edi,
        esi: registers.esi,
        ebp: registers.ebp,
        esp: registers.esp,
        ebx: registers.ebx,
        edx: registers.edx,
        ecx: registers.ecx,
        eax: registers.eax,
        trap: context.trap as u32,
        error: context.error as u32,
        eip: registers.eip,
        cs: CODE_32.into(),
        eflags: registers.eflags,
        esp_at_signal: registers.esp,
        ss: DATA.into(),
        fpstate,
        old_mask: context.mask as u32,
        fault_address: context.fault_address as u32,
    }
}
