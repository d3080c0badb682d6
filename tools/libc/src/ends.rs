//! How the tests of a suite ended, on one musl and on the other.
//!
//! # Invariants
//!
//! 1. A test that one of the two runs does not have is a difference.

use liblinux_guest::pinning::Report;
use std::collections::BTreeSet;

/// How the lines begin that name a test.
pub(crate) const VERDICTS: [&str; 4] = ["PASS", "FAIL", "SKIPPED", "UNTESTED"];

/// The lines that name a test, with how it ended.
pub(crate) type Ends = Vec<String>;

/// What came of the suite.
#[derive(Debug, Default)]
pub(crate) struct Results {
    /// How many tests ended on both musls as each of [`VERDICTS`] says.
    pub(crate) same: Vec<(&'static str, usize)>,
    /// Tests that ended differently on the rerouted one.
    pub(crate) different: Vec<String>,
    /// What the rerouted one did, if it was pinned.
    pub(crate) pinned: Option<Report>,
}

/// The verdict of a line, if it has one.
pub(crate) fn verdict(line: &str) -> Option<&'static str> {
    let (word, _) = line.split_once(": ")?;
    VERDICTS.into_iter().find(|verdict| *verdict == word)
}

/// How many tests there are of each verdict.
pub(crate) fn counted(ends: &Ends) -> Vec<(&'static str, usize)> {
    let of = |wanted| ends.iter().filter(|line| verdict(line) == Some(wanted)).count();
    VERDICTS.map(|wanted| (wanted, of(wanted))).to_vec()
}

fn times(ends: &Ends, line: &String) -> usize {
    ends.iter().filter(|other| *other == line).count()
}

/// The lines that both runs have equally often.
pub(crate) fn equal(expected: &Ends, found: &Ends) -> Ends {
    let is_equal = |line: &&String| times(expected, line) == times(found, line);
    expected.iter().filter(is_equal).cloned().collect()
}

/// The lines that one run has more often than the other.
pub(crate) fn differences(expected: &Ends, found: &Ends) -> BTreeSet<String> {
    expected
        .iter()
        .chain(found)
        .filter(|line| times(expected, line) != times(found, line))
        .map(|line| {
            let (before, after) = (times(expected, line), times(found, line));
            format!("`{line}` {before} times on the musl that it was, {after} times on this one")
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ends(lines: &[&str]) -> Ends {
        lines.iter().map(|line| (*line).to_owned()).collect()
    }

    #[test]
    fn lines_with_a_verdict_are_counted() {
        assert_eq!(verdict("PASS: cut of a line: 1"), Some("PASS"));
        assert_eq!(verdict("UNTESTED: tar"), Some("UNTESTED"));
        for line in ["PASSED: x", "noise", "FAIL"] {
            assert_eq!(verdict(line), None, "{line}");
        }
        let some = ends(&["PASS: a", "FAIL: b", "PASS: c"]);
        assert_eq!(counted(&some), [("PASS", 2), ("FAIL", 1), ("SKIPPED", 0), ("UNTESTED", 0)]);
    }

    #[test]
    fn a_test_that_ends_differently_or_not_at_all_is_a_difference() {
        let all = ends(&["PASS: a", "PASS: a", "FAIL: b"]);
        assert!(differences(&all, &all).is_empty());
        assert_eq!(equal(&all, &ends(&["PASS: a", "FAIL: b"])), ["FAIL: b"]);
        assert_eq!(differences(&all, &ends(&["PASS: a", "PASS: a", "PASS: b"])).len(), 2);
        assert_eq!(differences(&all, &ends(&["PASS: a", "FAIL: b"])).len(), 1);
        assert_eq!(differences(&all, &ends(&["PASS: a", "PASS: a"])).len(), 1);
    }
}
