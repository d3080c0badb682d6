// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The process's memory as the registry of fixups sees it: see `liblinux_fixup::memory`.
//!
//! # Invariants
//!
//! 1. As in [`super::user`]: one instruction an access, with an entry in both exception tables.
//! 2. `rdi` is zero before an access and the number of the exception behind a landing, which is
//!    never zero here: #DE is not raised by accesses to memory.
//! 3. The compiler does not move or merge accesses: none is `pure`, and all are said to change
//!    memory.

#![expect(unsafe_code, reason = "accesses memory that may not exist")]

use super::exception::on_fault;
use super::private;
use super::user::{load, store_u64};
use core::arch::asm;
use core::hint::spin_loop;
use liblinux_abi::image::fixup::{MARKED, UNMARKED};
use liblinux_fixup::memory::Stamped;
use liblinux_fixup::{Error, Fault, Kernel, Memory};

/// All memory of the process.
#[derive(Clone, Copy, Debug)]
pub struct User;

/// The outcome of an access, by the value of `rdi` behind it.
#[inline(always)]
fn outcome<T>(trap: u64, value: T) -> Result<T, Fault> {
    if trap == 0 { Ok(value) } else { Err(Fault) }
}

impl Memory for User {
    #[inline(always)]
    fn load(&self, address: u64) -> Result<u64, Fault> {
        let (value, trap);
        load!(
            "mov {value}, [{address}]",
            value = lateout(reg) value, address = in(reg) address, inlateout("rdi") 0_u64 => trap
        );
        outcome(trap, value)
    }

    #[inline(always)]
    fn load_half(&self, address: u64) -> Result<u32, Fault> {
        let (value, trap): (u32, u64);
        load!(
            "mov {value:e}, [{address}]",
            value = lateout(reg) value, address = in(reg) address, inlateout("rdi") 0_u64 => trap
        );
        outcome(trap, value)
    }

    #[inline(always)]
    fn store(&self, address: u64, value: u64) -> Result<(), Fault> {
        store_u64(core::ptr::with_exposed_provenance_mut(address as usize), value)
    }

    #[inline(always)]
    fn exchange(&self, address: u64, old: u64, new: u64) -> Result<bool, Fault> {
        let (equal, trap): (u8, u64);
        // SAFETY: exchanges a word of memory that the caller of the image gave for it, or faults
        // and says so; the registers that are changed, here or by the kernel for the landing, are
        // declared.
        unsafe {
            asm!(
                "20: lock cmpxchg [{address}], {new}",
                "21: sete {equal}",
                on_fault!("20b", "21b"),
                address = in(reg) address,
                new = in(reg) new,
                equal = lateout(reg_byte) equal,
                inlateout("rax") old => _,
                inlateout("rdi") 0_u64 => trap,
                lateout("rsi") _,
                lateout("rdx") _,
                options(nostack),
            );
        }
        outcome(trap, equal != 0)
    }

    /// A processor without the instruction raises an exception too, which counts as a fault.
    #[inline(always)]
    fn exchange_cell(&self, address: u64, old: Stamped, new: Stamped) -> Result<bool, Fault> {
        let (equal, trap): (u64, u64);
        // SAFETY: as above. The compiler keeps `rbx` for itself, so it is put back in any case.
        unsafe {
            asm!(
                "xchg rbx, {value}",
                "20: lock cmpxchg16b [r8]",
                "21: mov rbx, {value}",
                "sete al",
                on_fault!("20b", "21b"),
                value = inlateout(reg) new.value => _,
                in("r8") address,
                in("rcx") new.generation,
                inlateout("rax") old.value => equal,
                inlateout("rdi") 0_u64 => trap,
                lateout("rsi") _,
                inlateout("rdx") old.generation => _,
                options(nostack),
            );
        }
        outcome(trap, equal as u8 != 0)
    }

    #[inline(always)]
    fn pause(&self) {
        spin_loop();
    }
}

impl Kernel for User {
    #[inline(always)]
    fn attached(&self) -> Result<(u64, u64), Error> {
        private::attached()
    }

    #[inline(always)]
    fn attach(&self, area: u64, size: u64) -> isize {
        private::attach(area, size)
    }

    #[inline(always)]
    fn mark(&self, start: u64, len: u64) -> isize {
        private::mark(start, len)
    }

    #[inline(always)]
    fn marked(&self, start: u64, len: u64) -> Option<bool> {
        match private::marked(start, len) {
            MARKED => Some(true),
            UNMARKED => Some(false),
            _ => None,
        }
    }
}
