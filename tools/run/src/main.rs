//! The program `liblinux-run`.
//!
//! It has a C `main`: before a Rust one, the standard library changes what a program inherits. `SIGPIPE` would be ignored
//! in the program that we become, and standard streams that the user closed would be open.
#![no_main]
#![expect(unsafe_code, reason = "exports a C function")]

use std::ffi::{c_char, c_int};

/// The standard library finds the arguments by itself.
#[unsafe(no_mangle)]
pub extern "C" fn main(_count: c_int, _arguments: *const *const c_char) -> c_int {
    liblinux_run::cli::run().into()
}
