//! KTAP 1, the kernel's format for test results, read strictly.
//!
//! A report is a header, a plan, diagnostics and result lines; a result may be preceded by a report
//! of its own, one step further in. The reader refuses a plan that was not kept, numbers that skip,
//! a report that stops in the middle, and a report without a test: a verdict is worth no more than
//! these refusals. The kernel's `kunit.py parse` reads the same files but forgives all of these.
//!
//! Lines of no known form are skipped, as the format says they must be: a program's own output may
//! be among them. Deliberately missing: TAP 14's YAML blocks and KTAP's XFAIL and TIMEOUT
//! directives, which the guests never write.
//!
//! # Invariants
//!
//! 1. Every [`Report`] that [`parse`] returns has at least one test, exactly as many as it
//!    announced, numbered from 1.
//! 2. A test counts as passed only if its line says so and no test below it failed.

use anyhow::{Context, Result, bail, ensure};

/// A header with what followed it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The `#` lines at this level, without the `#`.
    pub diagnostics: Vec<String>,
    /// The results, in the order of the plan.
    pub tests: Vec<Test>,
}

/// One result line with the report above it, if there was one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Test {
    /// The name in the line.
    pub name: String,
    /// The result in the line.
    pub outcome: Outcome,
    /// The diagnostics since the test before.
    pub diagnostics: Vec<String>,
    /// The tests that this one consists of.
    pub subtests: Option<Report>,
}

/// The result in a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// `ok`
    Pass,
    /// `not ok`
    Fail,
    /// `ok` with `# SKIP` and this reason.
    Skip(String),
}

/// Results that have no tests below them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Count {
    /// Tests that passed.
    pub passed: usize,
    /// Tests that failed.
    pub failed: usize,
    /// Tests that were not run.
    pub skipped: usize,
}

/// Reads a whole report.
pub fn parse(text: &str) -> Result<Report> {
    let mut lines = Lines { lines: text.lines().collect(), next: 0 };
    while lines.peek().is_some_and(|line| !is_header(line)) {
        lines.next += 1;
    }
    ensure!(lines.peek().is_some(), "there is no `KTAP version 1` line");
    let report = lines.report(0)?;
    match lines.peek() {
        None => Ok(report),
        Some(line) => {
            bail!("line {}: `{}` comes after the end of the report", lines.next + 1, line.trim())
        }
    }
}

impl Report {
    /// The value of the first diagnostic of the form `KEY: VALUE`.
    pub fn value(&self, key: &str) -> Option<&str> {
        value(&self.diagnostics, key)
    }

    /// Counts the results at the leaves.
    pub fn count(&self) -> Count {
        let mut count = Count::default();
        for test in &self.tests {
            let below = match (&test.subtests, &test.outcome) {
                (Some(report), _) => report.count(),
                (None, Outcome::Pass) => Count { passed: 1, ..Count::default() },
                (None, Outcome::Fail) => Count { failed: 1, ..Count::default() },
                (None, Outcome::Skip(_)) => Count { skipped: 1, ..Count::default() },
            };
            count.passed += below.passed;
            count.failed += below.failed;
            count.skipped += below.skipped;
        }
        count
    }
}

impl Test {
    /// Whether this test or one below it failed.
    pub fn failed(&self) -> bool {
        self.outcome == Outcome::Fail
            || self.subtests.as_ref().is_some_and(|report| report.tests.iter().any(Test::failed))
    }
}

fn value<'a>(diagnostics: &'a [String], key: &str) -> Option<&'a str> {
    diagnostics.iter().find_map(|line| line.strip_prefix(key)?.strip_prefix(':').map(str::trim))
}

struct Lines<'a> {
    lines: Vec<&'a str>,
    next: usize,
}

impl<'a> Lines<'a> {
    fn peek(&self) -> Option<&'a str> {
        self.lines.get(self.next).copied()
    }

    /// Reads the report whose header is the next line, indented by `indent`.
    fn report(&mut self, indent: usize) -> Result<Report> {
        let header = self.next + 1;
        self.next += 1;
        let mut report = Report::default();
        let mut plan = None;
        let mut below: Option<Report> = None;
        let mut since: Vec<String> = Vec::new();
        while let Some(line) = self.peek() {
            let number = self.next + 1;
            let text = line.trim();
            let depth = indent_of(line);
            if text.is_empty() {
            } else if depth < indent {
                break;
            } else if depth > indent {
                if is_header(line) {
                    ensure!(
                        below.is_none(),
                        "line {number}: a second report before the result of the first"
                    );
                    below = Some(self.report(depth)?);
                    continue;
                }
            } else if is_header(line) {
                bail!("line {number}: a second header inside the report of line {header}");
            } else if let Some(diagnostic) = text.strip_prefix('#') {
                let diagnostic = diagnostic.trim().to_owned();
                since.push(diagnostic.clone());
                report.diagnostics.push(diagnostic);
            } else if let Some(count) = text.strip_prefix("1..") {
                ensure!(
                    plan.is_none(),
                    "line {number}: a second plan in the report of line {header}"
                );
                let count = count.split_whitespace().next().unwrap_or_default();
                plan = Some(
                    count
                        .parse::<usize>()
                        .with_context(|| format!("line {number}: bad plan `{text}`"))?,
                );
            } else if text.starts_with("Bail out!") {
                bail!("line {number}: the guest gave up: {text}");
            } else if let Some(mut test) = result(text, report.tests.len() + 1, number)? {
                test.subtests = below.take();
                test.diagnostics = std::mem::take(&mut since);
                report.tests.push(test);
            }
            self.next += 1;
        }
        ensure!(below.is_none(), "the report ends before the result line of its last subtest");
        let plan =
            plan.with_context(|| format!("the report of line {header} has no plan (`1..N`)"))?;
        ensure!(plan > 0, "the report of line {header} announces no test at all");
        ensure!(
            plan == report.tests.len(),
            "the report of line {header} announces {plan} tests and has {}{}",
            report.tests.len(),
            report
                .tests
                .last()
                .map_or(String::new(), |test| format!("; the last is `{}`", test.name)),
        );
        Ok(report)
    }
}

