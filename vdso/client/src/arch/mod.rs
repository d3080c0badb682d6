//! The parts that differ from processor to processor.

#[cfg(target_arch = "x86_64")]
mod x86_64;

#[cfg(target_arch = "x86_64")]
pub(crate) use x86_64::{MACHINE, bare, clone3, own, probe, syscall};
