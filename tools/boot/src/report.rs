//! The table that a boot ends with.
//!
//! # Invariants
//!
//! 1. Every program of every case that was to run has a line, with its result, whether it ran or not.

use std::fmt;

use comfy_table::{ContentArrangement, Table, presets};

use crate::verdict::{Row, Verdict};

/// The verdicts of all cases of a run.
#[derive(Debug)]
pub struct Summary {
    /// In the order in which the cases were chosen.
    pub verdicts: Vec<Verdict>,
}

impl Summary {
    /// Whether every case passed.
    pub fn passed(&self) -> bool {
        !self.verdicts.is_empty() && self.verdicts.iter().all(Verdict::passed)
    }

    /// What went wrong, a paragraph per problem.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        for verdict in &self.verdicts {
            problems.extend(verdict.problems.iter().map(|problem| format!("{}: {problem}", verdict.case)));
            for row in &verdict.rows {
                let name = format!("{}/{}", verdict.case, row.program);
                problems.extend(row.problems.iter().map(|problem| format!("{name}: {problem}")));
            }
        }
        problems
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = Table::new();
        table.load_style(presets::UTF8_FULL_CONDENSED).set_content_arrangement(ContentArrangement::Dynamic);
        table.set_header([
            "case",
            "program",
            "language",
            "image build-id",
            "vDSO functions",
            "tests",
            "result",
        ]);
        for verdict in &self.verdicts {
            for row in &verdict.rows {
                table.add_row(line(verdict, row));
            }
            if verdict.rows.is_empty() {
                table.add_row([verdict.case.as_str(), "-", "-", "-", "-", "-", "FAILED"]);
            }
        }
        write!(formatter, "{table}")
    }
}

fn line(verdict: &Verdict, row: &Row) -> [String; 7] {
    let count = row.count;
    let mut tests = format!("{} of {}", count.passed, count.passed + count.failed);
    if count.skipped > 0 {
        tests += &format!(", {} skipped", count.skipped);
    }
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
        tests,
        result.to_owned(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ktap::Count;

    #[test]
    fn a_failed_guest_shows() {
        let row = Row {
            program: "go".into(),
            language: "Go",
            build_id: "00ff00ff00ff00ff".into(),
            resolved: vec!["__vdso_time".into()],
            count: Count { passed: 3, failed: 0, skipped: 1 },
            problems: Vec::new(),
        };
        let mut summary = Summary {
            verdicts: vec![Verdict { case: "rust".into(), problems: Vec::new(), rows: vec![row] }],
        };
        assert!(summary.passed());
        let text = summary.to_string();
        for word in ["rust", "Go", "00ff00ff00ff ", "time", "3 of 3, 1 skipped", "passed"] {
            assert!(text.contains(word), "no `{word}` in\n{text}");
        }
        summary.verdicts[0].problems.push("another image".into());
        assert!(!summary.passed() && summary.to_string().contains("not believed"));
        assert_eq!(summary.problems(), ["rust: another image"]);
        summary.verdicts[0].rows.clear();
        assert!(summary.to_string().contains("FAILED"));
    }
}
