//! What the tests know of one architecture: its instructions, registers and unwind rules, a folder
//! for each.

#[cfg(target_arch = "x86_64")]
mod x86_64;
#[cfg(target_arch = "x86_64")]
pub use x86_64::{alternatives, code, counter, landing, stepper, unwinder};
