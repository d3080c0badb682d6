//! `clock_getres`: the resolution of the clocks that the data page holds.
//!
//! In assembly for the reasons that [`super::time`] has. Both possible answers are loaded and one
//! is chosen.
//!
//! A time namespace's page has no resolution: the kernel leaves zeros there. So the clock mode is
//! looked at only where a resolution is zero, in the second cache line.
//!
//! # Invariants
//!
//! 1. `rdi` and `rsi` are the caller's at the jump to the plain stub.
//! 2. The stores are in the exception table; their landing uses no register.
//! 3. Everything up to the first `ret` lies in one cache line.

#![expect(unsafe_code, reason = "defines an entry in assembly")]

use super::exception::on_fault;
use core::arch::global_asm;
use core::mem::offset_of;
use liblinux_abi::kernel::clock::{
    COARSE, HIGH_RESOLUTION, MONOTONIC_COARSE, RAW, REALTIME_COARSE,
};
use liblinux_abi::kernel::datapage::{CLOCK_MODE_TIMENS, CLOCKS, ClockData, DataPage, HRTIMER_RES};
use liblinux_abi::kernel::errno::EFAULT;

const _: () = assert!(COARSE == 1 << REALTIME_COARSE | 1 << MONOTONIC_COARSE);

global_asm!(
    ".pushsection .text.hot.clock_getres, \"ax\", @progbits",
    ".balign 64, 0xcc",
    ".globl __vdso_clock_getres",
    ".type __vdso_clock_getres, @function",
    "__vdso_clock_getres:",
    ".cfi_startproc",
    "    cmp edi, {clocks}",
    "    jae __vdso_clock_getres.fallback",
    "    mov eax, {known}",
    "    bt eax, edi",
    "    jae 9f",
    "    lea ecx, [rdi - {first_coarse}]",
    "    mov eax, [rip + vdso_tick]",
    "    cmp ecx, {last_coarse} - {first_coarse}",
    "    cmova eax, [rip + vdso_u_time_data + {hrtimer_res}]",
    "    test eax, eax",
    "    jz 8f",
    "7:  test rsi, rsi",
    "    jz 6f",
    "4:  mov qword ptr [rsi], 0",
    "5:  mov [rsi + 8], rax",
    "6:  xor eax, eax",
    "    ret",
    "8:  cmp ecx, {last_coarse} - {first_coarse}",
    "    jbe 9f", // The image has no tick.
    "    cmp dword ptr [rip + vdso_u_time_data + {mode}], {timens}",
    "    jne 7b",
    "    mov eax, [rip + timens_page + {hrtimer_res}]",
    "    jmp 7b",
    "9:  jmp __vdso_clock_getres.fallback",
    "3:  mov rax, -{efault}",
    "    ret",
    ".cfi_endproc",
    ".size __vdso_clock_getres, . - __vdso_clock_getres",
    ".popsection",
    on_fault!("4b", "3b"),
    on_fault!("5b", "3b"),
    clocks = const CLOCKS,
    known = const HIGH_RESOLUTION | RAW | COARSE,
    first_coarse = const REALTIME_COARSE,
    last_coarse = const MONOTONIC_COARSE,
    mode = const offset_of!(DataPage, hres_coarse) + offset_of!(ClockData, mode),
    hrtimer_res = const HRTIMER_RES,
    timens = const CLOCK_MODE_TIMENS,
    efault = const EFAULT,
);
