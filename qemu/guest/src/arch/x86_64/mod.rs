//! x86-64: the bare `syscall` instruction, and a call that sees every register.
//!
//! An entry of the image promises to preserve every register but rax, rcx, r10 and r11. A compiler
//! only relies on less than that, so a violation shows up in no ordinary program; [`call`] fills
//! the other registers with values that it can recognize, the vector registers and the status flags
//! too, calls, and stores what it finds.
//!
//! # Invariants
//!
//! 1. [`call`] does not depend on the entry preserving anything: between the call and the restored
//!    stack pointer it uses only memory that is addressed relative to rip.
//! 2. One thread of a process is inside [`call`] at a time: that memory is shared. The sweep's
//!    children have one thread.

#![expect(unsafe_code, reason = "system calls and foreign functions are called with raw arguments")]

use std::arch::{asm, global_asm};
use std::mem::offset_of;
use std::sync::atomic::AtomicU8;
use std::sync::atomic::Ordering::Relaxed;

/// What the registers must hold before the call and what they held after it.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Frame {
    /// rdi, rsi, rdx, rcx, r8, r9 at the entry.
    pub(crate) arguments: [u64; 6],
    /// rax after the return.
    pub(crate) result: i64,
    /// rdi, rsi, rdx, r8, r9 after the return.
    arguments_after: [u64; 5],
    /// rbx, rbp, r12, r13, r14, r15 after the return.
    saved_after: [u64; 6],
    /// rsp before the call and after the return.
    stack: [u64; 2],
    /// rflags after the return.
    flags_after: u64,
    /// xmm0 to xmm15 after the return; ymm0 to ymm15 where there are such.
    vectors_after: [[u64; 4]; VECTORS],
}

/// Vector registers.
const VECTORS: usize = 16;

/// The carry, parity, auxiliary carry, zero, sign and overflow flags, which are all set before the
/// call.
const STATUS_BITS: u64 = 0x8d5;

/// What [`Frame::clobbered`] calls them.
pub(crate) const STATUS_FLAGS: &str = "status flags";

/// The direction flag, which is clear.
const DIRECTION_BIT: u64 = 0x400;

/// What the vector registers hold during the call.
static VECTORS_BEFORE: [[u64; 4]; VECTORS] = {
    let mut vectors = [[0; 4]; VECTORS];
    let mut word = 0;
    while word < VECTORS * 4 {
        vectors[word / 4][word % 4] = 0x5a5a_0000_0000_5a5a | (word as u64) << 24;
        word += 1;
    }
    vectors
};

/// One if the vector registers are 32 bytes wide.
static IS_WIDE: AtomicU8 = AtomicU8::new(0);

/// What rbx, rbp, r12, r13, r14 and r15 hold during the call: not canonical addresses, so that a
/// use of one faults.
const MARKS: [u64; 6] = [
    0x5a5a_0000_0000_00b1,
    0x5a5a_0000_0000_00b2,
    0x5a5a_0000_0000_00b3,
    0x5a5a_0000_0000_00b4,
    0x5a5a_0000_0000_00b5,
    0x5a5a_0000_0000_00b6,
];

impl Frame {
    /// A frame for a call with these arguments.
    pub(crate) fn new(arguments: [u64; 6]) -> Self {
        Self { arguments, ..Self::default() }
    }

    /// The registers that the call should have preserved and did not; the status flags are one of
    /// them.
    pub(crate) fn clobbered(&self) -> impl Iterator<Item = String> {
        let [rdi, rsi, rdx, _, r8, r9] = self.arguments;
        let arguments = ["rdi", "rsi", "rdx", "r8", "r9"]
            .into_iter()
            .zip([rdi, rsi, rdx, r8, r9].into_iter().zip(self.arguments_after));
        let saved = ["rbx", "rbp", "r12", "r13", "r14", "r15"]
            .into_iter()
            .zip(MARKS.into_iter().zip(self.saved_after));
        let stack = [("rsp", (self.stack[0], self.stack[1]))];
        let flags = [
            (STATUS_FLAGS, (STATUS_BITS, self.flags_after & STATUS_BITS)),
            ("direction flag", (0, self.flags_after & DIRECTION_BIT)),
        ];
        arguments
            .chain(saved)
            .chain(stack)
            .chain(flags)
            .filter(|(_, (before, after))| before != after)
            .map(|(name, _)| name.to_owned())
            .chain(self.clobbered_vectors().map(|index| format!("vector register {index}")))
    }

