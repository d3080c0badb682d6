//! What differs between architectures: how a system call is made, and how an entry of the image is
//! called.

#[cfg(target_arch = "x86_64")]
mod x86_64;
#[cfg(target_arch = "x86_64")]
pub(crate) use x86_64::{Frame, STATUS_FLAGS, call, syscall};
