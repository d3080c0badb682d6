//! The calls of a signal handler by the bare instruction, as functions: for a chain on an image
//! that has no entry for them.
//!
//! The restorer has no unwind information: debuggers and unwinders know its instructions, as they
//! know a libc's.

#![expect(unsafe_code, reason = "functions in assembly")]

use crate::Call;
use core::arch::{global_asm, naked_asm};

macro_rules! bare {
    ($($name:ident $call:ident;)+) => {
        $(
            #[unsafe(naked)]
            unsafe extern "C" fn $name() {
                naked_asm!(
                    ".cfi_startproc",
                    "mov r10, rcx",
                    "mov eax, {number}",
                    "syscall",
                    "ret",
                    ".cfi_endproc",
                    number = const Call::$call.number(),
                )
            }
        )+

        /// Address of a function that makes the call; none of calls that no handler makes.
        pub(crate) fn bare(call: Call) -> Option<usize> {
            let function: unsafe extern "C" fn() = match call {
                $(Call::$call => $name,)+
                Call::rt_sigreturn => liblinux_bare_restorer,
                _ => return None,
            };
            Some(function as usize)
        }
    };
}

bare! {
    rt_sigaction rt_sigaction;
    rt_sigprocmask rt_sigprocmask;
    rt_tgsigqueueinfo rt_tgsigqueueinfo;
    getpid getpid;
    gettid gettid;
}

global_asm!(
    ".pushsection .text.liblinux_bare_restorer, \"ax\", @progbits",
    ".globl liblinux_bare_restorer",
    ".hidden liblinux_bare_restorer",
    ".type liblinux_bare_restorer, @function",
    // Unwinders look at the byte in front of a return address.
    "nop",
    "liblinux_bare_restorer:",
    "mov rax, {number}",
    "syscall",
    ".size liblinux_bare_restorer, . - liblinux_bare_restorer",
    ".popsection",
    number = const Call::rt_sigreturn.number(),
);

unsafe extern "C" {
    fn liblinux_bare_restorer();
}
