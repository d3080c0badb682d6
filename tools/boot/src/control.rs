//! A case held against its control: the same programs, on the same kernel, with the kernel's own
//! image, or with the same image and a musl that does not use it.
//!
//! The kernel's selftests were not written for an interpreted processor and a small kernel, so some
//! fail here with any image and any libc. A pass or a failure alone then says nothing about the
//! two. A difference from the control does. So a test that fails alike in both is shown, and does
//! not fail the case. A test that differs does, whichever of the two passed.
//!
//! Deliberately missing: a list of tests that may differ. A test that differs by chance is left out
//! of the case by name.
//!
//! # Invariants
//!
//! 1. A test is compared with the one of its name at its place. A mismatch in a test's name or in
//!    the number of tests counts as a difference.
//! 2. A pair is never the same if one half of it is not believed, or if it has no test.
//! 3. A test that did not end in either guest is never the same: it says nothing of the image or
//!    the libc.

use crate::ktap::{Count, Outcome};
use crate::verdict::Verdict;
use liblinux_protocol::report::MISSING;

/// A case beside its control.
#[derive(Debug)]
pub struct Comparison {
    /// The case's name.
    pub case: String,
    /// The control's name.
    pub control: String,
    /// Whether both guests are believed.
    pub believed: bool,
    /// A row per program.
    pub programs: Vec<Pair>,
}

/// The results of a program in both guests.
#[derive(Debug)]
pub struct Pair {
    /// The program's name.
    pub program: String,
    /// Its tests in the case.
    pub count: Count,
    /// Its tests in the control.
    pub control: Count,
    /// Test by test, with the differences.
    pub tests: Vec<Compared>,
}

/// A test in both guests.
#[derive(Debug)]
pub struct Compared {
    /// Its name, in the case if the two have different ones.
    pub name: String,
    /// How it ended in both, or what differs.
    pub result: Result<Outcome, String>,
}

impl Comparison {
    /// Compares `case` with `control`.
    pub fn of(case: &Verdict, control: &Verdict) -> Self {
        let pairs = case.rows.iter().map(|row| {
            let other = control.rows.iter().find(|other| other.program == row.program);
            Pair {
                program: row.program.clone(),
                count: row.count,
                control: other.map_or(Count::default(), |other| other.count),
                tests: compare(&row.results, other.map_or(&[], |other| &other.results)),
            }
        });
        Self {
            case: case.case.clone(),
            control: control.case.clone(),
            believed: case.passed() && control.passed(),
            programs: pairs.collect(),
        }
    }

    /// Whether both guests are believed and no test differs.
    pub fn same(&self) -> bool {
        self.believed && !self.programs.is_empty() && self.programs.iter().all(Pair::same)
    }

    /// The differences, a paragraph each.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        for pair in &self.programs {
            if pair.tests.is_empty() {
                problems.push(format!("{}/{}: no test was compared", self.case, pair.program));
            }
            for test in &pair.tests {
                if let Err(what) = &test.result {
                    problems.push(format!("{}/{}/{}: {what}", self.case, pair.program, test.name));
                }
            }
        }
        problems
    }

    /// The comparison in KTAP: a test passes if it ended alike in both.
    pub fn ktap(&self) -> String {
        let mut text = format!("KTAP version 1\n1..{}\n", self.programs.len());
        for (number, pair) in (1..).zip(&self.programs) {
            text += "    KTAP version 1\n";
            text += &format!("    # Subtest: {}\n    1..{}\n", pair.program, pair.tests.len());
            for (number, test) in (1..).zip(&pair.tests) {
                let name = &test.name;
                text += &match &test.result {
                    Ok(Outcome::Pass) => format!("    ok {number} {name}\n"),
                    Ok(Outcome::Skip(_)) => {
                        format!("    ok {number} {name} # SKIP in both guests\n")
                    }
                    Ok(Outcome::Fail) => {
                        format!("    # fails in both guests\n    ok {number} {name}\n")
                    }
                    Err(what) => format!("    # {what}\n    not ok {number} {name}\n"),
                };
            }
            let word = if self.believed && pair.same() { "ok" } else { "not ok" };
            text += &format!("{word} {number} {}\n", pair.program);
        }
        text
    }
}

impl Pair {
    /// Whether no test differs, and there is one.
    pub fn same(&self) -> bool {
        !self.tests.is_empty() && self.tests.iter().all(|test| test.result.is_ok())
    }

    /// The tests, those that ended alike as passed.
    pub fn tally(&self) -> Count {
        let mut count = Count::default();
        for test in &self.tests {
            match &test.result {
                Ok(Outcome::Skip(_)) => count.skipped += 1,
                Ok(Outcome::Pass | Outcome::Fail) => count.passed += 1,
                Err(_) => count.failed += 1,
            }
        }
        count
    }

