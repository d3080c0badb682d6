//! The table of `liblinux-abi` against the tables of all kernel lines, row by row.

use liblinux_abi::syscall::legacy::KEPT;
use liblinux_abi::syscall::{SYSCALLS, Syscall, find, since};
use liblinux_tests::kernel::Source;
use liblinux_tests::kernel::definition::{definitions, normalise};
use liblinux_tests::kernel::table::{generic, implemented};
use liblinux_workspace::{Line, line};

/// The sources of all kernel lines; only that of the image under test must be here.
fn sources() -> impl Iterator<Item = Source> {
    line::LINES.iter().filter_map(Source::of_line)
}

/// The calls of the table that a line has.
fn calls_of(line: &Line) -> impl Iterator<Item = &'static Syscall> {
    SYSCALLS.iter().filter(|call| since::is_in(call.name, line.version))
}

#[test]
fn numbers_and_names_are_the_kernels() {
    for source in sources() {
        let version = source.line().version;
        let rows = implemented(&source.read("arch/x86/entry/syscalls/syscall_64.tbl"));
        assert!(!rows.is_empty(), "the table of Linux {version} has no rows");
        for row in &rows {
            let ours = calls_of(source.line()).find(|call| call.name == row.name);
            let ours = ours.unwrap_or_else(|| {
                panic!("Linux {version} has {} {}, and there is no row", row.number, row.name)
            });
            assert_eq!(ours.number, row.number, "number of {} in Linux {version}", row.name);
        }
        for ours in calls_of(source.line()) {
            assert!(
                rows.iter().any(|row| row.name == ours.name),
                "row {} {}: Linux {version} does not implement it",
                ours.number,
                ours.name
            );
        }
        println!("{} rows agree with Linux {version}", rows.len());
    }
}

#[test]
fn parameters_are_the_kernels() {
    for source in sources() {
        let version = source.line().version;
        let definitions = definitions(&source);
        let rows = implemented(&source.read("arch/x86/entry/syscalls/syscall_64.tbl"));
        let mut differences = Vec::new();
        for row in &rows {
            let ours =
                find(&row.name).unwrap_or_else(|| panic!("no row for {} {}", row.number, row.name));
            let former = since::former(ours.name, version);
            let ours: Vec<_> = former
                .unwrap_or(ours.parameters)
                .iter()
                .map(|parameter| normalise(parameter))
                .collect();
            match definitions.get(&row.entry).map(Vec::as_slice) {
                Some([theirs]) if *theirs == ours => {}
                Some([theirs]) => differences.push(format!(
                    "row {} {}: {ours:?}, the kernel has {theirs:?}",
                    row.number, row.name
                )),
                Some(several) => differences
                    .push(format!("row {} {}: defined as {several:?}", row.number, row.name)),
                None => differences.push(format!(
                    "row {} {}: SYSCALL_DEFINE({}) not found",
                    row.number, row.name, row.entry
                )),
            }
        }
        assert!(!rows.is_empty(), "nothing was compared");
        assert!(differences.is_empty(), "Linux {version}:\n{}", differences.join("\n"));
        println!("parameters of {} rows agree with Linux {version}", rows.len());
    }
}

#[test]
fn legacy_is_what_a_new_architecture_does_not_get() {
    for source in sources() {
        compare_with_new_architectures(&source);
    }
}

fn compare_with_new_architectures(source: &Source) {
    let generic = generic(&source.read("scripts/syscall.tbl"));
    assert!(
        generic.len() > 250,
        "the kernel's table for new architectures has {} rows",
        generic.len()
    );
    let mut legacy = 0;
    for call in calls_of(source.line()) {
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
