//! The functions of the 32-bit image that read clocks.

use crate::workbench::{LOADER, compiled, has_i386, loader, output, told};
use liblinux_workspace::skip::skip;
use std::collections::BTreeMap;
use std::fs;
use std::process::Command;

/// Fails unless each clock was read between two calls that read it.
fn require_all_between(here: &str) {
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
}

#[test]
fn every_clock_is_read_between_two_calls_that_read_it() {
    let folder = tempfile::tempdir().unwrap();
    let program = compiled("clocks", folder.path());
    let here = output(&mut loader([&program]));
    require_all_between(&here);
    if let Ok(there) = Command::new(&program).output() {
        assert_eq!(here, String::from_utf8_lossy(&there.stdout));
    }
}

#[test]
fn a_time_namespaces_clocks_are_the_namespaces() {
    let folder = tempfile::tempdir().unwrap();
    let program = compiled("clocks", folder.path());
    let mut command = Command::new("unshare");
    command.args(["--time", "--fork", "--monotonic", "100000", "--boottime", "200000"]);
    let made = command.arg("true").output().unwrap();
    if !made.status.success() {
        return skip(&format!("this user cannot have a time namespace: {}", told(&made)));
    }
    let mut command = Command::new("unshare");
    command.args(["--time", "--fork", "--monotonic", "100000", "--boottime", "200000"]);
    require_all_between(&output(command.arg(LOADER).arg(&program)));
}

/// The clocks that 32-bit code reads itself, over more than a second.
#[test]
fn a_clock_never_runs_backwards() {
    let folder = tempfile::tempdir().unwrap();
    let program = compiled("clocks", folder.path());
    let here = output(loader([&program]).arg("forwards"));
    assert_eq!(here, "0 backwards, 0 of a second or more\n");
}

/// Whether the kernel's clock is the TSC, and lets its image be moved.
fn can_be_read_in_32_bit_code() -> bool {
    let clocksource = "/sys/devices/system/clocksource/clocksource0/current_clocksource";
    let by_tsc = fs::read_to_string(clocksource).is_ok_and(|name| name.trim() == "tsc");
    let maps = fs::read_to_string("/proc/self/smaps").unwrap();
    let image = maps.split_once("[vdso]").unwrap().1;
    let flags = image.lines().find_map(|line| line.strip_prefix("VmFlags:")).unwrap();
    by_tsc && !flags.split(' ').any(|flag| flag == "sl")
}

/// Where the image and the lowest of the data pages of a process are.
fn places(maps: &str) -> [u64; 2] {
    ["[vdso]", "[vvar]"].map(|name| {
        let line = maps.lines().find(|line| line.ends_with(name)).unwrap();
        u64::from_str_radix(line.split_once('-').unwrap().0, 16).unwrap()
    })
}

#[test]
fn the_clocks_data_is_where_32_bit_code_reads_it() {
    if !can_be_read_in_32_bit_code() {
        return skip("this kernel's clock is not the TSC, or its image is sealed");
    }
    let folder = tempfile::tempdir().unwrap();
    let program = compiled("clocks", folder.path());
    let maps = output(loader([&program]).arg("maps"));
    assert!(places(&maps).into_iter().all(|place| place < 1 << 32), "{maps}");
    // In a time namespace it stays where it is.
    let mut command = Command::new("unshare");
    command.args(["--time", "--fork"]).arg(LOADER).arg(&program).arg("maps");
    let namespace = command.output().unwrap();
    if namespace.status.success() {
        let maps = String::from_utf8(namespace.stdout).unwrap();
        assert!(places(&maps).into_iter().all(|place| place >= 1 << 32), "{maps}");
    }
}

/// A debugger's core file would have the whole address space.
#[test]
fn memory_that_is_only_taken_is_left_out_of_core_files() {
    let folder = tempfile::tempdir().unwrap();
    let program = compiled("clocks", folder.path());
    let maps = output(loader([&program]).arg("maps"));
    let (mut taken, mut is_taken) = (0, false);
    for line in maps.lines() {
        let range = line.split(' ').next().unwrap().split_once('-');
        if let Some(start) = range.and_then(|(start, _)| u64::from_str_radix(start, 16).ok()) {
            is_taken = start >= 0xffff_e000 && line.contains(" ---p ");
        } else if let Some(flags) = line.strip_prefix("VmFlags:").filter(|_| is_taken) {
            assert!(flags.split(' ').any(|flag| flag == "dd"), "{line}: {maps}");
            taken += 1;
        }
    }
    assert!(taken > 0, "{maps}");
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
    if can_be_read_in_32_bit_code() {
        assert!(here["clock_gettime64"] * 2 < here["getppid"], "{here:?}");
    }
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