    /// The tests that fail on both.
    pub fn fail_on_both(&self) -> impl Iterator<Item = &str> {
        self.tests
            .iter()
            .filter(|test| test.result == Ok(Outcome::Fail))
            .map(|test| test.name.as_str())
    }
}

/// Compares the tests of one program, one place after the other.
fn compare(ours: &[(String, Outcome)], control: &[(String, Outcome)]) -> Vec<Compared> {
    let places = ours.len().max(control.len());
    let compared = (0..places).map(|place| match (ours.get(place), control.get(place)) {
        (Some((name, ours)), Some((other, control))) => {
            let result = if name != other {
                Err(format!("the control has `{other}` in its place"))
            } else if word(ours) != word(control) {
                Err(format!("it {}, and in the control it {}", word(ours), word(control)))
            } else if name == MISSING {
                Err("in both guests the program did not reach the end of its last test".to_owned())
            } else {
                Ok(ours.clone())
            };
            Compared { name: name.clone(), result }
        }
        (Some((name, _)), None) => {
            Compared { name: name.clone(), result: Err("it is not in the control".to_owned()) }
        }
        (None, Some((name, _))) => {
            Compared { name: name.clone(), result: Err("it is in the control alone".to_owned()) }
        }
        (None, None) => unreachable!("one of the two has a test at each place"),
    });
    compared.collect()
}

fn word(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Pass => "passed",
        Outcome::Fail => "failed",
        Outcome::Skip(_) => "was skipped",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ktap;
    use crate::verdict::Row;

    fn verdict(case: &str, results: &[(&str, Outcome)]) -> Verdict {
        let results: Vec<_> =
            results.iter().map(|(name, outcome)| ((*name).to_owned(), outcome.clone())).collect();
        let row = Row { program: "vDSO/abi".into(), results, ..Row::default() };
        Verdict { case: case.into(), problems: Vec::new(), rows: vec![row] }
    }

    fn compared(ours: &[(&str, Outcome)], control: &[(&str, Outcome)]) -> Comparison {
        Comparison::of(&verdict("a", ours), &verdict("a-c", control))
    }

    #[test]
    fn alike_is_the_same_even_if_it_fails() {
        let skip = |reason: &str| Outcome::Skip(reason.into());
        let both = compared(
            &[("x", Outcome::Pass), ("y", Outcome::Fail), ("z", skip("1"))],
            &[("x", Outcome::Pass), ("y", Outcome::Fail), ("z", skip("2"))],
        );
        assert!(both.same() && both.problems().is_empty());
        assert_eq!(both.programs[0].fail_on_both().collect::<Vec<_>>(), ["y"]);
        let report = ktap::parse(&both.ktap()).unwrap();
        assert!(!report.tests[0].failed());
        assert_eq!(report.count(), Count { passed: 2, failed: 0, skipped: 1 });
    }

    #[test]
    fn differences() {
        let (pass, fail) = (("x", Outcome::Pass), ("x", Outcome::Fail));
        for (ours, control, because) in [
            (
                vec![fail.clone()],
                vec![pass.clone()],
                "a/vDSO/abi/x: it failed, and in the control it passed",
            ),
            (vec![pass.clone()], vec![fail.clone()], "it passed, and in the control it failed"),
            (vec![pass.clone()], vec![("y", Outcome::Pass)], "the control has `y` in its place"),
            (vec![pass.clone(), fail.clone()], vec![pass.clone()], "it is not in the control"),
            (vec![], vec![pass.clone()], "it is in the control alone"),
            (vec![], vec![], "no test was compared"),
            (
                vec![("missing", Outcome::Fail)],
                vec![("missing", Outcome::Fail)],
                "did not reach the end",
            ),
        ] {
            let differ = compared(&ours, &control);
            assert!(!differ.same());
            assert!(differ.problems()[0].contains(because), "{:?}", differ.problems());
            if !differ.programs[0].tests.is_empty() {
                assert!(ktap::parse(&differ.ktap()).unwrap().tests[0].failed());
            }
        }
    }

    #[test]
    fn half_a_pair_is_not_believed() {
        let good = verdict("a", &[("x", Outcome::Pass)]);
        let mut other = verdict("a-c", &[("x", Outcome::Pass)]);
        assert!(Comparison::of(&good, &other).same());
        other.problems.push("another image".into());
        assert!(!Comparison::of(&good, &other).same() && !Comparison::of(&other, &good).same());
    }
}
