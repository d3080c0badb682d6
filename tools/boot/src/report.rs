//! The tables that a boot ends with: one of the cases that are judged by themselves, one of those
//! that are compared.
//!
//! # Invariants
//!
//! 1. Every program of every case that was to run has a line, with its result, whether it ran or
//!    not.

use crate::control::{Comparison, Pair};
use crate::ktap::Count;
use crate::verdict::{Row, Verdict};
use comfy_table::{ContentArrangement, Table, presets};
use std::fmt;

/// The verdicts of all cases of a run.
#[derive(Debug)]
pub struct Summary {
    /// In the order in which the cases were chosen.
    pub verdicts: Vec<Verdict>,
    /// Those of them that are judged in pairs.
    pub comparisons: Vec<Comparison>,
}

impl Summary {
    /// Whether every case passed.
    pub fn passed(&self) -> bool {
        !self.verdicts.is_empty()
            && self.verdicts.iter().all(Verdict::passed)
            && self.comparisons.iter().all(Comparison::same)
    }

    /// The tests of all cases; of a pair, those that are the same in both have passed.
    pub fn count(&self) -> Count {
        let alone = self.alone().flat_map(|verdict| &verdict.rows).map(|row| row.count);
        let pairs =
            self.comparisons.iter().flat_map(|comparison| &comparison.programs).map(Pair::tally);
        alone.chain(pairs).fold(Count::default(), |sum, count| Count {
            passed: sum.passed + count.passed,
            failed: sum.failed + count.failed,
            skipped: sum.skipped + count.skipped,
        })
    }

    fn alone(&self) -> impl Iterator<Item = &Verdict> {
        self.verdicts.iter().filter(|verdict| {
            let names = self.comparisons.iter().flat_map(|pair| [&pair.case, &pair.control]);
            !names.into_iter().any(|name| *name == verdict.case)
        })
    }

    /// The names of the cases that did not pass: of a pair, the one that has the control.
    pub fn failed(&self) -> Vec<&str> {
        let alone =
            self.alone().filter(|verdict| !verdict.passed()).map(|verdict| verdict.case.as_str());
        let pairs =
            self.comparisons.iter().filter(|pair| !pair.same()).map(|pair| pair.case.as_str());
        alone.chain(pairs).collect()
    }

    /// The problems, a paragraph each.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        for verdict in &self.verdicts {
            problems.extend(
                verdict.problems.iter().map(|problem| format!("{}: {problem}", verdict.case)),
            );
            for row in &verdict.rows {
                let name = format!("{}/{}", verdict.case, row.program);
                problems.extend(row.problems.iter().map(|problem| format!("{name}: {problem}")));
            }
        }
        problems.extend(self.comparisons.iter().flat_map(Comparison::problems));
        problems
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.alone().next().is_some() {
            let mut table = table(&[
                "case",
                "program",
                "language",
                "image build-id",
                "vDSO functions",
                "tests",
                "result",
            ]);
            for verdict in self.alone() {
                for row in &verdict.rows {
                    table.add_row(line(verdict, row));
                }
                if verdict.rows.is_empty() {
                    table.add_row([verdict.case.as_str(), "-", "-", "-", "-", "-", "FAILED"]);
                }
            }
            write!(formatter, "{table}")?;
            for verdict in self.alone() {
                for count in verdict.rows.iter().filter_map(|row| row.not_carried.as_ref()) {
                    write!(
                        formatter,
                        "\n{}: the kernel need not carry {count} system calls",
                        verdict.case
                    )?;
                }
                for row in &verdict.rows {
                    for figure in &row.figures {
                        write!(formatter, "\n{}/{}: {figure}", verdict.case, row.program)?;
                    }
                }
            }
        }
        for (index, comparison) in self.comparisons.iter().enumerate() {
            if index > 0 || self.alone().next().is_some() {
                writeln!(formatter)?;
            }
            let mut table = table(&["program", &comparison.case, &comparison.control, "result"]);
            for pair in &comparison.programs {
                table.add_row(pair_line(comparison, pair));
            }
            if comparison.programs.is_empty() {
                table.add_row(["-", "-", "-", "FAILED"]);
            }
            write!(formatter, "{table}")?;
        }
        Ok(())
    }
}

