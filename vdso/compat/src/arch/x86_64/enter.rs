// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! From 32-bit code to the shim and back.
//!
//! `__kernel_vsyscall` of the 32-bit image makes a far call to `compat_enter`. The processor pushes
//! the code segment and `eip`, 4 bytes each, and continues in 64-bit mode on the same stack. The
//! way back is a far return that pops the two.
//!
//! A signal can come between any two instructions. Its handler needs the 32-bit registers
//! ([`crate::delivery::interrupted`]); where these are depends on the place:
//!
//! - up to `compat_enter_end`: still in the registers. `r11` has the stack pointer from the second
//!   instruction on, and starting again at the first one is the same.
//! - up to `compat_leave`: in the frame, whose address is in `xmm15`.
//! - up to `compat_leave_far`: in the frame, and all that is left to do is to load them.
//! - at the far return: in the registers.
//!
//! # Invariants
//!
//! 1. No instruction here changes the flags between `popfq` and the far return.

#![expect(unsafe_code, reason = "defines an entry in assembly")]

use crate::call::Errno;
use crate::facts::Facts;
use crate::frame::Frame;
use crate::table;
use core::arch::global_asm;
use core::mem::offset_of;

/// Selector of the code segment of 32-bit programs (`__USER32_CS`).
pub(crate) const CODE_32: u16 = 0x23;
/// Selector of the code segment of 64-bit programs (`__USER_CS`).
pub(crate) const CODE_64: u16 = 0x33;
/// Selector of the data segment (`__USER_DS`).
pub(crate) const DATA: u16 = 0x2b;

global_asm!(
    ".pushsection .compat.head, \"ax\", @progbits",
    // `facts::Head`, which stands behind the page of facts.
    "    .long compat_enter - . + 4096",
    "    .long compat_start - . + 4096 + 4",
    "    .long compat_syscall - . + 4096 + 8",
    "    .long compat_clone_entry - . + 4096 + 12",
    "    .long compat_sigreturn - . + 4096 + 16",
    "    .long compat_entries_end - . + 4096 + 20",
    ".popsection",
    ".pushsection .compat.text, \"ax\", @progbits",
    ".balign 16",
    ".globl compat_enter, compat_enter_end, compat_saved, compat_leave, compat_leave_far",
    ".globl compat_leave_end",
    "compat_enter:",
    "    mov r11d, esp",
    "    lea rsp, [r11 - {size}]",
    "    and rsp, -16",
    "    mov [rsp + {eax}], eax",
    "    mov [rsp + {ebx}], ebx",
    "    mov [rsp + {ecx}], ecx",
    "    mov [rsp + {edx}], edx",
    "    mov [rsp + {esi}], esi",
    "    mov [rsp + {edi}], edi",
    "    mov [rsp + {ebp}], ebp",
    "    mov r10d, [r11]",
    "    mov [rsp + {eip}], r10d",
    "    lea r10d, [r11 + 8]",
    "    mov [rsp + {esp}], r10d",
    "    pushfq",
    "    pop r10",
    "    mov [rsp + {eflags}], r10d",
    "    cld",
    "    movq xmm15, rsp",
    "compat_enter_end:",
    "    movups [rsp + {vectors}], xmm0",
    "    movups [rsp + {vectors} + 16], xmm1",
    "    movups [rsp + {vectors} + 32], xmm2",
    "    movups [rsp + {vectors} + 48], xmm3",
    "    movups [rsp + {vectors} + 64], xmm4",
    "    movups [rsp + {vectors} + 80], xmm5",
    "    movups [rsp + {vectors} + 96], xmm6",
    "    movups [rsp + {vectors} + 112], xmm7",
    "compat_saved:",
    "    mov rdi, rsp",
    "    call compat_dispatch",
    "    movups xmm0, [rsp + {vectors}]",
    "    movups xmm1, [rsp + {vectors} + 16]",
    "    movups xmm2, [rsp + {vectors} + 32]",
    "    movups xmm3, [rsp + {vectors} + 48]",
    "    movups xmm4, [rsp + {vectors} + 64]",
    "    movups xmm5, [rsp + {vectors} + 80]",
    "    movups xmm6, [rsp + {vectors} + 96]",
    "    movups xmm7, [rsp + {vectors} + 112]",
    "    mov r10d, [rsp + {eflags}]",
    "    push r10",
    "    popfq",
    "compat_leave:",
    "    mov eax, [rsp + {eax}]",
    "    mov ebx, [rsp + {ebx}]",
    "    mov ecx, [rsp + {ecx}]",
    "    mov edx, [rsp + {edx}]",
    "    mov esi, [rsp + {esi}]",
    "    mov edi, [rsp + {edi}]",
    "    mov ebp, [rsp + {ebp}]",
    "    mov r11d, [rsp + {esp}]",
    "    mov r10d, [rsp + {eip}]",
    "    mov [r11 - 8], r10d",
    "    mov dword ptr [r11 - 4], {code}",
    "    lea rsp, [r11 - 8]",
    "compat_leave_far:",
    "    retf",
    "compat_leave_end:",
    // The loader jumps here with `rsp` at the words that the program finds on its stack, `edi` its
    // first instruction, and the process's handlers as it inherited them.
    "compat_start:",
    "    mov ebx, edi",
    "    mov ebp, esp",
    "    and rsp, -16",
    "    call compat_begin",
    "    mov eax, {data}",
    "    mov ds, eax",
    "    mov es, eax",
    "    xor eax, eax",
    "    mov fs, eax",
    "    mov gs, eax",
    "    wrfsbase rax",
    "    wrgsbase rax",
    "    fninit",
    "    push 0x1f80",
    "    ldmxcsr [rsp]",
    "    xorps xmm0, xmm0",
    "    xorps xmm1, xmm1",
    "    xorps xmm2, xmm2",
    "    xorps xmm3, xmm3",
    "    xorps xmm4, xmm4",
    "    xorps xmm5, xmm5",
    "    xorps xmm6, xmm6",
    "    xorps xmm7, xmm7",
    "    mov [rbp - 8], ebx",
    "    mov dword ptr [rbp - 4], {code}",
    "    lea rsp, [rbp - 8]",
    "    push 0x202",
    "    popfq",
    "    mov ebx, 0",
    "    mov ecx, 0",
    "    mov edx, 0",
    "    mov esi, 0",
    "    mov edi, 0",
    "    mov ebp, 0",
    "    retf",
    ".popsection",
    size = const size_of::<Frame>(),
    eax = const offset_of!(Frame, eax),
    ebx = const offset_of!(Frame, ebx),
    ecx = const offset_of!(Frame, ecx),
    edx = const offset_of!(Frame, edx),
    esi = const offset_of!(Frame, esi),
    edi = const offset_of!(Frame, edi),
    ebp = const offset_of!(Frame, ebp),
    esp = const offset_of!(Frame, esp),
    eip = const offset_of!(Frame, eip),
    eflags = const offset_of!(Frame, eflags),
    vectors = const offset_of!(Frame, vectors),
    code = const CODE_32,
    data = const DATA,
);

