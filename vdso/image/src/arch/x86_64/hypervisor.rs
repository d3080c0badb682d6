// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! Counters of hypervisors: the TSC, scaled by numbers that the hypervisor keeps in a page.
//!
//! A guest's TSC may run at another rate after a migration, so the hypervisor says how to make a
//! time of it. References: `arch/x86/kernel/pvclock.c` and `arch/x86/include/asm/pvclock.h`,
//! `include/clocksource/hyperv_timer.h`.
//!
//! # Invariants
//!
//! 1. A reading is taken between two equal values of the page's own sequence number.
//! 2. A page that calls itself unusable yields nothing, and the kernel is asked.

#![expect(unsafe_code, reason = "reads pages that are not always there")]

use super::counter::counter;
use super::data::{hvclock_page, pvclock_page};
use core::sync::atomic::Ordering::{Acquire, Relaxed};
use core::sync::atomic::fence;
use liblinux_abi::arch::x86_64::hypervisor::{HypervPage, PVCLOCK_TSC_STABLE, PvclockPage};
use liblinux_abi::kernel::datapage::{CLOCK_MODE_HVCLOCK, CLOCK_MODE_PVCLOCK, CLOCK_MODE_TSC};

/// Nanoseconds by KVM's or Xen's page.
#[inline(always)]
fn pvclock(page: &PvclockPage) -> Option<u64> {
    loop {
        // An odd version can never be read again as even, so a write in progress takes another
        // turn.
        let version = page.version.load(Acquire) & !1; // Pairs with the hypervisor's barrier behind the odd version.
        if page.flags.load(Relaxed) & PVCLOCK_TSC_STABLE == 0 {
            return None;
        }
        let cycles = counter().wrapping_sub(page.tsc_timestamp.load(Relaxed));
        let (mul, shift) = (page.tsc_to_system_mul.load(Relaxed), page.tsc_shift.load(Relaxed));
        let time = page.system_time.load(Relaxed).wrapping_add(scale(cycles, mul, shift));
        fence(Acquire); // Pairs with the hypervisor's barrier before the even version.
        if page.version.load(Relaxed) == version {
            return Some(time);
        }
    }
}

/// `cycles`, shifted and multiplied by a fraction of 2 to the 32.
#[inline(always)]
fn scale(cycles: u64, mul: u32, shift: i8) -> u64 {
    let shifted = if shift < 0 {
        cycles.wrapping_shr(u32::from(shift.unsigned_abs()))
    } else {
        cycles.wrapping_shl(u32::from(shift.unsigned_abs()))
    };
    ((u128::from(shifted) * u128::from(mul)) >> 32) as u64
}

/// Units of 100 ns by Hyper-V's page.
#[inline(always)]
fn hvclock(page: &HypervPage) -> Option<u64> {
    loop {
        let sequence = page.sequence.load(Acquire); // Pairs with the hypervisor's barrier.
        if sequence == 0 {
            return None;
        }
        let (scale, offset) = (page.scale.load(Relaxed), page.offset.load(Relaxed));
        let product = u128::from(counter()) * u128::from(scale);
        let time = ((product >> 64) as u64).wrapping_add(offset);
        fence(Acquire); // As above.
        if page.sequence.load(Relaxed) == sequence {
            return Some(time);
        }
    }
}

/// The counter of a clock mode; none if it has to be read by the kernel.
///
/// # Safety
///
/// A clock has this mode.
#[inline(always)]
pub unsafe fn counter_of_mode(mode: i32) -> Option<u64> {
    match mode {
        CLOCK_MODE_TSC => Some(counter()),
        // SAFETY: the clock has this mode.
        CLOCK_MODE_PVCLOCK => pvclock(unsafe { pvclock_page() }),
        // SAFETY: the clock has this mode.
        CLOCK_MODE_HVCLOCK => hvclock(unsafe { hvclock_page() }),
        _ => None,
    }
}
