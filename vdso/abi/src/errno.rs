//! Error numbers that the image returns itself.
//!
//! Source: `include/uapi/asm-generic/errno-base.h` and `errno.h` of Linux 6.12.

/// `EFAULT`: bad address.
pub const EFAULT: isize = 14;

/// `ENOSYS`: not implemented.
pub const ENOSYS: isize = 38;
