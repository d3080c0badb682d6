//! The command.

#![no_main]
#![expect(unsafe_code, reason = "the C library calls this")]

use nix::libc::{c_char, c_int};
use std::ffi::{CStr, OsStr};
use std::os::unix::ffi::OsStrExt as _;

/// The C library's start calls this, and not Rust's, which would change the actions of signals that
/// the program inherits.
///
/// # Safety
///
/// The arguments are those of a program in C.
// SAFETY: a program has one function of this name.
#[unsafe(no_mangle)]
unsafe extern "C" fn main(count: c_int, words: *const *const c_char) -> c_int {
    let words = (0..count.cast_unsigned() as usize).map(|index| {
        // SAFETY: there are `count` words.
        let word = unsafe { words.add(index) };
        // SAFETY: as above.
        let word = unsafe { word.read() };
        // SAFETY: each is a C string.
        let word = unsafe { CStr::from_ptr(word) };
        OsStr::from_bytes(word.to_bytes()).to_owned()
    });
    liblinux_run32::run(words.skip(1))
}