/// Makes the call that 32-bit code asks for.
///
/// # Safety
///
/// The entry calls it, with the frame that it has made.
// SAFETY: the name begins with this crate's own word.
#[unsafe(no_mangle)]
unsafe extern "C" fn compat_dispatch(frame: *mut Frame) {
    // SAFETY: the caller's contract: the frame is on this stack, and the entry waits.
    let frame = unsafe { &mut *frame };
    frame.eax = match table::dispatch(frame) {
        Ok(value) => value as u32,
        Err(error) => (-error) as u32,
    };
}

/// Prepares the process for its first 32-bit instruction.
///
/// # Safety
///
/// The start calls it, once.
// SAFETY: as above.
#[unsafe(no_mangle)]
unsafe extern "C" fn compat_begin() {
    crate::delivery::action::adopt();
    arm();
}

/// Lets the kernel dispatch system calls from outside of the entries, for this thread, if it does
/// so for the process.
pub(crate) fn arm() {
    const PR_SET_SYSCALL_USER_DISPATCH: u64 = 59;
    const ON: u64 = 1;
    let facts = facts();
    if facts.dispatch_size != 0 {
        let range = (facts.dispatch_start, facts.dispatch_size);
        // The loader has seen that the kernel can.
        let _: Result<isize, Errno> =
            crate::call::native!(prctl, PR_SET_SYSCALL_USER_DISPATCH, ON, range.0, range.1, 0);
    }
}

/// The process's facts.
pub(crate) fn facts() -> &'static Facts {
    let facts = core::ptr::with_exposed_provenance(super::place::facts() as usize);
    // SAFETY: the loader has filled the page, and nothing writes to it.
    unsafe { &*facts }
}

const _: () = assert!(size_of::<Facts>() <= crate::facts::FACTS_SIZE);
