// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! `siginfo_t`: what the kernel says about a signal, in the 32-bit and the 64-bit layout.
//!
//! Both are 32 words, with number, error and code in front. In the 64-bit one a gap follows, and
//! addresses and `long` numbers take two words. Source: `include/uapi/asm-generic/siginfo.h`,
//! `copy_siginfo_to_external32` of `kernel/signal.c`.

use super::action::{SIGBUS, SIGSEGV, SIGSYS};

/// `SIG_UNBLOCK`.
pub(crate) const SIG_UNBLOCK: u32 = 1;

/// A `siginfo_t`, as words.
pub(crate) type Words = [u32; 32];

/// `si_code` of a system call that the kernel dispatches to the process.
pub(crate) const SYS_USER_DISPATCH: i32 = 2;

/// Where the words of the 32-bit form, from the fourth on, are in the 64-bit form.
///
/// `siginfo_layout` of the kernel.
fn layout(signal: u32, code: i32) -> &'static [usize] {
    const SIGILL: u32 = 4;
    const SIGTRAP: u32 = 5;
    const SIGFPE: u32 = 8;
    const SIGCHLD: u32 = 17;
    const SIGPOLL: u32 = 29;
    const SI_KERNEL: i32 = 0x80;
    const SI_SIGIO: i32 = -5;
    // Process and user.
    const KILL: &[usize] = &[4, 5];
    // These, or timer and overrun, and a value.
    const VALUE: &[usize] = &[4, 5, 6];
    // Band and descriptor.
    const POLL: &[usize] = &[4, 6];
    // Address, its least significant bit, key.
    const FAULT: &[usize] = &[4, 6, 8];
    // Process, user, status, two times.
    const CHILD: &[usize] = &[4, 5, 6, 8, 10];
    // Address, number, architecture.
    const CALL: &[usize] = &[4, 6, 7];
    match (signal, code) {
        (SIGILL | SIGTRAP | SIGBUS | SIGFPE | SIGSEGV, 1..SI_KERNEL) => FAULT,
        (SIGCHLD, 1..SI_KERNEL) => CHILD,
        (SIGPOLL, 1..SI_KERNEL) | (_, SI_SIGIO) => POLL,
        (SIGSYS, 1..SI_KERNEL) => CALL,
        _ if code < 0 => VALUE,
        _ => KILL,
    }
}

/// The 32-bit form of a 64-bit one.
pub(crate) fn narrow(wide: &Words) -> Words {
    let mut narrow = [0; 32];
    for (to, from) in narrow.iter_mut().zip(wide.iter().take(3)) {
        *to = *from;
    }
    for (to, from) in narrow.iter_mut().skip(3).zip(layout(wide[0], wide[2].cast_signed())) {
        *to = wide.get(*from).copied().unwrap_or(0);
    }
    narrow
}

/// The 64-bit form of a 32-bit one.
pub(crate) fn widen(signal: u32, narrow: &Words) -> Words {
    let mut wide = [0; 32];
    for (to, from) in wide.iter_mut().zip(narrow.iter().take(3)) {
        *to = *from;
    }
    for (from, to) in narrow.iter().skip(3).zip(layout(signal, narrow[2].cast_signed())) {
        if let Some(to) = wide.get_mut(*to) {
            *to = *from;
        }
    }
    wide
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_childs_end_goes_there_and_back() {
        let mut wide = [0; 32];
        wide[..11].copy_from_slice(&[17, 0, 1, 0, 1234, 1000, 7, 0, 55, 0, 66]);
        let narrow = narrow(&wide);
        assert_eq!(narrow[..8], [17, 0, 1, 1234, 1000, 7, 55, 66]);
        assert_eq!(widen(17, &narrow), wide);
    }

    #[test]
    fn an_address_loses_its_upper_half_and_a_value_stays() {
        let mut wide = [0; 32];
        wide[..6].copy_from_slice(&[11, 0, 1, 0, 0x0804_8000, 0]);
        assert_eq!(narrow(&wide)[..4], [11, 0, 1, 0x0804_8000]);
        let mut queued = [0; 32];
        queued[..7].copy_from_slice(&[34, 0, (-1_i32).cast_unsigned(), 0, 99, 1, 42]);
        assert_eq!(narrow(&queued)[..6], [34, 0, u32::MAX, 99, 1, 42]);
    }
}
