//! Types and error numbers of `liblinux-abi` against the kernel's headers.

use liblinux_abi::kernel::errno::ERRORS;
use liblinux_abi::syscall::ctype::TYPES;
use liblinux_abi::syscall::standard::{FUNCTIONS, entry};
use liblinux_abi::syscall::{SYSCALLS, find, since};
use liblinux_tests::kernel::Source;
use liblinux_tests::kernel::header::{Fact, compare};

const PRELUDE: &str = "
#include <linux/types.h>
#include <linux/aio_abi.h>
#include <linux/capability.h>
#include <linux/errno.h>
#include <linux/fs.h>
#include <linux/key.h>
#include <linux/landlock.h>
#include <linux/quota.h>
#include <linux/signal.h>
";

fn fact(expression: String, value: usize) -> Fact {
    Fact { expression: expression.leak(), value }
}

#[test]
fn error_numbers_are_the_kernels() {
    let facts: Vec<Fact> = ERRORS
        .iter()
        .map(|(number, name)| fact((*name).to_owned(), usize::from(*number)))
        .collect();
    compare(&Source::cached(), PRELUDE, &facts).unwrap_or_else(|complaints| panic!("{complaints}"));
    assert!(compare(&Source::cached(), PRELUDE, &[fact("EPERM".to_owned(), 2)]).is_err());
}

#[test]
fn types_are_the_kernels() {
    // An enumeration is as wide as the `int` that stands for it; the other types are the same.
    let facts: Vec<Fact> = TYPES
        .iter()
        // What is another type for programs, layout tests compare.
        .filter(|row| !row.c.starts_with("void") && !row.c.starts_with("struct "))
        .map(|row| match row.name {
            name if name.starts_with("enum ") => {
                fact(format!("sizeof({name}) == sizeof({})", row.c), 1)
            }
            name => fact(format!("__builtin_types_compatible_p({name}, {})", row.c), 1),
        })
        .collect();
    assert!(facts.len() > 10, "most types have a plain C name");
    compare(&Source::cached(), PRELUDE, &facts).unwrap_or_else(|complaints| panic!("{complaints}"));
    let wrong = fact("__builtin_types_compatible_p(umode_t, int)".to_owned(), 1);
    assert!(compare(&Source::cached(), PRELUDE, &[wrong]).is_err());
}

#[test]
fn every_type_is_of_some_parameter() {
    for row in TYPES {
        let parameters = SYSCALLS.iter().flat_map(|call| call.parameters);
        let results = FUNCTIONS.iter().map(|function| &function.result);
        let is_used = parameters.chain(results).any(|declaration| declaration.contains(row.name));
        assert!(is_used, "no parameter and no result has type {}", row.name);
    }
}

/// A standard function is the vDSO's, whose type may not be the system call's: `getrandom` has five
/// parameters.
#[test]
fn standard_functions_have_the_types_of_the_kernels_vdso() {
    const VDSO: &str = "
#include <linux/types.h>
#include <vdso/gettime.h>
#include <vdso/getrandom.h>
#include <asm/vdso/processor.h>
";
    let is_type = |name: &str, result: &str, parameters: &[&str]| {
        let parameters = parameters.join(", ");
        let theirs = format!("__typeof__(__vdso_{name})");
        fact(format!("__builtin_types_compatible_p({theirs}, {result} ({parameters}))"), 1)
    };
    let (source, mut facts) = (Source::cached(), Vec::new());
    for function in FUNCTIONS {
        let (result, parameters) = entry(find(function.call).expect("a row of the table"));
        let former = since::former(function.call, source.line().version);
        facts.push(is_type(function.call, result, former.unwrap_or(parameters)));
    }
    assert!(!facts.is_empty());
    compare(&source, VDSO, &facts).unwrap_or_else(|complaints| panic!("{complaints}"));
    // The system call's own type is not it.
    let getrandom = find("getrandom").expect("a row of the table");
    let wrong = is_type("getrandom", "long", getrandom.parameters);
    assert!(compare(&source, VDSO, &[wrong]).is_err());
}
