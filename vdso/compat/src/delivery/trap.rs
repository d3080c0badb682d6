// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Instructions of 32-bit code that the kernel has no answer for, and the shim does.
//!
//! - `int $0x80`: without a gate, a protection fault; with one, a signal of Syscall User Dispatch.
//!   The context becomes that of a call of `__kernel_vsyscall`. So the call itself is made when the
//!   handler is done: with the program's signal mask, its stack and all of its registers.
//! - `syscall` of 64-bit code, where Syscall User Dispatch takes it: the kernel's own 64-bit image
//!   makes a call when it cannot read a clock, and a program may have such code. The shim makes it.
//! - `mov` to `fs` or `gs` of a selector that `set_thread_area` has given out, for which the
//!   kernel's table has no descriptor. The register gets the data segment, and keeps the base that
//!   `set_thread_area` has set.

use super::action::{SIGSEGV, SIGSYS};
use super::frame::Context;
use super::info::SYS_USER_DISPATCH;
use crate::arch::{self, CODE_32, CODE_64, Segment, place};
use crate::call::call;
use crate::memory;
use crate::native::area;

/// The processor's number for a protection fault.
const TRAP_PROTECTION: u64 = 13;
/// `int $0x80`.
const INT_80: [u8; 2] = [0xcd, 0x80];

/// Answers it; whether it was one.
pub(crate) fn answer(signal: u32, code: i32, context: &mut Context) -> bool {
    if context.cs == CODE_64 && signal == SIGSYS && code == SYS_USER_DISPATCH {
        context.rax = repeated(context);
        return true;
    }
    if context.cs != CODE_32 {
        return false;
    }
    let eip = context.rip as u32;
    match signal {
        SIGSYS if code == SYS_USER_DISPATCH => enter(context, eip),
        SIGSEGV if context.trap == TRAP_PROTECTION => match memory::read::<[u8; 2]>(eip) {
            Ok(INT_80) => enter(context, eip.wrapping_add(2)),
            Ok([0x66, 0x8e]) => {
                memory::read(eip.wrapping_add(2)).is_ok_and(|operand| load(context, operand, 3))
            }
            Ok([0x8e, operand]) => load(context, operand, 2),
            _ => false,
        },
        _ => false,
    }
}

/// Makes the call of 64-bit code that the kernel has not made; what the code finds in `rax`.
fn repeated(context: &Context) -> u64 {
    let [r8, r9, r10, ..] = context.upper;
    let arguments = [context.rdi, context.rsi, context.rdx, r10, r8, r9];
    match call(context.rax as u32, arguments) {
        Ok(value) => value as u64,
        Err(error) => (-error) as u64,
    }
}

/// Makes the context a jump to the shim that returns to `eip`.
fn enter(context: &mut Context, eip: u32) -> bool {
    let stack = (context.rsp as u32).wrapping_sub(4);
    if memory::write(stack, eip).is_err() {
        return false;
    }
    context.rsp = stack.into();
    context.rip = place::enter();
    context.cs = CODE_64;
    true
}

/// Loads a selector from a register, and skips the instruction.
fn load(context: &mut Context, operand: u8, len: u64) -> bool {
    let segment = match operand >> 3 & 7 {
        4 => Segment::Fs,
        5 => Segment::Gs,
        _ => return false,
    };
    let registers = [
        context.rax,
        context.rcx,
        context.rdx,
        context.rbx,
        context.rsp,
        context.rbp,
        context.rsi,
        context.rdi,
    ];
    let is_register = operand >> 6 == 3;
    let Some(selector) = registers.get(usize::from(operand & 7)).filter(|_| is_register) else {
        return false;
    };
    let Some(home) = area::of_selector(*selector as u16) else { return false };
    if home != segment {
        arch::set_base(segment, arch::base_of(home));
    }
    arch::set_selector(segment);
    context.rip += len;
    true
}
