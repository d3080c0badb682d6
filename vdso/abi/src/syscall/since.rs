// SPDX-License-Identifier: GPL-2.0-only OR MIT

//! The calls that not every kernel line has, or has with other parameters.
//!
//! # Invariants
//!
//! 1. The names of a line are the calls that it implements and the line before it does not (a test
//!    compares with the source of both). Calls that are not here are in every line.

/// The oldest kernel line.
pub const OLDEST: &str = "6.12";

/// The other kernel lines, oldest first, each with the calls that it adds.
pub const ADDED: &[(&str, &[&str])] = &[(
    "7.3",
    &[
        "uprobe",
        "setxattrat",
        "getxattrat",
        "listxattrat",
        "removexattrat",
        "open_tree_attr",
        "file_getattr",
        "file_setattr",
        "listns",
        "rseq_slice_yield",
        "fchroot",
    ],
)];

/// Calls whose parameters have changed: the newest line with the old ones, the call, and these. A
/// kernel reads no argument that it does not know.
pub const FORMER: &[(&str, &str, &[&str])] = &[
    ("6.12", "semop", &["int semid", "struct sembuf *tsops", "unsigned nsops"]),
    ("6.12", "getcpu", &["unsigned *cpup", "unsigned *nodep", "struct getcpu_cache *unused"]),
    ("6.12", "bpf", &["int cmd", "union bpf_attr *uattr", "unsigned int size"]),
];

/// The parameters that a call had in a kernel line, if these were others than now.
pub fn former(call: &str, line: &str) -> Option<&'static [&'static str]> {
    let row = FORMER.iter().find(|(last, name, _)| *last == line && *name == call);
    row.map(|(_, _, parameters)| *parameters)
}

/// The newest kernel line, whose table this is.
pub const NEWEST: &str = ADDED[ADDED.len() - 1].0;

/// Whether a kernel line is `since` or a newer one.
pub fn reaches(line: &str, since: &str) -> bool {
    // The oldest line and unknown ones have no place.
    let place = |line| ADDED.iter().position(|(other, _)| *other == line);
    place(since) <= place(line)
}

/// The oldest kernel line that implements the call.
pub fn since(call: &str) -> &'static str {
    ADDED.iter().find(|(_, calls)| calls.contains(&call)).map_or(OLDEST, |(line, _)| line)
}

/// Whether a kernel line implements the call.
pub fn is_in(call: &str, line: &str) -> bool {
    reaches(line, since(call))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::datapage::LAYOUTS;
    use crate::syscall::find;

    #[test]
    fn lines_are_those_with_a_layout_and_names_are_calls() {
        for line in ADDED.iter().map(|(line, _)| *line).chain([OLDEST]) {
            assert!(LAYOUTS.iter().any(|layout| layout.line == line), "{line}");
        }
        for name in ADDED.iter().flat_map(|(_, calls)| *calls) {
            assert!(find(name).is_some(), "{name} is not a call");
            assert!(is_in(name, since(name)) && !is_in(name, OLDEST), "{name}");
        }
        for (line, name, parameters) in FORMER {
            assert_ne!(find(name).expect("a call").parameters, *parameters, "{name}, {line}");
        }
        assert_eq!(since("read"), OLDEST);
        assert!(is_in("read", OLDEST) && is_in("read", "7.3"));
    }
}