/// Reads a result line; `None` if the line is another one.
fn result(text: &str, expected: usize, line: usize) -> Result<Option<Test>> {
    let (passed, rest) = match (text.strip_prefix("ok "), text.strip_prefix("not ok ")) {
        (Some(rest), _) => (true, rest),
        (_, Some(rest)) => (false, rest),
        _ => return Ok(None),
    };
    let (number, rest) = rest.split_once(' ').unwrap_or((rest, ""));
    let number: usize =
        number.parse().with_context(|| format!("line {line}: no number in `{text}`"))?;
    ensure!(number == expected, "line {line}: test {number} where test {expected} should be");
    let rest = rest.trim();
    let rest = rest.strip_prefix("- ").unwrap_or(rest);
    let (name, directive) = rest.split_once(" # ").unwrap_or((rest, ""));
    let outcome = match directive.trim().strip_prefix("SKIP") {
        Some(reason) if passed => Outcome::Skip(reason.trim().to_owned()),
        _ if passed => Outcome::Pass,
        _ => Outcome::Fail,
    };
    Ok(Some(Test {
        name: name.trim().to_owned(),
        outcome,
        diagnostics: Vec::new(),
        subtests: None,
    }))
}

fn is_header(line: &str) -> bool {
    line.trim().strip_prefix("KTAP version ").is_some_and(|version| version == "1")
}

fn indent_of(line: &str) -> usize {
    line.len() - line.trim_start_matches(' ').len()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NESTED: &str = "\
KTAP version 1
# clocksource: tsc
# image: 00ff
1..2
    KTAP version 1
    1..2
    # build-id: 00ff
    a line of the program's own
    ok 1 image
    # 7 < 3
    not ok 2 CLOCK_REALTIME
not ok 1 busybox
    KTAP version 1
    1..2
    ok 1 - image
    ok 2 CLOCK_TAI # SKIP no such clock
ok 2 go
";

    #[test]
    fn reads_nested_results() {
        let report = parse(NESTED).unwrap();
        assert_eq!(report.value("clocksource"), Some("tsc"));
        assert_eq!(report.count(), Count { passed: 2, failed: 1, skipped: 1 });
        assert!(report.tests[0].failed());
        assert!(!report.tests[1].failed());
        let busybox = report.tests[0].subtests.as_ref().unwrap();
        assert_eq!(busybox.value("build-id"), Some("00ff"));
        assert_eq!(busybox.tests[1].diagnostics, ["7 < 3"]);
        let go = report.tests[1].subtests.as_ref().unwrap();
        assert_eq!(go.tests[0].name, "image");
        assert_eq!(go.tests[1].outcome, Outcome::Skip("no such clock".into()));
    }

    #[test]
    fn a_failure_below_is_a_failure() {
        let report =
            parse("KTAP version 1\n1..1\n  KTAP version 1\n  1..1\n  not ok 1 a\nok 1 b\n")
                .unwrap();
        assert!(report.tests[0].failed());
    }

    #[test]
    fn every_cut_is_noticed() {
        // A file that ends early, at any line, must not read as a verdict.
        let lines: Vec<&str> = NESTED.lines().collect();
        for count in 0..lines.len() {
            let cut = lines[..count].join("\n");
            assert!(parse(&cut).is_err(), "accepted when cut after line {count}:\n{cut}");
        }
    }

    #[test]
    fn refuses() {
        for (text, because) in [
            ("", "no `KTAP version 1`"),
            ("ok 1 a\n", "no `KTAP version 1`"),
            ("KTAP version 1\n1..0\n", "no test at all"),
            ("KTAP version 1\nok 1 a\n", "no plan"),
            ("KTAP version 1\n1..2\nok 1 a\n", "announces 2 tests and has 1; the last is `a`"),
            ("KTAP version 1\n1..1\nok 1 a\nok 2 b\n", "announces 1 tests and has 2"),
            ("KTAP version 1\n1..2\nok 1 a\nok 3 b\n", "test 3 where test 2"),
            ("KTAP version 1\n1..1\nok a\n", "no number"),
            ("KTAP version 1\n1..1\n1..1\nok 1 a\n", "second plan"),
            ("KTAP version 1\n1..1\nBail out! no memory\n", "gave up"),
            ("KTAP version 1\n1..1\nKTAP version 1\n1..1\nok 1 a\n", "second header"),
            (
                "KTAP version 1\n1..1\n  KTAP version 1\n  1..1\n  ok 1 a\n",
                "before the result line",
            ),
        ] {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.contains(because), "`{text}` gave `{error}`");
        }
    }
}
