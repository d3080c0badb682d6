// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The slot table: one 16-byte entry per system call, and `__vdso_syscall`.
//!
//! A plain stub moves the fourth argument to where the kernel wants it, loads the number and
//! executes `syscall`: 15 bytes, the same for every call but for the number. It keeps nothing on
//! the stack, so it needs no frame and a debugger or checkpointer may stop it anywhere; the return
//! address is at `rsp` throughout, so one CFI rule holds for the whole stub.
//!
//! # Invariants
//!
//! 1. The slot of call `n` lies `n * SLOT_SIZE` bytes into `.text.slots` (`.org` makes it so, and
//!    fails to assemble if a slot overflows), which the linker script puts at `layout::SLOTS`.
//!    Everything between entries is `int3`.
//! 2. A stub changes `rax`, `rcx`, `r10` and `r11` and no other register.
//! 3. `syscall` can be executed again at the same address with the registers as they are (the
//!    kernel restarts interrupted calls, and checkpointers rewind to it): nothing between it and
//!    `ret` depends on what came before.

#![expect(unsafe_code, reason = "defines entries in assembly")]

use core::arch::global_asm;
use liblinux_abi::for_each_syscall;
use liblinux_abi::image::layout::{BODY_ALIGN, SLOT_SIZE};

global_asm!(
    ".macro slot_open name, number, symbol, binding",
    "    .org {slot_size} * \\number, 0xcc",
    "    \\binding \\symbol",
    "    .type \\symbol, @function",
    "    .size \\symbol, {slot_size}",
    "    \\symbol:",
    "    .cfi_startproc",
    ".endm",
    ".macro slot_plain name, number, symbol, binding",
    "    slot_open \\name, \\number, \\symbol, \\binding",
    "    endbr64",
    "    mov eax, \\number",
    "    mov r10, rcx",
    "    syscall",
    "    ret",
    "    .cfi_endproc",
    ".endm",
    // One macro per kind of row. A standard function is in Rust; here are its fallback and its
    // historic name.
    ".macro slot_stub name, number",
    "    slot_plain \\name, \\number, __vdso_\\name, .globl",
    ".endm",
    // The kernel's `vdso2c` reads from the list which calls it need not carry
    // (`legacy_syscalls=off`).
    ".macro slot_legacy name, number",
    "    .pushsection .legacy_syscalls, \"\", @progbits",
    "    .2byte \\number",
    "    .popsection",
    "    legacy_\\name \\number",
    ".endm",
    ".macro slot_standard name, number",
    "    slot_plain \\name, \\number, __vdso_\\name\\().fallback, .local",
    "    .weak \\name",
    "    .set \\name, __vdso_\\name",
    ".endm",
    ".macro slot_custom name, number",
    "    custom_\\name \\number",
    ".endm",
    ".macro slot_absent name, number",
    ".endm",
    // A hand-written entry whose code does not fit its slot.
    ".macro slot_jump name, number",
    "    slot_open \\name, \\number, __vdso_\\name, .globl",
    "    endbr64",
    "    jmp __vdso_\\name\\().body",
    "    .cfi_endproc",
    ".endm",
    // With some room to grow: a body stays where it is.
    ".macro body_open name",
    "    .pushsection .text.body.\\name, \"ax\", @progbits",
    "    .balign {body_align}",
    "    .type __vdso_\\name\\().body, @function",
    "    __vdso_\\name\\().body:",
    "    .cfi_startproc",
    ".endm",
    ".macro body_close name",
    "    .cfi_endproc",
    "    .size __vdso_\\name\\().body, . - __vdso_\\name\\().body",
    "    .popsection",
    ".endm",
    slot_size = const SLOT_SIZE,
    body_align = const BODY_ALIGN,
);

macro_rules! slots {
    ($($number:literal $name:ident $kind:ident($($parameter:literal),*) $($note:literal)*;)*) => {
        global_asm!(
            ".pushsection .text.slots, \"ax\", @progbits",
            $(concat!("slot_", stringify!($kind), " ", stringify!($name), ", ", stringify!($number)),)*
            ".balign {slot_size}, 0xcc",
            ".popsection",
            slot_size = const SLOT_SIZE,
        );
    };
}

for_each_syscall!(slots);

// `__vdso_syscall(nr, a1, ..., a6)`: shifts the arguments into the places of a system call. The
// seventh is on the stack.
global_asm!(
    ".pushsection .text.library.syscall, \"ax\", @progbits",
    ".globl __vdso_syscall",
    ".type __vdso_syscall, @function",
    "__vdso_syscall:",
    ".cfi_startproc",
    "endbr64",
    "mov rax, rdi",
    "mov rdi, rsi",
    "mov rsi, rdx",
    "mov rdx, rcx",
    "mov r10, r8",
    "mov r8, r9",
    "mov r9, [rsp + 8]",
    "syscall",
    "ret",
    ".cfi_endproc",
    ".size __vdso_syscall, . - __vdso_syscall",
    ".popsection",
);

/// The plain stubs of the standard functions' calls, in their slots.
///
/// Called by name in assembly: the compiler would take their addresses from a global offset table.
pub mod fallback {
    use core::arch::asm;
    use core::ffi::c_void;

    macro_rules! fallback {
        ($(#[$doc:meta])* $name:ident($($argument:ident: $type:ty = $register:tt),*)) => {
            $(#[$doc])*
            pub fn $name($($argument: $type),*) -> isize {
                let result: isize;
                // SAFETY: a plain stub (`slot_standard`), which changes the registers listed; the
                // kernel checks every pointer, and it writes to the caller's memory.
                unsafe {
                    asm!(
                        concat!("call __vdso_", stringify!($name), ".fallback"),
                        $(in($register) $argument,)*
                        lateout("rax") result,
                        out("rcx") _,
                        out("r10") _,
                        out("r11") _,
                    );
                }
                result
            }
        };
    }

    fallback! {
        /// `clock_gettime(2)`.
        clock_gettime(clock: i32 = "edi", time: *mut c_void = "rsi")
    }
    fallback! {
        /// `gettimeofday(2)`.
        gettimeofday(time: *mut c_void = "rdi", zone: *mut c_void = "rsi")
    }
    fallback! {
        /// `getrandom(2)`.
        getrandom(buffer: *mut c_void = "rdi", len: usize = "rsi", flags: u32 = "edx")
    }
}
