//! The table, compared with the kernel's own: `syscall_32.tbl` names every row, and says of each
//! row that is called the same whether it is.

use liblinux_abi::kernel::errno::ENOSYS;
use liblinux_abi::syscall::SYSCALLS;
use liblinux_compat::table::{ROWS, Way};
use liblinux_workspace::skip::skip;
use liblinux_workspace::{Workspace, line};
use std::collections::BTreeMap;
use std::fs;

/// A line of the kernel's table.
struct Line {
    number: u32,
    abi: String,
    name: String,
    /// The function that serves it, if one does.
    entry: Option<String>,
    /// The function that serves it in a 64-bit kernel, if that is another one.
    compat: Option<String>,
}

fn lines(text: &str) -> Vec<Line> {
    let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default());
    lines
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            let (number, abi, name) = (words.next()?, words.next()?, words.next()?);
            let mut function = || words.next().filter(|word| *word != "-").map(str::to_owned);
            let (entry, compat) = (function(), function());
            let number = number.parse().unwrap_or_else(|_| panic!("{name}: number {number}"));
            Some(Line { number, abi: abi.to_owned(), name: name.to_owned(), entry, compat })
        })
        .collect()
}

/// Both tables of the default kernel line's source; none if that is not here.
fn tables() -> Option<[Vec<Line>; 2]> {
    let folder = Workspace::current().kernel(line::DEFAULT).join("source/arch/x86/entry/syscalls");
    let read = |name: &str| fs::read_to_string(folder.join(name)).ok().map(|text| lines(&text));
    let tables = read("syscall_32.tbl").zip(read("syscall_64.tbl"));
    if tables.is_none() {
        skip(&format!("there is no {}; run `cargo xtask boot`", folder.display()));
    }
    tables.map(|(narrow, wide)| [narrow, wide])
}

/// Calls whose function in a 64-bit kernel is another one than that of the 64-bit table, and does
/// the same: with the reason.
const EQUAL: [(&str, &str); 6] = [
    ("open_by_handle_at", "only lets files be larger than 31 bits can say"),
    ("rt_sigpending", "a set of 64 signals is the same 8 bytes"),
    ("sched_setaffinity", "a set of processors is the same bytes"),
    ("sched_getaffinity", "a set of processors is the same bytes"),
    ("shmat", "returns the address, which is below 4 GiB"),
    ("recvfrom", "only marks control messages, of which it has none"),
];

#[test]
fn there_is_a_row_for_each_line_of_the_kernels_table() {
    let Some([narrow, _]) = tables() else { return };
    assert!(narrow.len() > 400, "the kernel's table has {} lines", narrow.len());
    let kernel: Vec<(u32, &str)> =
        narrow.iter().map(|line| (line.number, line.name.as_str())).collect();
    let ours: Vec<(u32, &str)> = ROWS.iter().map(|row| (row.number, row.name)).collect();
    assert_eq!(ours, kernel);
}

#[test]
fn rows_that_say_the_same_have_the_same_function_in_both_tables() {
    let Some([narrow, wide]) = tables() else { return };
    let native: BTreeMap<&str, &str> = wide
        .iter()
        .filter(|line| line.abi != "x32")
        .filter_map(|line| Some((line.name.as_str(), line.entry.as_deref()?)))
        .collect();
    let mut compared = 0;
    for (row, line) in ROWS.iter().zip(&narrow) {
        let Way::Same(name) = row.way else { continue };
        compared += 1;
        let here = line.compat.as_deref().or(line.entry.as_deref());
        let is_equal = EQUAL.iter().any(|(equal, _)| *equal == row.name);
        assert!(
            is_equal || here == native.get(name).copied(),
            "{}: {here:?} for i386, {:?} for x86-64",
            row.name,
            native.get(name)
        );
    }
    assert!(compared > 200, "{compared} rows were compared");
}

#[test]
fn calls_that_no_kernel_has_are_refused_and_no_others_without_a_reason() {
    let Some([narrow, _]) = tables() else { return };
    let mut refused = 0;
    for (row, line) in ROWS.iter().zip(&narrow) {
        let here = line.compat.as_deref().or(line.entry.as_deref());
        let is_implemented = here.is_some_and(|entry| entry != "sys_ni_syscall");
        match row.way {
            Way::Refuse(error, why) => {
                refused += 1;
                assert!(!why.is_empty());
                assert!(is_implemented || error == ENOSYS, "{}", row.name);
                assert!(!is_implemented || why != "no kernel has it", "{}", row.name);
            }
            // `exit` and its like have `-` in the kernel's table for what never returns.
            Way::Same(_) | Way::Own(_) => assert!(is_implemented, "{}", row.name),
        }
    }
    assert!(refused > 20, "{refused} rows are refused");
}

#[test]
fn every_call_that_is_made_is_in_the_table_of_the_64_bit_abi() {
    for row in ROWS {
        if let Way::Same(name) = row.way {
            assert!(SYSCALLS.iter().any(|call| call.name == name), "{name}");
        }
    }
}

/// For readers of a test's output: how many calls are served, and how.
#[test]
fn most_calls_are_served() {
    let count = |wanted: fn(&Way) -> bool| ROWS.iter().filter(|row| wanted(&row.way)).count();
    let same = count(|way| matches!(way, Way::Same(_)));
    let own = count(|way| matches!(way, Way::Own(_)));
    let absent = count(|way| matches!(way, Way::Refuse(_, "no kernel has it")));
    let refused = ROWS.len() - same - own - absent;
    println!("{same} the same, {own} converted, {refused} refused, {absent} that no kernel has");
    assert!(refused < 40, "{refused} calls are refused");
}
