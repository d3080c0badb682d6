// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Signals that exceptions of 64-bit code raise, as their handler is told of them.
//!
//! Each row is one that the kernel gives to exception fixups before it raises the signal: the
//! exception's number, the signal and its `si_code`. Other codes come from elsewhere (`kill`,
//! timers, a frame that could not be written, memory errors, bus locks), and then the context has
//! the number of some exception before.
//!
//! Source: `arch/x86/kernel/traps.c` and `arch/x86/mm/fault.c` (the calls of
//! `fixup_vdso_exception`), `include/uapi/asm-generic/siginfo.h`, `arch/x86/include/asm/trapnr.h`.

/// `SEGV_PKUERR`: a protection key does not allow the access.
pub const PKEY_ERROR: u32 = 4;

/// `SI_KERNEL`: the kernel has nothing to add to the signal; the code of a general protection
/// fault.
pub const SI_KERNEL: u32 = 0x80;

/// `SIGILL`, `SIGBUS`, `SIGFPE`, `SIGSEGV` (`include/uapi/asm-generic/signal.h`): the signals of
/// exceptions. The last one is that by which the client's handler is found.
pub const SIGNALS: [u32; 4] = [SIGILL, SIGBUS, SIGFPE, SIGSEGV];

/// `SIGILL`.
pub const SIGILL: u32 = 4;
/// `SIGBUS`.
pub const SIGBUS: u32 = 7;
/// `SIGFPE`.
pub const SIGFPE: u32 = 8;
/// `SIGSEGV`: also what becomes of a thread for which the kernel cannot write a signal frame.
pub const SIGSEGV: u32 = 11;

/// Codes of a signal, and the bits of the exceptions (`X86_TRAP_*`) that they may come from.
type Row = (u32, &'static [u32], u32);

/// Not among them: `BUS_MCEERR_AR`, a memory error, which the kernel does not give to fixups
/// either.
const ROWS: &[Row] = &[
    // SEGV_MAPERR, SEGV_ACCERR, SEGV_PKUERR: page fault.
    (SIGSEGV, &[1, 2, 4], 1 << 14),
    // Overflow (`int 4`), invalid TSS, general protection.
    (SIGSEGV, &[SI_KERNEL], 1 << 4 | 1 << 10 | 1 << 13),
    // BUS_ADRALN: alignment check.
    (SIGBUS, &[1], 1 << 17),
    // BUS_ADRERR: page fault.
    (SIGBUS, &[2], 1 << 14),
    // Segment not present, stack segment.
    (SIGBUS, &[SI_KERNEL], 1 << 11 | 1 << 12),
    // ILL_ILLOPN: invalid opcode.
    (SIGILL, &[2], 1 << 6),
    // FPE_INTDIV: divide error.
    (SIGFPE, &[1], 1),
    // FPE_FLTDIV, FPE_FLTOVF, FPE_FLTUND, FPE_FLTRES, FPE_FLTINV: x87, SIMD.
    (SIGFPE, &[3, 4, 5, 6, 7], 1 << 16 | 1 << 19),
];

/// The rows by signal and code, [`SI_KERNEL`] at 0. A table of numbers is what the image can have,
/// unlike one of addresses, which a `match` of all this becomes.
const TRAPS: [[u32; 8]; 12] = {
    let mut traps = [[0; 8]; 12];
    let mut row = 0;
    while row < ROWS.len() {
        let (signal, codes, bits) = ROWS[row];
        let mut code = 0;
        while code < codes.len() {
            traps[signal as usize]
                [if codes[code] == SI_KERNEL { 0 } else { codes[code] as usize }] = bits;
            code += 1;
        }
        row += 1;
    }
    traps
};

/// Whether a signal of this code may come from the exception of this number.
#[inline]
pub fn raises(signal: u32, code: u32, trap: u64) -> bool {
    let code = match code {
        SI_KERNEL => 0,
        0 => return false,
        code => code,
    };
    let traps = TRAPS.get(signal as usize).and_then(|codes| codes.get(code as usize));
    traps.is_some_and(|traps| trap < 32 && traps >> trap & 1 != 0)
}
