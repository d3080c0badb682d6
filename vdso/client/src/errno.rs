//! Why a call failed.

use core::fmt;
use liblinux_abi::kernel::error;

/// An error number of the kernel, or that there is no entry to call.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Errno(u16);

/// `ENOSYS`, as a number of the kernel.
const ENOSYS: u16 = liblinux_abi::kernel::errno::ENOSYS as u16;

impl Errno {
    /// The image has no entry for the call, and none was made. As a number it is `ENOSYS`.
    ///
    /// It is kept apart from the kernel's `ENOSYS`: this one goes away with a newer image, or with
    /// [`Vdso::or_syscall`](crate::Vdso::or_syscall).
    pub const NO_ENTRY: Self = Self(u16::MAX);

    /// The error with a number; `None` if the kernel returns no such number.
    pub const fn new(number: u16) -> Option<Self> {
        if 1 <= number && number <= error::MAX { Some(Self(number)) } else { None }
    }

    /// The number, as in `errno.h`.
    pub const fn number(self) -> u16 {
        if self.0 == Self::NO_ENTRY.0 { ENOSYS } else { self.0 }
    }

    /// The name, as in `errno.h`; none for a number that has none.
    pub const fn name(self) -> Option<&'static str> {
        error::name(self.number())
    }

    /// What an entry returned: a value, or an error number below zero.
    pub const fn result(returned: isize) -> Result<usize, Self> {
        if returned >= 0 || returned < -(error::MAX as isize) {
            Ok(returned.cast_unsigned())
        } else {
            Err(Self(returned.unsigned_abs() as u16))
        }
    }
}

impl fmt::Display for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if *self == Self::NO_ENTRY {
            return f.write_str(
                "the vDSO has no entry for this call (ENOSYS): it is an older image or the kernel's own; \
                 run on a kernel with liblinux, or ask for the bare instruction with `or_syscall`",
            );
        }
        match self.name() {
            Some(name) => write!(f, "{name} (errno {})", self.0),
            None => write!(f, "errno {}", self.0),
        }
    }
}

impl fmt::Debug for Errno {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl core::error::Error for Errno {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_page_is_errors_and_nothing_else_is() {
        assert_eq!(Errno::result(0), Ok(0));
        assert_eq!(Errno::result(isize::MAX), Ok(isize::MAX as usize));
        assert_eq!(Errno::result(-1), Err(Errno(1)));
        assert_eq!(Errno::result(-4095), Err(Errno(4095)));
        // The address of a mapping in the upper half would be a value.
        assert_eq!(Errno::result(-4096), Ok(-4096_isize as usize));
        assert_eq!(Errno::new(0), None);
        assert_eq!(Errno::new(4096), None);
    }

    #[test]
    fn says_what_it_is() {
        assert_eq!(Errno(2).to_string(), "ENOENT (errno 2)");
        assert_eq!(Errno(999).to_string(), "errno 999");
        assert!(Errno::NO_ENTRY.to_string().contains("no entry"));
        assert_eq!(Errno::NO_ENTRY.number(), 38);
        assert_ne!(Some(Errno::NO_ENTRY), Errno::new(38));
    }
}
