//! The names that readers ask for, by machine.
//!
//! # Invariants
//!
//! 1. A reader that does not read images of a machine asks for no name there.

use crate::machine::{ARM, ARM64, I386, Machine, RISCV64, X32, X86_64};

/// A function that a reader asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Name {
    /// The function.
    pub symbol: &'static str,
    /// The version node that a reader of versions demands.
    pub version: &'static str,
}

/// The machine that an ELF file is for, if it is one that readers have names for.
pub fn machine_of(image: &[u8]) -> Option<&'static Machine> {
    let is_elf = image.starts_with(b"\x7fELF") && *image.get(5)? == 1;
    let number = u16::from_le_bytes([*image.get(18)?, *image.get(19)?]);
    let class = *image.get(4)?;
    let all = [&X86_64, &X32, &I386, &ARM64, &ARM, &RISCV64];
    all.into_iter()
        .find(|machine| is_elf && machine.number == number && machine.class as u8 == class)
}

/// Functions of one version.
macro_rules! names {
    ($version:literal: $($symbol:literal)*) => {
        &[$(Name { symbol: $symbol, version: $version }),*]
    };
}
pub(super) use names;

/// All functions that some reader asks for.
pub(super) fn all(machine: &Machine) -> &'static [Name] {
    match machine.name {
        "x86-64" | "x32" => names!("LINUX_2.6":
            "__vdso_clock_gettime" "__vdso_gettimeofday" "__vdso_time" "__vdso_getcpu"
            "__vdso_clock_getres" "__vdso_getrandom"),
        "i386" => names!("LINUX_2.6":
            "__vdso_clock_gettime64" "__vdso_clock_gettime" "__vdso_gettimeofday" "__vdso_time"
            "__vdso_clock_getres"),
        "arm64" => names!("LINUX_2.6.39":
            "__kernel_clock_gettime" "__kernel_gettimeofday" "__kernel_clock_getres"),
        "arm" => names!("LINUX_2.6":
            "__vdso_clock_gettime64" "__vdso_clock_gettime" "__vdso_gettimeofday"
            "__vdso_clock_getres"),
        "riscv64" => names!("LINUX_4.15":
            "__vdso_clock_gettime" "__vdso_gettimeofday" "__vdso_getcpu" "__vdso_clock_getres"),
        _ => &[],
    }
}
