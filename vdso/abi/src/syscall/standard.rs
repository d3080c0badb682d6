// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The C types of the standard functions.
//!
//! A standard function is the vDSO's, not the system call of the same name: it may take other
//! arguments and return another type. `getrandom` takes five arguments where the system call takes
//! three, and a caller who gives three leaves the other two to chance. Four functions return `int`,
//! so that the upper half of `rax` means nothing. The C header and the Rust calls are generated
//! from these types, never from the system call's.
//!
//! Source: `include/vdso/gettime.h`, `include/vdso/getrandom.h`,
//! `arch/x86/include/asm/vdso/processor.h`. A test gives the compiler both.
//!
//! # Invariants
//!
//! 1. Rows are exactly the standard functions, in the order of
//!    [`SYSCALLS`](crate::syscall::SYSCALLS).

use crate::syscall::Syscall;

/// A standard function's C type, as the kernel declares it.
#[derive(Clone, Copy, Debug)]
pub struct Function {
    /// The system call of the same name.
    pub call: &'static str,
    /// The type of the result.
    pub result: &'static str,
    /// C declarations of the parameters, in order.
    pub parameters: &'static [&'static str],
}

const fn row(
    call: &'static str,
    result: &'static str,
    parameters: &'static [&'static str],
) -> Function {
    Function { call, result, parameters }
}

/// Every standard function.
pub const FUNCTIONS: &[Function] = &[
    row("gettimeofday", "int", &["struct __kernel_old_timeval *tv", "struct timezone *tz"]),
    row("time", "__kernel_old_time_t", &["__kernel_old_time_t *t"]),
    row("clock_gettime", "int", &["clockid_t clock", "struct __kernel_timespec *ts"]),
    row("clock_getres", "int", &["clockid_t clock", "struct __kernel_timespec *res"]),
    row("getcpu", "long", &["unsigned *cpu", "unsigned *node", "void *unused"]),
    row(
        "getrandom",
        "ssize_t",
        &[
            "void *buffer",
            "size_t len",
            "unsigned int flags",
            "void *opaque_state",
            "size_t opaque_len",
        ],
    ),
];

/// The type of the standard function that a call is; none for all other calls.
pub fn find(call: &str) -> Option<&'static Function> {
    FUNCTIONS.iter().find(|function| function.call == call)
}

/// The result and the parameters of a call's entry.
pub fn entry(call: &Syscall) -> (&'static str, &'static [&'static str]) {
    find(call.name)
        .map_or(("long", call.parameters), |function| (function.result, function.parameters))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::export;

    #[test]
    fn rows_are_the_standard_functions_in_order() {
        let names: std::vec::Vec<_> = FUNCTIONS.iter().map(|function| function.call).collect();
        let standard: std::vec::Vec<_> = export::standard().map(|call| call.name).collect();
        assert_eq!(names, standard);
        assert!(!names.is_empty());
    }
}
