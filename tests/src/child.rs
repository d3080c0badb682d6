//! Children made through an entry of the image.
//!
//! A call that makes a child returns twice, and compiled code cannot be asked to survive that. So
//! the call is made in assembly: the parent returns to Rust, the child calls a function that never
//! returns.
//!
//! # Invariants
//!
//! 1. The child finds its way with `rbx` alone, so it works on whatever stack the call gave it.
//! 2. The child's function uses no thread-local storage (it shares the parent's).

#![expect(unsafe_code, reason = "makes calls that return twice")]

use std::arch::naked_asm;
use std::mem::offset_of;

/// What a child runs, never to return.
pub type Main = extern "C" fn(*const ()) -> !;

/// A call that makes a child.
#[derive(Debug)]
#[repr(C)]
pub struct Spawn {
    /// The entry to call.
    pub entry: usize,
    /// Its arguments.
    pub arguments: [usize; 5],
    /// What the child runs.
    pub main: Main,
    /// The argument of `main`.
    pub argument: *const (),
    /// Filled in by the child: its registers `rdi`, `rsi`, `rdx`, `r8`, `rbp`, `r12` to `r15`, and
    /// `rsp`, as it found them.
    pub found: [usize; 10],
}

/// What the trampoline puts into `rbp` and `r12` to `r15` before the call.
pub const MARKS: [usize; 5] = [0xb9, 0x12, 0x13, 0x14, 0x15];

impl Spawn {
    /// Makes the child and returns what the parent's call returned.
    ///
    /// # Safety
    ///
    /// The entry and its arguments must make a child whose memory and stack `main` can work with.
    pub unsafe fn call(&mut self) -> isize {
        // SAFETY: the caller's contract.
        unsafe { trampoline(self) }
    }
}

/// Loads the arguments, calls the entry, and sends the child to its function. Returns `-1000` if
/// the parent's registers were changed.
#[unsafe(naked)]
unsafe extern "C" fn trampoline(spawn: &mut Spawn) -> isize {
    naked_asm!(
        "push rbx",
        "push rbp",
        "push r12",
        "push r13",
        "push r14",
        "push r15",
        "push rbx", // Alignment.
        "mov rbx, rdi",
        "mov ebp, {rbp}",
        "mov r12d, {r12}",
        "mov r13d, {r13}",
        "mov r14d, {r14}",
        "mov r15d, {r15}",
        "mov rdi, [rbx + {arguments}]",
        "mov rsi, [rbx + {arguments} + 8]",
        "mov rdx, [rbx + {arguments} + 16]",
        "mov rcx, [rbx + {arguments} + 24]",
        "mov r8, [rbx + {arguments} + 32]",
        "call [rbx + {entry}]",
        "test rax, rax",
        "jz 2f",
        "cmp rdi, [rbx + {arguments}]",
        "jne 3f",
        "cmp rsi, [rbx + {arguments} + 8]",
        "jne 3f",
        "cmp rdx, [rbx + {arguments} + 16]",
        "jne 3f",
        "cmp r8, [rbx + {arguments} + 32]",
        "jne 3f",
        "cmp rbp, {rbp}",
        "jne 3f",
        "cmp r12, {r12}",
        "jne 3f",
        "cmp r13, {r13}",
        "jne 3f",
        "cmp r14, {r14}",
        "jne 3f",
        "cmp r15, {r15}",
        "je 4f",
        "3: mov rax, -1000",
        "4: pop rcx",
        "pop r15",
        "pop r14",
        "pop r13",
        "pop r12",
        "pop rbp",
        "pop rbx",
        "ret",
        "2:",
        "mov [rbx + {found}], rdi",
        "mov [rbx + {found} + 8], rsi",
        "mov [rbx + {found} + 16], rdx",
        "mov [rbx + {found} + 24], r8",
        "mov [rbx + {found} + 32], rbp",
        "mov [rbx + {found} + 40], r12",
        "mov [rbx + {found} + 48], r13",
        "mov [rbx + {found} + 56], r14",
        "mov [rbx + {found} + 64], r15",
        "mov [rbx + {found} + 72], rsp",
        "and rsp, -16",
        "mov rdi, [rbx + {argument}]",
        "call [rbx + {main}]",
        "ud2",
        rbp = const MARKS[0],
        r12 = const MARKS[1],
        r13 = const MARKS[2],
        r14 = const MARKS[3],
        r15 = const MARKS[4],
        entry = const offset_of!(Spawn, entry),
        arguments = const offset_of!(Spawn, arguments),
        main = const offset_of!(Spawn, main),
        argument = const offset_of!(Spawn, argument),
        found = const offset_of!(Spawn, found),
    )
}