fn table(header: &[&str]) -> Table {
    let mut table = Table::new();
    table
        .load_style(presets::UTF8_FULL_CONDENSED)
        .set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(header);
    table
}

fn tests(count: Count) -> String {
    let mut tests = format!("{} of {}", count.passed, count.passed + count.failed);
    if count.skipped > 0 {
        tests += &format!(", {} skipped", count.skipped);
    }
    tests
}

fn pair_line(comparison: &Comparison, pair: &Pair) -> [String; 4] {
    let failing: Vec<&str> = pair.fail_on_both().collect();
    let result = if !pair.same() {
        "DIFFERENT".to_owned()
    } else if !comparison.believed {
        "not believed".to_owned()
    } else if failing.is_empty() {
        "same".to_owned()
    } else {
        format!("same; both fail {}", failing.join(", "))
    };
    [pair.program.clone(), tests(pair.count), tests(pair.control), result]
}

fn line(verdict: &Verdict, row: &Row) -> [String; 7] {
    let functions = row.resolved.iter().map(|name| name.strip_prefix("__vdso_").unwrap_or(name));
    let functions: Vec<&str> = functions.collect();
    let result = if !row.problems.is_empty() {
        "FAILED"
    } else if !verdict.problems.is_empty() {
        "not believed"
    } else {
        "passed"
    };
    [
        verdict.case.clone(),
        row.program.clone(),
        row.language.to_owned(),
        row.build_id.get(..12).unwrap_or(&row.build_id).to_owned(),
        if functions.is_empty() { "none".to_owned() } else { functions.join(" ") },
        tests(row.count),
        result.to_owned(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ktap::Outcome;

    #[test]
    fn a_failed_guest_shows() {
        let row = Row {
            program: "go".into(),
            language: "Go",
            build_id: "00ff00ff00ff00ff".into(),
            resolved: vec!["__vdso_time".into()],
            count: Count { passed: 3, failed: 0, skipped: 1 },
            figures: vec!["a null load: 1037".into()],
            ..Row::default()
        };
        let mut summary = Summary {
            verdicts: vec![Verdict { case: "rust".into(), problems: Vec::new(), rows: vec![row] }],
            comparisons: Vec::new(),
        };
        assert!(summary.passed());
        let text = summary.to_string();
        for word in [
            "rust",
            "Go",
            "00ff00ff00ff ",
            "time",
            "3 of 3, 1 skipped",
            "passed",
            "rust/go: a null load: 1037",
        ] {
            assert!(text.contains(word), "no `{word}` in\n{text}");
        }
        summary.verdicts[0].problems.push("another image".into());
        assert!(!summary.passed() && summary.to_string().contains("not believed"));
        assert_eq!(summary.problems(), ["rust: another image"]);
        assert_eq!(summary.failed(), ["rust"]);
        summary.verdicts[0].rows.clear();
        assert!(summary.to_string().contains("FAILED"));
    }

    #[test]
    fn a_pair_has_a_table_of_its_own() {
        let verdict = |case: &str, outcome: Outcome| Verdict {
            case: case.into(),
            problems: Vec::new(),
            rows: vec![Row {
                program: "x86/iopl".into(),
                count: Count { passed: 0, failed: 1, skipped: 0 },
                results: vec![("exit".into(), outcome)],
                ..Row::default()
            }],
        };
        let summary = |outcome: Outcome| {
            let verdicts = vec![verdict("s", outcome), verdict("s-c", Outcome::Fail)];
            let comparisons = vec![Comparison::of(&verdicts[0], &verdicts[1])];
            Summary { verdicts, comparisons }
        };
        let same = summary(Outcome::Fail);
        assert!(same.failed().is_empty());
        assert!(same.passed() && same.to_string().contains("same; both fail exit"), "{same}");
        assert_eq!(same.count(), Count { passed: 1, failed: 0, skipped: 0 });
        assert!(!same.to_string().contains("build-id"));
        let different = summary(Outcome::Pass);
        assert!(!different.passed() && different.to_string().contains("DIFFERENT"), "{different}");
        assert_eq!(different.count(), Count { passed: 0, failed: 1, skipped: 0 });
        assert_eq!(different.failed(), ["s"]);
        assert_eq!(
            different.problems(),
            ["s/x86/iopl/exit: it passed, and in the control it failed"]
        );
    }
}
