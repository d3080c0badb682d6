// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The names that the image exports, and the ELF names that loaders look for.
//!
//! # Invariants
//!
//! 1. Every export is in the one version node [`VERSION`]: a node per release would make programs
//!    that link against it unrunnable on older kernels, while a missing symbol can be probed for.
//! 2. A standard function is exported under both of its names at the same address: `__vdso_NAME`
//!    (global) and `NAME` (weak), as in the C image.
//! 3. No name is longer than [`NAME_MAX`], but for the kernel's own.

use crate::syscall::since::{self, OLDEST};
use crate::syscall::{Kind, SYSCALLS, Syscall};

/// The version node of all exports; the one that every libc asks for.
pub const VERSION: &str = "LINUX_2.6";

/// `DT_SONAME`, the name under which glibc lists the vDSO.
pub const SONAME: &str = "linux-vdso.so.1";

/// The longest name that CRIU's symbol table holds (`vdso_symbol.name[32]`).
pub const NAME_MAX: usize = 31;

/// `__vdso_syscall(nr, a1, ..., a6)`: any system call by its number.
pub const SYSCALL: &str = "__vdso_syscall";

/// `__vdso_syscall_cancellable(state, nr, a1, ..., a6)`: the same, unless the word at `state` is
/// set.
pub const SYSCALL_CANCELLABLE: &str = "__vdso_syscall_cancellable";

/// The other functions of cancellable calls, in the order of their slots (`layout::cancel_slot`).
pub const CANCEL: [&str; 2] = ["__vdso_cancel_dispatch", "__vdso_cancel_window"];

/// `vdso_sgx_enter_enclave_t` of `asm/sgx.h`: enters an SGX enclave and reports how it was left.
pub const SGX_ENTER_ENCLAVE: &str = "__vdso_sgx_enter_enclave";

/// The functions that unlock a robust futex which no thread waits for, in the order of their slots
/// (`layout::robust_slot`): with a pending operation of 64 and of 32 bits. Declared in the kernel's
/// `include/vdso/futex.h`.
pub const ROBUST: [&str; 2] =
    ["__vdso_futex_robust_list64_try_unlock", "__vdso_futex_robust_list32_try_unlock"];

/// The oldest kernel line whose image has [`ROBUST`]. A program that finds the name relies on the
/// futex operations that a kernel without it lacks, so an older line's image must not have it.
pub const ROBUST_SINCE: &str = "7.3";

/// The local symbols by which `vdso2c` finds the critical sections of [`ROBUST`]: the first and the
/// one behind the last byte of each.
pub const ROBUST_SECTIONS: [[&str; 2]; 2] = [
    ["__futex_list64_try_unlock_cs_start", "__futex_list64_try_unlock_cs_end"],
    ["__futex_list32_try_unlock_cs_start", "__futex_list32_try_unlock_cs_end"],
];

/// The functions of exception fixups, and of the state that a process has with them, in the order
/// of their slots (`layout::fixup_slot`), which grows at its end.
pub const FIXUPS: [&str; 16] = [
    "__vdso_fixup_area_size",
    "__vdso_fixup_init",
    "__vdso_fixup_register",
    "__vdso_fixup_unregister",
    "__vdso_fixup_grow",
    "__vdso_fixup_lookup",
    "__vdso_fixup_attach",
    "__vdso_fixup_query",
    "__vdso_fixup_mark",
    "__vdso_fixup_dispatch",
    "__vdso_state_save",
    "__vdso_state_restore",
    "__vdso_fixup_marked",
    "__vdso_fixup_resume",
    "__vdso_fixup_decline",
    "__vdso_fixup_return",
];

/// The private calls, in the order of their numbers: the first one's is at `layout::PRIVATE`, once
/// a kernel wrote it. The body of each is a local function, named by [`BODY`], with one `syscall`:
/// the only place from which the kernel takes the call.
pub const PRIVATE: [&str; 5] = [
    "__vdso_fixup_attach",
    "__vdso_fixup_query",
    "__vdso_fixup_mark",
    "__vdso_fixup_marked",
    "__vdso_fixup_return",
];

/// The functions that end a landing: they load all registers of another place and continue there,
/// or raise an exception.
pub const FRAME_ENDS: [&str; 2] = ["__vdso_fixup_resume", "__vdso_fixup_decline"];

/// How the name of the body of a hand-written entry ends: the entry's own name is in front of it.
pub const BODY: &str = ".body";

/// ELF symbol binding of an export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binding {
    /// `STB_GLOBAL`.
    Global,
    /// `STB_WEAK`: a standard function's historic name, which a libc may define itself.
    Weak,
}

/// One exported name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Export {
    /// The symbol.
    pub name: &'static str,
    /// Its binding.
    pub binding: Binding,
    /// The system call whose entry it is; none for functions of the image itself.
    pub call: Option<&'static str>,
    /// The oldest kernel line whose image has it.
    pub since: &'static str,
}

impl Export {
    /// Whether the image of a kernel line has it.
    pub fn is_in(&self, line: &str) -> bool {
        since::reaches(line, self.since)
    }
}

/// Every export of the newest line's image, system calls first, ascending by number.
pub fn exports() -> impl Iterator<Item = Export> {
    let calls = SYSCALLS.iter().filter(|call| call.is_exported()).map(|call| Export {
        name: call.symbol,
        binding: Binding::Global,
        call: Some(call.name),
        since: OLDEST,
    });
    let aliases = standard().map(|call| Export {
        name: call.name,
        binding: Binding::Weak,
        call: Some(call.name),
        since: OLDEST,
    });
    let own = [SYSCALL, SYSCALL_CANCELLABLE, SGX_ENTER_ENCLAVE].into_iter();
    let own = own.chain(CANCEL).chain(FIXUPS);
    let function = |name, since| Export { name, binding: Binding::Global, call: None, since };
    let own = own.map(move |name| function(name, OLDEST));
    let robust = ROBUST.into_iter().map(move |name| function(name, ROBUST_SINCE));
    calls.chain(aliases).chain(own).chain(robust)
}

/// The standard functions.
pub fn standard() -> impl Iterator<Item = &'static Syscall> {
    SYSCALLS.iter().filter(|call| matches!(call.kind, Kind::Standard))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::datapage::{v6_12, v7_3};

    #[test]
    fn a_line_has_the_robust_functions_if_its_kernel_repairs_them() {
        let robust = exports().find(|export| export.name == ROBUST[0]).expect("an export");
        assert!(robust.is_in("7.3") && v7_3::ROBUST_FUTEXES);
        assert!(!robust.is_in("6.12") && !v6_12::ROBUST_FUTEXES);
    }

    #[test]
    fn names_fit_and_are_unique() {
        let mut names: std::vec::Vec<_> = exports().map(|export| export.name).collect();
        let fits = |name: &&str| name.len() <= NAME_MAX || ROBUST.contains(name);
        assert!(names.iter().all(fits));
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
        assert!(count > SYSCALLS.len(), "aliases are missing");
    }
}