    /// The vector registers that do not hold what they did.
    fn clobbered_vectors(&self) -> impl Iterator<Item = usize> {
        let words = if IS_WIDE.load(Relaxed) == 1 { 4 } else { 2 };
        let pairs = VECTORS_BEFORE.iter().zip(&self.vectors_after).enumerate();
        pairs
            .filter(move |(_, (before, after))| before[..words] != after[..words])
            .map(|(index, _)| index)
    }
}

/// Makes the system call `number` with the bare instruction; returns rax.
///
/// # Safety
///
/// The call must be one that leaves this process's memory and threads in a state that Rust can live
/// with.
pub(crate) unsafe fn syscall(number: u32, arguments: [u64; 6]) -> i64 {
    let [a, b, c, d, e, f] = arguments;
    let result: i64;
    // SAFETY: the instruction clobbers rcx and r11 and returns in rax; what the kernel does is the
    // caller's contract.
    unsafe {
        asm!(
            "syscall",
            inlateout("rax") i64::from(number) => result,
            in("rdi") a, in("rsi") b, in("rdx") c, in("r10") d, in("r8") e, in("r9") f,
            lateout("rcx") _, lateout("r11") _,
            options(nostack),
        );
    }
    result
}

/// Calls the C function at `entry` as `frame` says and notes in it what came back.
///
/// # Safety
///
/// `entry` must be the address of a function of up to six integer arguments that returns; the call
/// must be as harmless as for [`syscall`]; no other thread may be in this function.
pub(crate) unsafe fn call(entry: usize, frame: &mut Frame) {
    IS_WIDE.store(u8::from(is_x86_feature_detected!("avx")), Relaxed);
    // SAFETY: `observed_call` has this signature, and follows the C calling convention towards us
    // whatever the entry does to the registers (invariant 1); the rest is the caller's contract.
    unsafe { observed_call(entry, frame) }
}

unsafe extern "C" {
    #[link_name = "liblinux_guest_observed_call"]
    fn observed_call(entry: usize, frame: *mut Frame);
}

