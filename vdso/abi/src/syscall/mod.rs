// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The native x86-64 system-call table, one row per call that Linux 7.3 implements.
//!
//! An older kernel line lacks the newest calls: there the same entry answers `-ENOSYS`, as the
//! kernel does. [`since`] says which calls these are.
//!
//! `table.rs` is the one place where a system call is written down. The image's slots, the version
//! script, the ABI lock, the checker's expectations, the C header and the tests are all made from
//! these rows, through [`for_each_syscall!`](crate::for_each_syscall) where a macro is needed and
//! through [`SYSCALLS`] everywhere else.
//!
//! # Invariants
//!
//! 1. Rows ascend by number; numbers and names are unique (asserted at compile time).
//! 2. A row exists exactly for the calls that the kernel implements: a table entry with an entry
//!    point other than `sys_ni_syscall` (a test compares with the source of each kernel line).
//! 3. A row never changes its number, and so never its slot: see [`crate::image::layout::slot`].

pub mod ctype;
pub mod descriptor;
pub mod hazard;
pub mod legacy;
pub mod manual;
pub mod pointer;
pub mod since;
pub mod standard;
#[macro_use]
mod table;

/// How the image provides a system call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The 15-byte stub: number, `syscall`, return.
    Stub,
    /// Written by hand, because a plain stub cannot work for the reason given.
    Custom {
        /// Why a plain stub cannot work.
        because: &'static str,
    },
    /// A standard vDSO function: it answers from user space and falls back on the plain stub in the
    /// call's slot.
    Standard,
    /// Superseded by newer calls that can do all of its work: its entry is a function over them.
    /// See [`crate::syscall::legacy`].
    Legacy {
        /// The calls that the function makes, the one that supersedes it first.
        successors: &'static [&'static str],
    },
    /// Not exported.
    Absent {
        /// Why no function is offered.
        because: &'static str,
    },
}

/// One system call.
#[derive(Clone, Copy, Debug)]
pub struct Syscall {
    /// The number in `rax`.
    pub number: u32,
    /// The kernel's name.
    pub name: &'static str,
    /// The image's name for it, `__vdso_` and the kernel's name.
    pub symbol: &'static str,
    /// C declarations of the parameters, in order.
    pub parameters: &'static [&'static str],
    /// How the image provides it.
    pub kind: Kind,
}

impl Syscall {
    /// Whether the image exports an entry for it.
    pub const fn is_exported(&self) -> bool {
        !matches!(self.kind, Kind::Absent { .. })
    }

    /// Whether the call's slot holds the plain stub.
    pub const fn has_plain_stub(&self) -> bool {
        matches!(self.kind, Kind::Stub | Kind::Standard)
    }

    /// Whether the call's entry is written by hand, in its slot or in a body that the slot leads
    /// to.
    pub const fn is_hand_written(&self) -> bool {
        matches!(self.kind, Kind::Custom { .. } | Kind::Legacy { .. })
    }

    /// The calls that a legacy call's function makes; none for all other kinds.
    pub const fn successors(&self) -> &'static [&'static str] {
        match self.kind {
            Kind::Legacy { successors } => successors,
            _ => &[],
        }
    }
}

/// The number of the call `name`.
///
/// # Panics
///
/// If the table has no such call.
pub const fn number(name: &str) -> u32 {
    let mut row = 0;
    while row < SYSCALLS.len() {
        if equal(SYSCALLS[row].name.as_bytes(), name.as_bytes()) {
            return SYSCALLS[row].number;
        }
        row += 1;
    }
    panic!("no such system call")
}

const fn equal(a: &[u8], b: &[u8]) -> bool {
    let mut index = 0;
    while index < a.len() && index < b.len() && a[index] == b[index] {
        index += 1;
    }
    index == a.len() && index == b.len()
}

/// Finds the row of a call by its kernel name.
pub fn find(name: &str) -> Option<&'static Syscall> {
    SYSCALLS.iter().find(|call| call.name == name)
}

macro_rules! kind {
    (stub) => {
        Kind::Stub
    };
    (standard) => {
        Kind::Standard
    };
    (custom $note:literal) => {
        Kind::Custom { because: $note }
    };
    (legacy $($note:literal)+) => {
        Kind::Legacy { successors: &[$($note),+] }
    };
    (absent $note:literal) => {
        Kind::Absent { because: $note }
    };
}

macro_rules! rows {
    ($($number:literal $name:ident $kind:ident($($parameter:literal),*) $($note:literal)*;)*) => {
        &[$(Syscall {
            number: $number,
            name: stringify!($name),
            symbol: concat!("__vdso_", stringify!($name)),
            parameters: &[$($parameter),*],
            kind: kind!($kind $($note)*),
        }),*]
    };
}

/// Every row, ascending by number.
pub const SYSCALLS: &[Syscall] = for_each_syscall!(rows);

const _: () = {
    let mut row = 1;
    while row < SYSCALLS.len() {
        assert!(SYSCALLS[row - 1].number < SYSCALLS[row].number, "rows must ascend by number");
        row += 1;
    }
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn successors_are_rows_of_their_own() {
        let mut legacy = 0;
        for call in SYSCALLS {
            for successor in call.successors() {
                let modern = find(successor)
                    .unwrap_or_else(|| panic!("{}: no row for {successor}", call.name));
                assert!(
                    modern.successors().is_empty(),
                    "{}: {successor} is legacy itself",
                    call.name
                );
                legacy += 1;
            }
        }
        assert!(legacy > 0, "no legacy rows were compared");
    }

    #[test]
    fn numbers_are_found_by_name() {
        assert_eq!(number("read"), 0);
        assert_eq!(number("readv"), 19);
    }

    #[test]
    fn names_are_unique() {
        let mut names: std::vec::Vec<_> = SYSCALLS.iter().map(|call| call.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), SYSCALLS.len());
    }
}
