//! The functions of the 32-bit image that read clocks.

use crate::workbench::{compiled, has_i386, loader, output};
use std::collections::BTreeMap;
use std::process::Command;

#[test]
fn every_clock_is_read_between_two_calls_that_read_it() {
    let folder = tempfile::tempdir().unwrap();
    let program = compiled("clocks", folder.path());
    let here = output(&mut loader([&program]));
    let (mut read, mut refused) = (0, 0);
    for line in here.lines() {
        match line.rsplit_once(' ') {
            Some((_, "between")) => read += 1,
            Some((name, "failed")) => {
                // Clocks that no kernel has.
                assert!(name.ends_with(" 12") || name.ends_with(" 99"), "{here}");
                refused += 1;
            }
            _ => panic!("{line}: {here}"),
        }
    }
    assert_eq!((read, refused), (24, 4), "{here}");
    if let Ok(there) = Command::new(&program).output() {
        assert_eq!(here, String::from_utf8_lossy(&there.stdout));
    }
}

/// Cycles of each thing that the program does, the least of many measurements.
fn costs(mut command: Command) -> BTreeMap<String, u32> {
    let text = output(command.arg("costs"));
    let lines = text.lines().map(|line| line.split_once(' ').unwrap());
    lines.map(|(cycles, name)| (name.to_owned(), cycles.parse().unwrap())).collect()
}

#[test]
fn a_reading_costs_less_than_a_call_and_a_call_less_than_int_0x80() {
    let folder = tempfile::tempdir().unwrap();
    let program = compiled("clocks", folder.path());
    let here = costs(loader([&program]));
    assert!(here["clock_gettime64"] < here["clock_gettime64 as a call"], "{here:?}");
    if !has_i386(&program) {
        return;
    }
    let there = costs(Command::new(&program));
    for (name, cycles) in &here {
        let native = there[name];
        let ratio = f64::from(*cycles) / f64::from(native);
        println!("{name}: {cycles} cycles, natively {native}: {ratio:.2}");
    }
    assert!(here["getppid"] < there["getppid by int $0x80"], "{here:?} {there:?}");
}
