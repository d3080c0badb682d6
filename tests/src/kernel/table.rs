//! The tables of system calls: x86-64's (`arch/x86/entry/syscalls/syscall_64.tbl`), and the one
//! that new architectures get (`scripts/syscall.tbl`).

use std::collections::BTreeSet;

/// One row of the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// The number.
    pub number: u32,
    /// The name.
    pub name: String,
    /// The kernel's function, without `sys_`.
    pub entry: String,
}

/// The rows that the kernel implements for native 64-bit programs: ABI `common` or `64`, with an
/// entry point.
pub fn implemented(table: &str) -> Vec<Row> {
    let lines = table.lines().map(|line| line.split('#').next().unwrap_or_default());
    lines
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            let (number, abi, name, entry) =
                (words.next()?, words.next()?, words.next()?, words.next()?);
            if !["common", "64"].contains(&abi) || entry == "sys_ni_syscall" {
                return None;
            }
            let entry =
                entry.strip_prefix("sys_").unwrap_or_else(|| panic!("{name}: entry point {entry}"));
            let number = number.parse().unwrap_or_else(|_| panic!("{name}: number {number}"));
            Some(Row { number, name: name.to_owned(), entry: entry.to_owned() })
        })
        .collect()
}

/// The calls that a new 64-bit architecture gets, whatever it asks for beside them: `memfd_secret`
/// is one that it may ask for because it can have secret memory, and no call supersedes it.
pub fn generic(table: &str) -> BTreeSet<String> {
    let lines = table.lines().map(|line| line.split('#').next().unwrap_or_default());
    lines
        .filter_map(|line| {
            let mut words = line.split_whitespace();
            let (_, abi, name) = (words.next()?, words.next()?, words.next()?);
            ["common", "64", "memfd_secret"].contains(&abi).then(|| name.to_owned())
        })
        .collect()
}
