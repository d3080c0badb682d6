//! An argument of a call, and what it refers to.

use super::descriptors::PIPE_READER;
use Argument::{Buffer, Ready, Text, Value, Vector, Zeros};
use std::ffi::CStr;
use std::fmt;
use std::sync::atomic::AtomicU64;

/// One argument.
#[derive(Clone, Copy, Debug)]
pub(super) enum Argument {
    /// This value.
    Value(u64),
    /// A pointer to this text.
    Text(&'static CStr),
    /// A pointer into the buffer, which holds [`BUFFER_BEFORE`] before the call.
    Buffer(u64),
    /// A pointer to one `struct iovec`, the first [`VECTOR_SIZE`] bytes of the buffer.
    Vector,
    /// A pointer to zeros: a time of zero, an empty signal set, no flags.
    Zeros,
    /// A pointer to one `struct pollfd`, which asks whether the pipe can be read. It can.
    Ready,
}

/// The arguments of one call.
#[derive(Clone, Copy, Debug)]
pub(super) struct Set([Argument; 6]);

/// A value that is not a pointer, not a descriptor and not a combination of flags.
pub(super) const ONES: u64 = u64::MAX;

/// Bytes of the buffer that calls are given.
pub(super) const BUFFER: usize = 4096;

/// What the buffer holds before each call: zeros, and at 2048 a length of 128 for calls that read
/// one.
pub(super) const BUFFER_BEFORE: [u8; BUFFER] = {
    let mut bytes = [0; BUFFER];
    bytes[2048] = 128;
    bytes
};

/// Bytes that the vector covers.
pub(super) const VECTOR_SIZE: u64 = 16;

/// Writable, for the kernel writes remaining times back.
static ZEROS: [AtomicU64; 32] = [const { AtomicU64::new(0) }; 32];

/// `struct pollfd { int fd; short events; short revents; }` with `POLLIN`. Kept in a page that the
/// kernel may write to: it writes `revents` there, into the child's copy.
static READY: AtomicU64 = AtomicU64::new(PIPE_READER | 1 << 32);

impl Set {
    pub(super) const fn new(arguments: &[Argument]) -> Self {
        let mut six = [Value(0); 6];
        let mut index = 0;
        while index < arguments.len() {
            six[index] = arguments[index];
            index += 1;
        }
        Self(six)
    }

    /// Whether it is the one that every call is tried with.
    pub(super) fn is_default(&self) -> bool {
        self.0.iter().all(|argument| matches!(argument, Value(ONES)))
    }

    /// The values of the registers.
    pub(super) fn resolve(&self, buffer: u64, vector: u64) -> [u64; 6] {
        self.0.map(|argument| match argument {
            Value(value) => value,
            Text(text) => text.as_ptr().expose_provenance() as u64,
            Buffer(offset) => buffer + offset,
            Vector => vector,
            Zeros => (&raw const ZEROS).expose_provenance() as u64,
            Ready => (&raw const READY).expose_provenance() as u64,
        })
    }
}

impl fmt::Display for Set {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, argument) in self.0.iter().enumerate() {
            f.write_str(if index == 0 { "" } else { ", " })?;
            match argument {
                Value(value) => write!(f, "{}", value.cast_signed())?,
                Text(text) => write!(f, "{text:?}")?,
                other => write!(f, "{other:?}")?,
            }
        }
        Ok(())
    }
}
