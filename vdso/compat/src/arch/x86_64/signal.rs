// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! From a signal of the kernel to a 32-bit handler, and back.
//!
//! The kernel starts one of eight entries, which differ in the number that they hand on: three bits
//! of the program's flags ([`crate::delivery::action`]). The stack's top is where a restorer's
//! address stands; here it is the program's handler and restorer. Below it the entry makes room for
//! the 32-bit frame.

#![expect(unsafe_code, reason = "defines functions in assembly")]

use super::enter::far_jump;
use crate::delivery::frame::{Launch, Room};
use crate::facts::Facts;
use core::arch::{global_asm, naked_asm};
use core::mem::offset_of;

global_asm!(
    ".pushsection .compat.text, \"ax\", @progbits",
    ".balign 16",
    ".globl compat_handler",
    "compat_handler:",
    ".irp variant, 0, 1, 2, 3, 4, 5, 6, 7",
    "    mov ecx, \\variant",
    "    jmp compat_signal",
    "    .balign 16",
    ".endr",
    // (signal, information, context, variant)
    "compat_signal:",
    "    mov r8, [rsp]",
    "    lea rsp, [rsp - {size} + 8]",
    "    and rsp, -16",
    "    mov r9, rsp",
    "    push rdx",
    "    push rdx",
    "    call compat_deliver",
    "    pop rdi",
    "    pop rdi",
    "    test eax, eax",
    "    jz compat_resume",
    "    mov eax, [rsp + {eax}]",
    "    mov edx, [rsp + {edx}]",
    "    mov ecx, [rsp + {ecx}]",
    "    mov r11d, [rsp + {esp}]",
    "    mov r10d, [rsp + {eip}]",
    "    mov [r11 - 8], r10d",
    "    mov dword ptr [r11 - 4], {code}",
    "    mov esp, r11d",
    "    xor ebx, ebx",
    "    xor esi, esi",
    "    xor edi, edi",
    "    xor ebp, ebp",
    far_jump!(),
    // (context): continues there
    ".globl compat_resume",
    "compat_resume:",
    "    mov rsp, rdi",
    "    jmp qword ptr [rip + compat_facts + {sigreturn}]",
    ".popsection",
    size = const size_of::<Room>(),
    eax = const offset_of!(Launch, eax),
    edx = const offset_of!(Launch, edx),
    ecx = const offset_of!(Launch, ecx),
    esp = const offset_of!(Launch, esp),
    eip = const offset_of!(Launch, eip),
    code = const super::enter::CODE_32,
    sigreturn = const offset_of!(Facts, sigreturn),
);

/// Lets the kernel continue at a context.
///
/// # Safety
///
/// The kernel must have made the context, as a part of a signal frame.
#[unsafe(naked)]
pub(crate) unsafe extern "C" fn leave(context: u64) -> ! {
    naked_asm!("jmp compat_resume")
}
