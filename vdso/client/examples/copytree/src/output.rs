//! Messages, written without allocation.

#![expect(unsafe_code, reason = "writes by a system call")]

use core::fmt::{self, Write};
use liblinux::Vdso;

/// Standard output.
pub(crate) const STDOUT: i32 = 1;

/// Standard error.
pub(crate) const STDERR: i32 = 2;

/// Collects a message, so that it is one call of `write`.
pub(crate) struct Output {
    text: [u8; 1024],
    length: usize,
}

impl Output {
    /// An empty message.
    pub(crate) const fn new() -> Self {
        Self { text: [0; 1024], length: 0 }
    }

    /// Writes the message. A failure cannot be reported.
    pub(crate) fn write(&self, vdso: &Vdso, descriptor: i32) {
        // SAFETY: `length` bytes of `text` are filled.
        let _ = unsafe { vdso.write(descriptor, self.text.as_ptr().cast(), self.length) };
    }
}

impl Write for Output {
    /// Takes what still fits.
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let free = &mut self.text[self.length..];
        let count = text.len().min(free.len());
        free[..count].copy_from_slice(&text.as_bytes()[..count]);
        self.length += count;
        Ok(())
    }
}

/// Writes a formatted message.
macro_rules! say {
    ($vdso:expr, $descriptor:expr, $($message:tt)*) => {{
        let mut output = Output::new();
        let _ = core::fmt::Write::write_fmt(&mut output, format_args!($($message)*));
        output.write($vdso, $descriptor);
    }};
}

pub(crate) use say;
