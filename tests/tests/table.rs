//! The table of `liblinux-abi` against the kernel's own, row by row.

use liblinux_abi::syscall::legacy::KEPT;
use liblinux_abi::syscall::{SYSCALLS, find};
use liblinux_tests::kernel::Source;
use liblinux_tests::kernel::definition::{definitions, normalise};
use liblinux_tests::kernel::table::{generic, implemented};

#[test]
fn numbers_and_names_are_the_kernels() {
    let source = Source::cached();
    let rows = implemented(&source.read("arch/x86/entry/syscalls/syscall_64.tbl"));
    assert!(!rows.is_empty(), "the kernel's table has no rows");
    for row in &rows {
        let ours =
            find(&row.name).unwrap_or_else(|| panic!("no row for {} {}", row.number, row.name));
        assert_eq!(ours.number, row.number, "number of {}", row.name);
    }
    for ours in SYSCALLS {
        let is_implemented = rows.iter().any(|row| row.name == ours.name);
        assert!(
            is_implemented,
            "row {} {}: the kernel does not implement it",
            ours.number, ours.name
        );
    }
    println!("{} of {} rows agree", SYSCALLS.len(), rows.len());
}

#[test]
fn parameters_are_the_kernels() {
    let source = Source::cached();
    let definitions = definitions(&source);
    let rows = implemented(&source.read("arch/x86/entry/syscalls/syscall_64.tbl"));
    let mut differences = Vec::new();
    for row in &rows {
        let ours =
            find(&row.name).unwrap_or_else(|| panic!("no row for {} {}", row.number, row.name));
        let ours: Vec<_> = ours.parameters.iter().map(|parameter| normalise(parameter)).collect();
        match definitions.get(&row.entry).map(Vec::as_slice) {
            Some([theirs]) if *theirs == ours => {}
            Some([theirs]) => differences.push(format!(
                "row {} {}: {ours:?}, the kernel has {theirs:?}",
                row.number, row.name
            )),
            Some(several) => {
                differences.push(format!("row {} {}: defined as {several:?}", row.number, row.name))
            }
            None => differences.push(format!(
                "row {} {}: SYSCALL_DEFINE({}) not found",
                row.number, row.name, row.entry
            )),
        }
    }
    assert!(!rows.is_empty(), "nothing was compared");
    assert!(differences.is_empty(), "{}", differences.join("\n"));
    println!("parameters of {} rows agree", rows.len());
}

#[test]
fn legacy_is_what_a_new_architecture_does_not_get() {
    let generic = generic(&Source::cached().read("scripts/syscall.tbl"));
    assert!(
        generic.len() > 250,
        "the kernel's table for new architectures has {} rows",
        generic.len()
    );
    let mut legacy = 0;
    for call in SYSCALLS {
        let is_kept = KEPT.iter().any(|kept| kept.name == call.name);
        let is_legacy = !call.successors().is_empty();
        assert_ne!(
            generic.contains(call.name),
            is_legacy || is_kept,
            "{}: a new architecture gets it, or it is a legacy row, or `legacy::KEPT` says why not",
            call.name
        );
        for newer in call.successors() {
            assert!(generic.contains(*newer), "{}: {newer} is superseded itself", call.name);
        }
        legacy += usize::from(is_legacy);
    }
    println!("the kernel need not carry {legacy} calls, and has to keep {}", KEPT.len());
}
