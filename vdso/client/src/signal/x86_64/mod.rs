//! x86-64: the handler's code, as it is copied to pages of its own.

#![expect(unsafe_code, reason = "names code in assembly")]

use core::slice;

liblinux_abi::signal_handler!(
    ".pushsection .rodata.liblinux_handler, \"a\", @progbits",
    // The compiler may put the code that copies it into another object.
    ".globl liblinux_handler_page",
    ".hidden liblinux_handler_page",
    ".globl liblinux_handler_end",
    ".hidden liblinux_handler_end",
    include_str!("handler.s"),
    ".popsection"
);

unsafe extern "C" {
    static liblinux_handler_page: u8;
    static liblinux_handler_end: u8;
}

/// The content of the first of the handler's pages: the signature, then the code.
pub(crate) fn handler() -> &'static [u8] {
    let (start, end) = (&raw const liblinux_handler_page, &raw const liblinux_handler_end);
    // SAFETY: both are in one section, which is never written.
    unsafe { slice::from_raw_parts(start, end.addr() - start.addr()) }
}
