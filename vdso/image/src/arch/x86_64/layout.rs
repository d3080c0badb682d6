// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The numbers that the linker script takes from the tables, as absolute symbols of the object.
//!
//! So the script needs no generated file, and a build of the image no options that repeat a table.
//!
//! # Invariants
//!
//! 1. A name that the linker script uses and that is not here does not link.

#![expect(unsafe_code, reason = "defines symbols in assembly")]

use core::arch::global_asm;
use liblinux_abi::image::layout::{
    BODIES, CANCEL, CANCELLABLE, FIXUPS, HOT, LIBRARY, PAGE_SIZE, PRIVATE, ROBUST, SGX, SLOTS,
    TEXT, TICK,
};
use liblinux_abi::kernel::datapage::{DATA_SIZE, LAYOUT};

/// The value of a name; without it the image does not compile.
const fn value(name: &str, all: &[(&str, usize)]) -> usize {
    let mut at = 0;
    while !is_equal(all[at].0, name) {
        at += 1;
    }
    all[at].1
}

const fn is_equal(one: &str, other: &str) -> bool {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    let mut at = 0;
    while at < one.len() && at < other.len() && one[at] == other[at] {
        at += 1;
    }
    at == one.len() && at == other.len()
}

macro_rules! symbols {
    ($($name:literal = $value:expr;)*) => {
        global_asm!(
            $(concat!(".globl LAYOUT_", $name, "\n.set LAYOUT_", $name, ", {}"),)*
            $(const $value,)*
        );
    };
}

symbols! {
    "PRIVATE" = PRIVATE;
    "TICK" = TICK;
    "TEXT" = TEXT;
    "LIBRARY" = LIBRARY;
    "SGX" = SGX;
    "ROBUST" = ROBUST;
    "CANCELLABLE" = CANCELLABLE;
    "CANCEL" = CANCEL;
    "FIXUPS" = FIXUPS;
    "SLOTS" = SLOTS;
    "BODIES" = BODIES;
    "PAGE_SIZE" = PAGE_SIZE;
    "DATA_SIZE" = DATA_SIZE;
    "HOT_clock_gettime" = value("clock_gettime", &HOT);
    "HOT_gettimeofday" = value("gettimeofday", &HOT);
    "HOT_time" = value("time", &HOT);
    "HOT_clock_getres" = value("clock_getres", &HOT);
    "HOT_getcpu" = value("getcpu", &HOT);
    "HOT_getrandom" = value("getrandom", &HOT);
    "DATA_vdso_u_time_data" = value("vdso_u_time_data", &LAYOUT.symbols);
    "DATA_timens_page" = value("timens_page", &LAYOUT.symbols);
    "DATA_vdso_u_rng_data" = value("vdso_u_rng_data", &LAYOUT.symbols);
    "DATA_pvclock_page" = value("pvclock_page", &LAYOUT.symbols);
    "DATA_hvclock_page" = value("hvclock_page", &LAYOUT.symbols);
}
