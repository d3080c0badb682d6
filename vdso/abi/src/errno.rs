//! Error numbers that the image returns itself.
//!
//! Source: `include/uapi/asm-generic/errno-base.h` and `errno.h` of Linux 6.12.

/// `EFAULT`: bad address.
pub const EFAULT: isize = 14;

/// `EINVAL`: invalid argument.
pub const EINVAL: isize = 22;

/// `ENOSYS`: not implemented.
pub const ENOSYS: isize = 38;
