// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! `__vdso_sgx_enter_enclave`: enters an SGX enclave, and tells how it was left.
//!
//! An enclave is entered and resumed by one instruction, `enclu`. Events inside show up there too:
//! an interrupt or exception leaves the enclave first, at the *asynchronous exit pointer*, and this
//! is `enclu` itself, with the registers set for resuming. So an interrupt goes unnoticed, and an
//! exception looks as if `enclu` had raised it, which the kernel finds in the image's `__ex_table`:
//! the caller gets a report instead of a signal. After an enclave has returned by itself, execution
//! continues behind `enclu`.
//!
//! How it was left is stored in the caller's `struct sgx_enclave_run` (`abi::arch::x86_64::sgx`).
//! Then its handler is called, if there is one, and says what to return, or how to enter again.
//! Reference: `arch/x86/entry/vdso/vsgx.S` and the comments of `asm/sgx.h`. Where the
//! two differ, as in what is returned after an exception without a handler (0 and not `-EFAULT`),
//! this is like the code, on which enclave runtimes build. Different from the code, on purpose:
//!
//! - a run structure that cannot be read or written gives `-EFAULT`;
//! - `rbx` is restored from the frame, wherever the enclave left the stack pointer;
//! - the direction flag is clear on every return, not only for the handler;
//! - the handler's result is widened to a `long`.
//!
//! A handler's bad address is a jump to nowhere by the caller's own wish, and faults there.
//!
//! # Invariants
//!
//! 1. From the first `push` to `leave` the frame is found through `rbp`, which an enclave gets back
//!    at every exit: the stack pointer and all other registers are the enclave's and the handler's
//!    to change.
//! 2. Each access to the run structure has an entry in `__ex_table`; each is made with what it
//!    needs in `rax`, `rbx`, `rcx` and `rbp`, because the landing of `enclu` starts with `rdi`,
//!    `rsi` and `rdx` taken.
//! 3. The registers that `enclu` is given (`rdi`, `rsi`, `rdx`, `r8` to `r15`) passes through
//!    untouched, in both directions; only an exception puts its number, error code and address into
//!    the first three.

#![expect(unsafe_code, reason = "defines an entry in assembly")]

use super::exception::on_fault;
use core::arch::global_asm;
use core::mem::{offset_of, size_of};
use liblinux_abi::arch::x86_64::sgx::{EENTER, EEXIT, ERESUME, EnclaveRun};
use liblinux_abi::image::layout::{BODY_ALIGN, SLOT_SIZE};
use liblinux_abi::kernel::errno::{EFAULT, EINVAL};

/// Where the caller put the seventh argument, from `rbp`: above the saved `rbp` and the return
/// address.
const RUN: usize = 16;

const _: () = assert!(ERESUME == EENTER + 1, "the two functions are a range");
const _: () = assert!(
    (size_of::<EnclaveRun>() - offset_of!(EnclaveRun, reserved)) % 8 == 0,
    "reserved bytes are compared in words"
);

global_asm!(
    ".pushsection .text.library.sgx_enter_enclave, \"ax\", @progbits",
    ".globl __vdso_sgx_enter_enclave",
    ".type __vdso_sgx_enter_enclave, @function",
    "__vdso_sgx_enter_enclave:",
    ".cfi_startproc",
    "endbr64",
    "jmp __vdso_sgx_enter_enclave.body",
    ".cfi_endproc",
    ".balign {slot_size}, 0xcc",
    ".size __vdso_sgx_enter_enclave, . - __vdso_sgx_enter_enclave",
    ".popsection",
    ".macro enclave_resumes_at landing, instruction:vararg",
    "    20: \\instruction",
    on_fault!("20b", "\\landing"),
    ".endm",
    // An access to the run structure.
    ".macro enclave_run instruction:vararg",
    "    enclave_resumes_at 8f, \\instruction",
    ".endm",
    ".pushsection .text.body.sgx_enter_enclave, \"ax\", @progbits",
    ".balign {body_align}",
    ".type __vdso_sgx_enter_enclave.body, @function",
    "__vdso_sgx_enter_enclave.body:",
    ".cfi_startproc",
    "push rbp",
    ".cfi_adjust_cfa_offset 8",
    ".cfi_rel_offset rbp, 0",
    "mov rbp, rsp",
    ".cfi_def_cfa_register rbp",
    "push rbx",
    ".cfi_rel_offset rbx, -8",
    "mov eax, ecx",
    "2:", // Enter: the function is in `eax`.
    "lea ecx, [rax - {eenter}]",
    "cmp ecx, {functions}",
    "jae 6f",
    "mov rcx, [rbp + {run}]",
    "mov ebx, {reserved}",
    "3: enclave_run cmp qword ptr [rcx + rbx], 0",
    "jne 6f",
    "add ebx, 8",
    "cmp ebx, {size}",
    "jne 3b",
    "enclave_run mov rbx, [rcx + {tcs}]",
    "lea rcx, [rip + 20f]", // The asynchronous exit pointer is the next instruction.
    "enclave_resumes_at 5f, enclu",
    "mov rbx, [rbp + {run}]",
    "enclave_run mov dword ptr [rbx + {function}], {eexit}",
    "4:", // The enclave was left, and `rbx` is the run structure.
    "enclave_run mov rax, [rbx + {handler}]",
    "test rax, rax",
    "jz 7f", // Without a handler, the result is this zero.
    // The handler gets the enclave's registers, its stack pointer, and the run structure.
    "mov rcx, rsp",
    "and rsp, -16",
    "push rcx",
    "push rbx",
    "cld",
    "lfence", // The call goes where `rax` says, not where a load injected by another thread does.
    "call rax",
    "add rsp, 8",
    "pop rsp",
    "test eax, eax",
    "jg 2b",
    "cdqe",
    "jmp 7f",
    "5:", // `enclu` raised an exception, or the enclave did.
    "mov rbx, [rbp + {run}]",
    "enclave_run mov [rbx + {function}], eax",
    "enclave_run mov [rbx + {vector}], di",
    "enclave_run mov [rbx + {error_code}], si",
    "enclave_run mov [rbx + {address}], rdx",
    "jmp 4b",
    "6: mov rax, -{einval}",
    "7: mov rbx, [rbp - 8]",
    "cld",
    "leave",
    ".cfi_remember_state",
    ".cfi_def_cfa rsp, 8",
    ".cfi_restore rbp",
    ".cfi_restore rbx",
    "ret",
    ".cfi_restore_state",
    "8: mov rax, -{efault}",
    "jmp 7b",
    ".cfi_endproc",
    ".size __vdso_sgx_enter_enclave.body, . - __vdso_sgx_enter_enclave.body",
    ".popsection",
    body_align = const BODY_ALIGN,
    slot_size = const SLOT_SIZE,
    run = const RUN,
    eenter = const EENTER,
    functions = const ERESUME - EENTER + 1,
    eexit = const EEXIT,
    reserved = const offset_of!(EnclaveRun, reserved),
    size = const size_of::<EnclaveRun>(),
    tcs = const offset_of!(EnclaveRun, tcs),
    function = const offset_of!(EnclaveRun, function),
    vector = const offset_of!(EnclaveRun, exception_vector),
    error_code = const offset_of!(EnclaveRun, exception_error_code),
    address = const offset_of!(EnclaveRun, exception_addr),
    handler = const offset_of!(EnclaveRun, user_handler),
    einval = const EINVAL,
    efault = const EFAULT,
);
