//! The names that the image exports, and the ELF names that loaders look for.
//!
//! # Invariants
//!
//! 1. Every export is in the one version node [`VERSION`]: a node per release would make programs
//!    that link against it unrunnable on older kernels, while a missing symbol can be probed for.
//! 2. A standard function is exported under both of its names at the same address: `__vdso_NAME`
//!    (global) and `NAME` (weak), as in the C image.
//! 3. No name is longer than [`NAME_MAX`].

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

/// The functions of exception fixups, and of the state that a process has with them, in the order
/// of their slots (`layout::fixup_slot`), which grows at its end.
pub const FIXUPS: [&str; 13] = [
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
];

/// The private calls, in the order of their numbers: the first one's is at `layout::PRIVATE`, once
/// a kernel wrote it. The body of each is a local function, named by [`BODY`], with one `syscall`:
/// the only place from which the kernel takes the call.
pub const PRIVATE: [&str; 4] =
    ["__vdso_fixup_attach", "__vdso_fixup_query", "__vdso_fixup_mark", "__vdso_fixup_marked"];

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
}

/// Every export of the image, system calls first, ascending by number.
pub fn exports() -> impl Iterator<Item = Export> {
    let calls = SYSCALLS.iter().filter(|call| call.is_exported()).map(|call| Export {
        name: call.symbol,
        binding: Binding::Global,
        call: Some(call.name),
    });
    let aliases = standard().map(|call| Export {
        name: call.name,
        binding: Binding::Weak,
        call: Some(call.name),
    });
    let own = [SYSCALL, SYSCALL_CANCELLABLE, SGX_ENTER_ENCLAVE].into_iter().chain(CANCEL);
    let own = own.chain(FIXUPS);
    let own = own.map(|name| Export { name, binding: Binding::Global, call: None });
    calls.chain(aliases).chain(own)
}

/// The standard functions.
pub fn standard() -> impl Iterator<Item = &'static Syscall> {
    SYSCALLS.iter().filter(|call| matches!(call.kind, Kind::Standard))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fit_and_are_unique() {
        let mut names: std::vec::Vec<_> = exports().map(|export| export.name).collect();
        assert!(names.iter().all(|name| name.len() <= NAME_MAX));
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
        assert!(count > SYSCALLS.len(), "aliases are missing");
    }
}
