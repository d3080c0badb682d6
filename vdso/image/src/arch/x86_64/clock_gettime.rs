//! The fast path of `clock_gettime`: one attempt to read a clock that the data page holds.
//!
//! In assembly, because its speed depends on facts that a compiler does not know. `rdtscp` waits
//! for everything before it, so a caller that asks again pays for each instruction on the way from
//! one counter to the next, and most for those that need the counter. And a coarse clock takes
//! little more than the call, so one taken branch is a third of its time.
//!
//! - The halves of the counter are compared and subtracted where the processor leaves them. Joining
//!   them first would put two more cycles in front of the multiplication. So only distances within
//!   2^32 counts of the same upper half are dealt with here, about two seconds; the slow path deals
//!   with the others, four milliseconds of two seconds.
//! - A coarse clock is reached without a taken branch; `CLOCK_REALTIME` and `CLOCK_MONOTONIC`,
//!   which programs ask for most, with one; the others, for which the counter is most of the time
//!   anyway, with three. Ids that no data page has go to the plain stub at once.
//! - In front of the counter are eleven operations for the first two clocks: with twelve the
//!   processor is not ready for the next call when the time is, and each costs a cycle.
//! - An odd sequence is made even: the data never has that one again, so the one comparison at the
//!   end asks for both.
//! - Everything else is a load that the counter does not have to wait for, with a short offset.
//!
//! # Invariants
//!
//! 1. `rdi` and `rsi` are the caller's at every jump out of here, but for `edi` shifted at label 8.
//! 2. Every exit but `ret` starts over, elsewhere.
//! 3. The two stores are in the exception table; their landing uses no register.

#![expect(unsafe_code, reason = "defines an entry in assembly")]

use super::exception::on_fault;
use core::arch::global_asm;
use core::mem::{offset_of, size_of};
use liblinux_abi::arch::x86_64::alternative::FEATURE_RDTSCP;
use liblinux_abi::kernel::clock::{
    COARSE, HIGH_RESOLUTION, MONOTONIC, MONOTONIC_COARSE, MONOTONIC_RAW, REALTIME_COARSE,
};
use liblinux_abi::kernel::datapage::{CLOCK_MODE_TSC, CLOCKS, ClockData, DataPage, Timestamp};
use liblinux_abi::kernel::errno::EFAULT;

const _: () = {
    assert!(size_of::<Timestamp>() == 1 << 4);
    assert!(
        COARSE == 1 << REALTIME_COARSE | 1 << MONOTONIC_COARSE
            && REALTIME_COARSE + 1 == MONOTONIC_COARSE
    );
};

