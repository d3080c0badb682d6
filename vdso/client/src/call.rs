//! The system calls by name.

use liblinux_abi::for_each_syscall;
use liblinux_abi::syscall::{SYSCALLS, Syscall};

macro_rules! calls {
    ($($number:literal $name:ident $kind:ident($($parameter:literal),*) $($note:literal)*;)*) => {
        /// A system call, by the kernel's name.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[repr(u16)]
        pub enum Call {
            $(
                #[doc = concat!("Number ", stringify!($number), ".")]
                $name,
            )*
        }

        /// Every call, in the order of the table.
        const ALL: [Call; SYSCALLS.len()] = [$(Call::$name),*];
    };
}

for_each_syscall!(calls);

/// The type that an entry takes: the method's, or the one behind `as`.
macro_rules! entry_type {
    ($method:ty) => {
        $method
    };
    ($method:ty, $entry:ty) => {
        $entry
    };
}

/// Makes the methods of [`Vdso`](crate::Vdso) for rows such as `close(fd: c_int as c_uint) ->
/// usize;`.
///
/// Behind `as` is the type of the entry's parameter, behind `=>` that of its result, where these
/// are others. A result of 32 bits says nothing about the upper half of the register.
macro_rules! methods {
    ($(
        $(#[$doc:meta])*
        $name:ident($($parameter:ident: $type:ty $(as $entry:ty)?),*) -> $result:ty $(=> $returned:ty)?;
    )*) => {
        /// The system calls.
        ///
        /// Each is unsafe, and its section *Safety* says what the caller has to see to.
        #[expect(unsafe_code, reason = "calls entries of the image")]
        impl crate::Vdso {
            $(
                $(#[$doc])*
                #[inline]
                pub unsafe fn $name(&self, $($parameter: $type),*) -> Result<$result, crate::Errno> {
                    type Entry =
                        unsafe extern "C" fn($(crate::call::entry_type!($type $(, $entry)?)),*)
                            -> crate::call::entry_type!(isize $(, $returned)?);
                    let Some(address) = self.entry(crate::Call::$name) else {
                        let arguments = [$($parameter as crate::call::entry_type!($type $(, $entry)?) as usize),*];
                        // SAFETY: the caller's contract.
                        let made = unsafe { self.without_entry(crate::Call::$name, &arguments) };
                        return made.map(|value| value as $result);
                    };
                    // SAFETY: the image exports a function of this type there (`Vdso`, invariant
                    // 1).
                    let entry = unsafe { core::mem::transmute::<usize, Entry>(address) };
                    // SAFETY: the caller's contract.
                    let returned = unsafe { entry($($parameter as crate::call::entry_type!($type $(, $entry)?)),*) };
                    crate::Errno::result(returned as isize).map(|value| value as $result)
                }
            )*
        }
    };
}

pub(crate) use entry_type;
pub(crate) use methods;

impl Call {
    /// How many calls there are.
    pub(crate) const COUNT: usize = SYSCALLS.len();

    /// Every call, ascending by number.
    pub fn all() -> impl Iterator<Item = Self> {
        ALL.into_iter()
    }

    /// The row of the table.
    pub const fn row(self) -> &'static Syscall {
        &SYSCALLS[self as usize]
    }

    /// The number by which the kernel knows it.
    pub const fn number(self) -> u32 {
        self.row().number
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_its_row() {
        assert_eq!(Call::all().count(), SYSCALLS.len());
        for (call, row) in Call::all().zip(SYSCALLS) {
            assert_eq!(format!("{call:?}"), row.name);
            assert_eq!(call.number(), row.number);
        }
    }
}
