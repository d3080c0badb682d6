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

/// Makes the methods of [`Vdso`](crate::Vdso) for rows such as `close(fd: c_uint);`.
macro_rules! methods {
    ($($(#[$doc:meta])* $name:ident($($parameter:ident: $type:ty),*);)*) => {
        /// The system calls. Each is unsafe, because only the caller knows what it does to memory, descriptors, signals and
        /// threads of the process.
        #[expect(unsafe_code, reason = "calls entries of the image")]
        impl crate::Vdso {
            $(
                $(#[$doc])*
                ///
                /// # Safety
                ///
                /// The call must leave this process in a state that Rust can live with.
                #[inline]
                pub unsafe fn $name(&self, $($parameter: $type),*) -> Result<usize, crate::Errno> {
                    let Some(address) = self.entry(crate::Call::$name) else {
                        // SAFETY: the caller's contract.
                        return unsafe { self.without_entry(crate::Call::$name, &[$($parameter as usize),*]) };
                    };
                    type Entry = unsafe extern "C" fn($($type),*) -> isize;
                    // SAFETY: the image exports a function of this type there (`Vdso`, invariant 1).
                    let entry = unsafe { core::mem::transmute::<usize, Entry>(address) };
                    // SAFETY: the caller's contract.
                    crate::Errno::result(unsafe { entry($($parameter),*) })
                }
            )*
        }
    };
}

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
