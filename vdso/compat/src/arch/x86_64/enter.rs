// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! From 32-bit code to the shim and back.
//!
//! `__kernel_vsyscall` of the 32-bit image makes a far jump to `compat_enter`. The processor
//! continues in 64-bit mode on the same stack, whose top is where `__kernel_vsyscall` was called.
//! The way back is a far jump to that place, by 8 bytes below the stack pointer. A far return would
//! take longer.
//!
//! Most calls of the i386 table are calls of the 64-bit one with the same arguments. For these the
//! entry finds the number in a table and makes the call itself. No vector register is used on the
//! way, so none is saved.
//!
//! A signal can come between any two instructions. Its handler needs the 32-bit registers
//! ([`crate::delivery::interrupted`]); where these are depends on the place:
//!
//! - up to `compat_enter_end`: still in the registers. `r11` has the stack pointer from the second
//!   instruction on, and `r10` the flags from `compat_enter_flags` on. With these, starting again
//!   at the first instruction is the same.
//! - up to `compat_leave`: in the frame, whose address is in `xmm15`.
//! - up to `compat_leave_far`: in the frame, and all that is left to do is to load them.
//! - at the far jump: in the registers, but for `eip`, which is below the stack pointer.
//!
//! # Invariants
//!
//! 1. No instruction changes the flags between `compat_leave` and the far jump.
//! 2. The shim changes no flag but the six arithmetic ones and the direction, so these alone are
//!    restored. `popfq` would take longer.
//! 3. A signal's frame keeps the 128 bytes below the stack pointer of 64-bit code (the psABI's red
//!    zone), so `eip` is still there when the far jump is made.

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

/// Jumps to the code segment and the address that are in the 8 bytes below the stack pointer:
/// `jmp fword ptr [rsp - 8]`.
macro_rules! far_jump {
    () => {
        "    .byte 0xff, 0x6c, 0x24, 0xf8"
    };
}
pub(super) use far_jump;

/// For each number of the i386 table the 64-bit call that takes the same arguments.
static SAME: [u16; table::END as usize] = table::same(NOT_SAME);
/// No such call.
const NOT_SAME: u16 = u16::MAX;

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
    ".globl compat_enter, compat_enter_flags, compat_enter_end",
    ".globl compat_leave, compat_leave_far, compat_leave_end",
    "compat_enter:",
    "    mov r11d, esp",
    "    mov esp, r11d",
    "    pushfq",
    "    pop r10",
    "compat_enter_flags:",
    "    lea rsp, [r11 - {size}]",
    "    and rsp, -16",
    "    mov [rsp + {eflags}], r10d",
    "    mov [rsp + {eax}], eax",
    "    mov [rsp + {ebx}], ebx",
    "    mov [rsp + {ecx}], ecx",
    "    mov [rsp + {edx}], edx",
    "    mov [rsp + {esi}], esi",
    "    mov [rsp + {edi}], edi",
    "    mov [rsp + {ebp}], ebp",
    "    mov r9d, [r11]",
    "    mov [rsp + {eip}], r9d",
    "    lea r9d, [r11 + 4]",
    "    mov [rsp + {esp}], r9d",
    "    mov dword ptr [rsp + {has_vectors}], 0",
    "    cld",
    "    movq xmm15, rsp",
    "compat_enter_end:",
    "    cmp eax, {calls}",
    "    jae 2f",
    "    mov eax, eax",
    "    lea r11, [rip + {same}]",
    "    movzx edi, word ptr [r11 + 2 * rax]",
    "    cmp edi, {not_same}",
    "    je 2f",
    // The arguments of `Facts::syscall`; those of the program are in ebx, ecx, edx, esi, edi, ebp.
    "    mov r8d, esi",
    "    mov esi, ebx",
    "    mov r9d, [rsp + {edi}]",
    "    mov r10d, ecx",
    "    mov ecx, edx",
    "    mov edx, r10d",
    "    mov ebp, ebp",
    "    push rbp",
    "    call qword ptr [rip + compat_facts + {syscall}]",
    "    pop rbp",
    "    mov [rsp + {eax}], eax",
    "    jmp 3f",
    "2:  movups [rsp + {vectors}], xmm0",
    "    movups [rsp + {vectors} + 16], xmm1",
    "    movups [rsp + {vectors} + 32], xmm2",
    "    movups [rsp + {vectors} + 48], xmm3",
    "    movups [rsp + {vectors} + 64], xmm4",
    "    movups [rsp + {vectors} + 80], xmm5",
    "    movups [rsp + {vectors} + 96], xmm6",
    "    movups [rsp + {vectors} + 112], xmm7",
    "    mov dword ptr [rsp + {has_vectors}], 1",
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
    "3:  mov eax, [rsp + {eflags}]",
    "    test eax, {direction}",
    "    jnz 5f",
    // 0x7f + 1 overflows; `sahf` loads the other five.
    "4:  shr eax, {overflow_at}",
    "    and eax, 1",
    "    add al, 0x7f",
    "    mov ah, [rsp + {eflags}]",
    "    sahf",
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
    "    mov esp, r11d",
    "compat_leave_far:",
    far_jump!(),
    "compat_leave_end:",
    "5:  std",
    "    jmp 4b",
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
    "    mov esp, ebp",
    "    mov ebx, 0",
    "    mov ecx, 0",
    "    mov edx, 0",
    "    mov esi, 0",
    "    mov edi, 0",
    "    mov ebp, 0",
    far_jump!(),
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
    has_vectors = const offset_of!(Frame, has_vectors),
    vectors = const offset_of!(Frame, vectors),
    calls = const SAME.len(),
    same = sym SAME,
    not_same = const NOT_SAME,
    syscall = const offset_of!(Facts, syscall),
    direction = const 1 << 10,
    overflow_at = const 11,
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
