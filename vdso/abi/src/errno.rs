//! Error numbers that the image returns itself, and those by which the client knows the kernel's answer from a filter's.
//!
//! Source: `include/uapi/asm-generic/errno-base.h` and `errno.h` of Linux 6.12.

/// `ENOENT`: no such thing.
pub const ENOENT: isize = 2;

/// `EINTR`: interrupted.
pub const EINTR: isize = 4;

/// `EAGAIN`: try again.
pub const EAGAIN: isize = 11;

/// `ENOMEM`: no memory, or not mapped.
pub const ENOMEM: isize = 12;

/// `EFAULT`: bad address.
pub const EFAULT: isize = 14;

/// `EBUSY`: in use.
pub const EBUSY: isize = 16;

/// `EEXIST`: there already.
pub const EEXIST: isize = 17;

/// `EINVAL`: invalid argument.
pub const EINVAL: isize = 22;

/// `ENOSPC`: no room left.
pub const ENOSPC: isize = 28;

/// `ERANGE`: too small for the result.
pub const ERANGE: isize = 34;

/// `ENOSYS`: not implemented.
pub const ENOSYS: isize = 38;
