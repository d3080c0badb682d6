//! The program `liblinux-run`.
//!
//! It has a C `main`, because the standard library changes a process before it calls a Rust one.
//! The program that this process becomes would ignore `SIGPIPE`, and would find standard streams
//! open that the user had closed.
#![no_main]
#![expect(unsafe_code, reason = "exports a C function")]

use std::ffi::{c_char, c_int};

/// The standard library finds the arguments by itself.
#[unsafe(no_mangle)]
pub extern "C" fn main(_count: c_int, _arguments: *const *const c_char) -> c_int {
    liblinux_run::cli::run().into()
}
