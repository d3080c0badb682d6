//! Why a call failed.

use core::fmt;
use core::num::TryFromIntError;
use liblinux_abi::for_each_error;
use liblinux_abi::kernel::errno;

/// An error number of the kernel, or the fact that the image has no entry for the call.
///
/// It has a constant for each error of `errno.h`, so that errors can be matched:
///
/// ```
/// use liblinux::{Errno, Vdso};
///
/// # let vdso = Vdso::find().unwrap().or_syscall();
/// // SAFETY: a string, and the descriptor would be new.
/// match unsafe { vdso.openat(-100, c"/nonesuch".as_ptr(), 0, 0) } {
///     Err(Errno::ENOENT) => {}
///     other => panic!("{other:?}"),
/// }
/// ```
///
/// Conversions: [`From`] into `i32` and, with the feature `std`, into `std::io::Error`; [`TryFrom`]
/// from `i32`, from `u32` (the type of the constants of `linux-raw-sys`), and from
/// `&std::io::Error`.
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
        if 1 <= number && number <= errno::MAX { Some(Self(number)) } else { None }
    }

    /// The number, as in `errno.h`.
    pub const fn number(self) -> u16 {
        if self.0 == Self::NO_ENTRY.0 { ENOSYS } else { self.0 }
    }

    /// The number, as `std::io::Error::raw_os_error` has it.
    pub const fn raw_os_error(self) -> i32 {
        self.number() as i32
    }

    /// The error with a number, as `std::io::Error::raw_os_error` has it; `None` if the kernel
    /// returns no such number.
    pub const fn from_raw_os_error(number: i32) -> Option<Self> {
        if 1 <= number && number <= errno::MAX as i32 { Self::new(number as u16) } else { None }
    }

    /// The name, as in `errno.h`; none for a number that has none.
    pub const fn name(self) -> Option<&'static str> {
        errno::name(self.number())
    }

    /// The result of an entry: a value, or an error number below zero.
    pub const fn result(returned: isize) -> Result<usize, Self> {
        if returned >= 0 || returned < -(errno::MAX as isize) {
            Ok(returned.cast_unsigned())
        } else {
            Err(Self(returned.unsigned_abs() as u16))
        }
    }
}

macro_rules! constants {
    ($($number:literal $name:ident;)*) => {
        /// The errors of `errno.h`.
        impl Errno {
            $(
                #[doc = concat!("`", stringify!($name), "`, number ", stringify!($number), ".")]
                pub const $name: Self = Self($number);
            )*
            /// Another name of [`Errno::EAGAIN`].
            pub const EWOULDBLOCK: Self = Self::EAGAIN;
            /// Another name of [`Errno::EDEADLK`].
            pub const EDEADLOCK: Self = Self::EDEADLK;
            /// Another name of [`Errno::EOPNOTSUPP`].
            pub const ENOTSUP: Self = Self::EOPNOTSUPP;
        }
    };
}
for_each_error!(constants);

impl From<Errno> for i32 {
    fn from(errno: Errno) -> Self {
        errno.raw_os_error()
    }
}

impl TryFrom<i32> for Errno {
    type Error = NotAnError;

    fn try_from(number: i32) -> Result<Self, NotAnError> {
        Self::from_raw_os_error(number).ok_or(NotAnError)
    }
}

impl TryFrom<u32> for Errno {
    type Error = NotAnError;

    fn try_from(number: u32) -> Result<Self, NotAnError> {
        Self::try_from(i32::try_from(number)?)
    }
}

#[cfg(feature = "std")]
impl From<Errno> for std::io::Error {
    fn from(errno: Errno) -> Self {
        Self::from_raw_os_error(errno.raw_os_error())
    }
}

/// An error that the operating system did not give has no number.
#[cfg(feature = "std")]
impl TryFrom<&std::io::Error> for Errno {
    type Error = NotAnError;

    fn try_from(error: &std::io::Error) -> Result<Self, NotAnError> {
        error.raw_os_error().and_then(Self::from_raw_os_error).ok_or(NotAnError)
    }
}

/// A number is not one that the kernel returns for an error: these are 1 to 4095.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAnError;

impl From<TryFromIntError> for NotAnError {
    fn from(_: TryFromIntError) -> Self {
        Self
    }
}

impl fmt::Display for NotAnError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("this is not an error number of the kernel: these are 1 to 4095")
    }
}

impl core::error::Error for NotAnError {}

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

    #[test]
    fn constants_are_the_numbers_of_their_names() {
        assert_eq!(Errno::EPERM.name(), Some("EPERM"));
        assert_eq!(Errno::EHWPOISON.number(), 133);
        for (synonym, name) in errno::SYNONYMS {
            let constant = match synonym {
                "EWOULDBLOCK" => Errno::EWOULDBLOCK,
                "EDEADLOCK" => Errno::EDEADLOCK,
                "ENOTSUP" => Errno::ENOTSUP,
                _ => panic!("{synonym} has no constant"),
            };
            assert_eq!(constant.name(), Some(name));
        }
    }

    #[test]
    fn numbers_convert_both_ways() {
        for (number, _) in errno::ERRORS {
            let errno = Errno::new(*number).unwrap();
            assert_eq!(Errno::try_from(i32::from(errno)), Ok(errno));
            assert_eq!(Errno::try_from(u32::from(*number)), Ok(errno));
        }
        assert_eq!(i32::from(Errno::NO_ENTRY), 38);
        for wrong in [0, -1, 4096, i32::MIN, i32::MAX] {
            assert_eq!(Errno::try_from(wrong), Err(NotAnError));
        }
        assert_eq!(Errno::try_from(u32::MAX), Err(NotAnError));
    }

    #[cfg(feature = "std")]
    #[test]
    fn errors_of_std_convert_both_ways() {
        let error = std::io::Error::from(Errno::EEXIST);
        assert_eq!(error.kind(), std::io::ErrorKind::AlreadyExists);
        assert_eq!(Errno::try_from(&error), Ok(Errno::EEXIST));
        assert_eq!(Errno::try_from(&std::io::Error::other("ours")), Err(NotAnError));
        let question_mark = || -> std::io::Result<()> { Err(Errno::EINTR)? };
        assert_eq!(question_mark().unwrap_err().kind(), std::io::ErrorKind::Interrupted);
    }
}
