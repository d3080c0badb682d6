//! `time`: the second of the kernel's last update.
//!
//! In assembly, because the call itself is most of the time. All of it lies in one cache line, and
//! neither a null pointer nor a good one takes a jump: a result that is not asked for is stored in
//! memory that is never read. A jump taken, or a second line, costs as much as everything else
//! here.
//!
//! # Invariants
//!
//! 1. One field is read, so no sequence: it cannot be torn. Time namespaces do not shift this
//!    clock.
//! 2. The 8 bytes below the stack pointer belong to this function (the psABI's red zone).
//! 3. The store is in the exception table; its landing uses no register.

#![expect(unsafe_code, reason = "defines an entry in assembly")]

use super::exception::on_fault;
use core::arch::global_asm;
use core::mem::{offset_of, size_of};
use liblinux_abi::kernel::clock::REALTIME;
use liblinux_abi::kernel::datapage::{CLOCK_MODE_TIMENS, ClockData, DataPage, Timestamp};
use liblinux_abi::kernel::errno::EFAULT;

global_asm!(
    ".pushsection .text.hot.time, \"ax\", @progbits",
    ".balign 64, 0xcc",
    ".globl __vdso_time",
    ".type __vdso_time, @function",
    "__vdso_time:",
    ".cfi_startproc",
    "    cmp dword ptr [rip + vdso_u_time_data + {mode}], {timens}",
    "    je 8f",
    "    mov rax, [rip + vdso_u_time_data + {sec}]",
    "7:  lea rdx, [rsp - 8]",
    "    test rdi, rdi",
    "    cmovz rdi, rdx",
    "2:  mov [rdi], rax",
    "    ret",
    "8:  mov rax, [rip + timens_page + {sec}]",
    "    jmp 7b",
    "3:  mov rax, -{efault}",
    "    ret",
    ".cfi_endproc",
    ".size __vdso_time, . - __vdso_time",
    ".popsection",
    on_fault!("2b", "3b"),
    mode = const offset_of!(DataPage, hres_coarse) + offset_of!(ClockData, mode),
    sec = const offset_of!(DataPage, hres_coarse)
        + offset_of!(ClockData, base)
        + REALTIME * size_of::<Timestamp>()
        + offset_of!(Timestamp, sec),
    timens = const CLOCK_MODE_TIMENS,
    efault = const EFAULT,
);