global_asm!(
    ".pushsection .text.hot.clock_gettime, \"ax\", @progbits",
    ".balign 64, 0xcc",
    ".globl __vdso_clock_gettime",
    ".type __vdso_clock_gettime, @function",
    "__vdso_clock_gettime:",
    ".cfi_startproc",
    "    cmp edi, {clocks}",
    "    jae __vdso_clock_gettime.fallback",
    "    lea eax, [rdi - {first_coarse}]",
    "    lea r10, [rip + vdso_u_time_data + {hres_coarse}]",
    "    cmp eax, {last_coarse} - {first_coarse}",
    "    ja 5f",
    // A coarse clock.
    "    shl edi, 4",
    "    mov r11d, [r10 + {sequence}]", // Pairs with the write barrier of `vdso_write_begin`.
    "    mov rdx, [r10 + rdi + {sec}]",
    "    mov rax, [r10 + rdi + {nsec}]",
    "    and r11d, -2",
    "    cmp r11d, [r10 + {sequence}]", // Pairs with the write barrier of `vdso_write_end`.
    "    jne 8f",
    "1:  mov [rsi], rdx",
    "2:  mov [rsi + 8], rax",
    "    xor eax, eax",
    "    ret",
    // A high-resolution clock.
    ".balign 32, 0xcc",
    "5:  cmp edi, {monotonic}",
    "    ja 7f",
    "6:  shl edi, 4",
    "    mov r11d, [r10 + {sequence}]", // Pairs with the write barrier of `vdso_write_begin`.
    "    mov eax, [r10 + {mode}]",
    "    and r11d, -2",
    "    cmp eax, {tsc}",
    "    jne 8f",
    "20: lfence",
    "    rdtsc",
    "    nop",
    "    cmp edx, [r10 + {cycle_last} + 4]",
    "21:",
    ".pushsection .altinstructions, \"a\", @progbits",
    ".long 20b - ., 22f - .",
    ".long {rdtscp}",
    ".byte 21b - 20b, 23f - 22f",
    ".popsection",
    ".pushsection .altinstr_replacement, \"ax\", @progbits",
    "22: rdtscp",
    "    {{disp32}} cmp edx, [r10 + {cycle_last} + 4]", // As long as the original: no nop to execute.
    "23:",
    ".popsection",
    "    jne 8f",
    "    sub eax, [r10 + {cycle_last}]",
    "    jb 8f",
    "    mov edx, [r10 + {mult}]",
    "    mov ecx, [r10 + {shift}]",
    "    imul rax, rdx", // Both are less than 2^32.
    "    add rax, [r10 + rdi + {nsec}]",
    "    jc 8f",
    "    mov rdx, [r10 + rdi + {sec}]",
    "    shr rax, cl",
    "    cmp r11d, [r10 + {sequence}]", // Pairs with the write barrier of `vdso_write_end`.
    "    jne 8f",
    "    cmp rax, {nsec_per_sec} - 1",
    "    ja 11f",
    "3:  mov [rsi], rdx",
    "4:  mov [rsi + 8], rax",
    "    xor eax, eax",
    "    ret",
    // The second has passed since the update.
    "11: sub rax, {nsec_per_sec}",
    "    inc rdx",
    "    cmp rax, {nsec_per_sec} - 1",
    "    jbe 3b",
    "8:  shr edi, 4",
    "    jmp {cold}",
    // The other clocks.
    "7:  mov eax, {high_resolution}",
    "    bt eax, edi",
    "    jc 6b",
    "    add r10, {raw} - {hres_coarse}",
    "    cmp edi, {monotonic_raw}",
    "    je 6b",
    "9:  jmp __vdso_clock_gettime.fallback",
    "10: mov rax, -{efault}",
    "    ret",
    ".cfi_endproc",
    ".size __vdso_clock_gettime, . - __vdso_clock_gettime",
    ".popsection",
    on_fault!("1b", "10b"),
    on_fault!("2b", "10b"),
    on_fault!("3b", "10b"),
    on_fault!("4b", "10b"),
    cold = sym crate::clock::clock_gettime_cold,
    clocks = const CLOCKS,
    monotonic = const MONOTONIC,
    high_resolution = const HIGH_RESOLUTION,
    first_coarse = const REALTIME_COARSE,
    last_coarse = const MONOTONIC_COARSE,
    monotonic_raw = const MONOTONIC_RAW,
    hres_coarse = const offset_of!(DataPage, hres_coarse),
    raw = const offset_of!(DataPage, raw),
    sequence = const offset_of!(ClockData, sequence),
    mode = const offset_of!(ClockData, mode),
    cycle_last = const offset_of!(ClockData, cycle_last),
    mult = const offset_of!(ClockData, mult),
    shift = const offset_of!(ClockData, shift),
    sec = const offset_of!(ClockData, base) + offset_of!(Timestamp, sec),
    nsec = const offset_of!(ClockData, base) + offset_of!(Timestamp, nsec),
    tsc = const CLOCK_MODE_TSC,
    rdtscp = const FEATURE_RDTSCP,
    nsec_per_sec = const liblinux_abi::kernel::clock::NSEC_PER_SEC,
    efault = const EFAULT,
);