global_asm!(
    ".local liblinux_guest_frame",
    ".comm liblinux_guest_frame, 8, 8",
    ".local liblinux_guest_result",
    ".comm liblinux_guest_result, 8, 8",
    ".local liblinux_guest_stack",
    ".comm liblinux_guest_stack, 8, 8",
    ".pushsection .text.liblinux_guest_observed_call, \"ax\", @progbits",
    ".p2align 4",
    ".type liblinux_guest_observed_call, @function",
    ".globl liblinux_guest_observed_call",
    ".hidden liblinux_guest_observed_call",
    "liblinux_guest_observed_call:",
    ".cfi_startproc",
    "push rbx",
    ".cfi_adjust_cfa_offset 8",
    ".cfi_rel_offset rbx, 0",
    "push rbp",
    ".cfi_adjust_cfa_offset 8",
    ".cfi_rel_offset rbp, 0",
    "push r12",
    ".cfi_adjust_cfa_offset 8",
    ".cfi_rel_offset r12, 0",
    "push r13",
    ".cfi_adjust_cfa_offset 8",
    ".cfi_rel_offset r13, 0",
    "push r14",
    ".cfi_adjust_cfa_offset 8",
    ".cfi_rel_offset r14, 0",
    "push r15",
    ".cfi_adjust_cfa_offset 8",
    ".cfi_rel_offset r15, 0",
    // Six pushes and the return address: eight more bytes align the stack for the call.
    "sub rsp, 8",
    ".cfi_adjust_cfa_offset 8",
    "mov [rip + liblinux_guest_frame], rsi",
    "mov [rip + liblinux_guest_stack], rsp",
    "mov [rsi + {stack}], rsp",
    "mov r11, rdi",
    "lea rax, [rip + {vectors_before}]",
    "cmp byte ptr [rip + {is_wide}], 0",
    "jne 2f",
    ".irp vector, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15",
    "movdqu xmm\\vector, [rax + 32 * \\vector]",
    ".endr",
    "jmp 3f",
    "2:",
    ".irp vector, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15",
    "vmovdqu ymm\\vector, [rax + 32 * \\vector]",
    ".endr",
    "3:",
    "mov rax, rsi",
    "mov rdi, [rax + {arguments}]",
    "mov rsi, [rax + {arguments} + 8]",
    "mov rdx, [rax + {arguments} + 16]",
    "mov rcx, [rax + {arguments} + 24]",
    "mov r8, [rax + {arguments} + 32]",
    "mov r9, [rax + {arguments} + 40]",
    "movabs rbx, {mark0}",
    "movabs rbp, {mark1}",
    "movabs r12, {mark2}",
    "movabs r13, {mark3}",
    "movabs r14, {mark4}",
    "movabs r15, {mark5}",
    "push {status_flags}",
    ".cfi_adjust_cfa_offset 8",
    "popfq",
    ".cfi_adjust_cfa_offset -8",
    "call r11",
    "mov [rip + liblinux_guest_result], rax",
    "mov rax, [rip + liblinux_guest_frame]",
    "mov [rax + {arguments_after}], rdi",
    "mov [rax + {arguments_after} + 8], rsi",
    "mov [rax + {arguments_after} + 16], rdx",
    "mov [rax + {arguments_after} + 24], r8",
    "mov [rax + {arguments_after} + 32], r9",
    "mov [rax + {saved_after}], rbx",
    "mov [rax + {saved_after} + 8], rbp",
    "mov [rax + {saved_after} + 16], r12",
    "mov [rax + {saved_after} + 24], r13",
    "mov [rax + {saved_after} + 32], r14",
    "mov [rax + {saved_after} + 40], r15",
    "mov [rax + {stack} + 8], rsp",
    "mov rsp, [rip + liblinux_guest_stack]",
    // Nothing above has changed the flags.
    "pushfq",
    ".cfi_adjust_cfa_offset 8",
    "pop rcx",
    ".cfi_adjust_cfa_offset -8",
    "cld",
    "mov [rax + {flags_after}], rcx",
    "lea rdx, [rax + {vectors_after}]",
    "cmp byte ptr [rip + {is_wide}], 0",
    "jne 2f",
    ".irp vector, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15",
    "movdqu [rdx + 32 * \\vector], xmm\\vector",
    ".endr",
    "jmp 3f",
    "2:",
    ".irp vector, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15",
    "vmovdqu [rdx + 32 * \\vector], ymm\\vector",
    ".endr",
    "vzeroupper",
    "3:",
    "mov rcx, [rip + liblinux_guest_result]",
    "mov [rax + {result}], rcx",
    "add rsp, 8",
    ".cfi_adjust_cfa_offset -8",
    "pop r15",
    ".cfi_adjust_cfa_offset -8",
    ".cfi_restore r15",
    "pop r14",
    ".cfi_adjust_cfa_offset -8",
    ".cfi_restore r14",
    "pop r13",
    ".cfi_adjust_cfa_offset -8",
    ".cfi_restore r13",
    "pop r12",
    ".cfi_adjust_cfa_offset -8",
    ".cfi_restore r12",
    "pop rbp",
    ".cfi_adjust_cfa_offset -8",
    ".cfi_restore rbp",
    "pop rbx",
    ".cfi_adjust_cfa_offset -8",
    ".cfi_restore rbx",
    "ret",
    ".cfi_endproc",
    ".size liblinux_guest_observed_call, . - liblinux_guest_observed_call",
    ".popsection",
    arguments = const offset_of!(Frame, arguments),
    arguments_after = const offset_of!(Frame, arguments_after),
    saved_after = const offset_of!(Frame, saved_after),
    stack = const offset_of!(Frame, stack),
    flags_after = const offset_of!(Frame, flags_after),
    vectors_after = const offset_of!(Frame, vectors_after),
    status_flags = const STATUS_BITS,
    vectors_before = sym VECTORS_BEFORE,
    is_wide = sym IS_WIDE,
    result = const offset_of!(Frame, result),
    mark0 = const MARKS[0],
    mark1 = const MARKS[1],
    mark2 = const MARKS[2],
    mark3 = const MARKS[3],
    mark4 = const MARKS[4],
    mark5 = const MARKS[5],
);

#[cfg(test)]
mod tests;
