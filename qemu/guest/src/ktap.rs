//! KTAP 1, the kernel's test format (`Documentation/dev-tools/ktap.rst`), as it is written.
//!
//! # Invariants
//!
//! 1. Each line reaches the output in one write, when it is known: the reader has a watchdog.
//! 2. Test numbers ascend from 1 without gaps; [`Ktap::test`] counts them.
//! 3. Text that comes from outside cannot forge a line of the verdict: it is cut at the first line
//!    end and follows a `#`, which no name holds.

use liblinux_protocol::report::HEADER;
use std::io::{self, Write};

/// How a test ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// `ok`
    Pass,
    /// `not ok`, with the reason in a diagnostic line before it.
    Fail(String),
    /// `ok`, with a `# SKIP` directive and the reason.
    Skip(String),
}

impl From<Result<(), String>> for Outcome {
    fn from(result: Result<(), String>) -> Self {
        match result {
            Ok(()) => Self::Pass,
            Err(reason) => Self::Fail(reason),
        }
    }
}

/// A list of tests at one level of nesting.
pub struct Ktap<'a> {
    out: &'a mut dyn Write,
    depth: usize,
    tests: usize,
    failures: usize,
}

impl<'a> Ktap<'a> {
    /// Starts a list at the outermost level.
    pub fn begin(out: &'a mut dyn Write) -> io::Result<Self> {
        Self::at(out, 0)
    }

    /// Starts the list that the next test consists of.
    pub fn subtest(&mut self) -> io::Result<Ktap<'_>> {
        Ktap::at(&mut *self.out, self.depth + 1)
    }

    fn at(out: &'a mut dyn Write, depth: usize) -> io::Result<Self> {
        let mut ktap = Self { out, depth, tests: 0, failures: 0 };
        ktap.line(HEADER)?;
        Ok(ktap)
    }

    /// Says how many tests there will be.
    pub fn plan(&mut self, tests: usize) -> io::Result<()> {
        self.line(&format!("1..{tests}"))
    }

    /// Writes a diagnostic line, `# text`.
    pub fn note(&mut self, text: &str) -> io::Result<()> {
        self.line(&format!("# {}", first_line(text)))
    }

    /// Writes the result of the next test.
    pub fn test(&mut self, name: &str, outcome: &Outcome) -> io::Result<()> {
        self.tests += 1;
        let name = format!("{} {}", self.tests, first_line(name).replace('#', ""));
        match outcome {
            Outcome::Pass => self.line(&format!("ok {name}")),
            Outcome::Skip(reason) => {
                self.line(format!("ok {name} # SKIP {}", first_line(reason)).trim_end())
            }
            Outcome::Fail(reason) => {
                self.failures += 1;
                self.note(reason)?;
                self.line(&format!("not ok {name}"))
            }
        }
    }

    /// The number of tests written so far.
    pub fn tests(&self) -> usize {
        self.tests
    }

    /// The number of tests written so far that failed.
    pub fn failures(&self) -> usize {
        self.failures
    }

    fn line(&mut self, text: &str) -> io::Result<()> {
        let line = format!("{:indent$}{text}\n", "", indent = self.depth * 4);
        self.out.write_all(line.as_bytes())?;
        self.out.flush()
    }
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default().trim_end()
}

/// A result line, as another program wrote it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line<'a> {
    /// `KTAP version 1`, or the selftests' `TAP version 13`
    Header,
    /// `1..N`
    Plan(usize),
    /// `1..0 # SKIP reason`: nothing was run.
    SkipAll(&'a str),
    /// `ok N name` or `not ok N name`, with the name and how it ended.
    Test(&'a str, Outcome),
    /// `# text`
    Note(&'a str),
    /// Anything else, for example the indented lines of a nested list.
    Other(&'a str),
}

impl<'a> Line<'a> {
    /// Reads one line without its line end.
    pub fn parse(line: &'a str) -> Self {
        if line == HEADER || line == "TAP version 13" {
            return Self::Header;
        }
        if let Some(reason) = line.strip_prefix("1..0 # SKIP") {
            return Self::SkipAll(reason.trim());
        }
        if let Some(count) = line.strip_prefix("1..").and_then(|count| count.trim().parse().ok()) {
            return Self::Plan(count);
        }
        if let Some(text) = line.strip_prefix("# ") {
            return Self::Note(text);
        }
        let (passed, rest) = match (line.strip_prefix("ok "), line.strip_prefix("not ok ")) {
            (Some(rest), _) => (true, rest),
            (_, Some(rest)) => (false, rest),
            _ => return Self::Other(line),
        };
        let Some((_, name)) =
            rest.split_once(' ').filter(|(number, _)| number.parse::<usize>().is_ok())
        else {
            return Self::Other(line);
        };
        // The kernel's selftests write the name behind the directive.
        if let Some(name) = name.strip_prefix("# ") {
            return match name.split_once(' ').unwrap_or((name, "")) {
                ("SKIP", name) if passed => Self::Test(name.trim(), Outcome::Skip(String::new())),
                ("XFAIL", name) if passed => {
                    Self::Test(name.trim(), Outcome::Skip("fails as expected".into()))
                }
                _ if passed => Self::Test(name, Outcome::Pass),
                _ => Self::Test(name, Outcome::Fail(String::new())),
            };
        }
        match name.split_once(" # SKIP") {
            Some((name, reason)) if passed => {
                Self::Test(name, Outcome::Skip(reason.trim().to_owned()))
            }
            _ if passed => Self::Test(name, Outcome::Pass),
            _ => Self::Test(name, Outcome::Fail(String::new())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_nested_lists() {
        let mut out = Vec::new();
        let mut ktap = Ktap::begin(&mut out).unwrap();
        ktap.note("clocksource: tsc").unwrap();
        ktap.plan(1).unwrap();
        let mut inner = ktap.subtest().unwrap();
        inner.plan(3).unwrap();
        inner.test("image", &Outcome::Pass).unwrap();
        inner.test("X", &Outcome::Fail("too\nlate".into())).unwrap();
        inner.test("y: #PF", &Outcome::Skip("none".into())).unwrap();
        assert_eq!((inner.tests(), inner.failures()), (3, 1));
        ktap.test("go", &Outcome::Fail("one test".into())).unwrap();
        let expected = "\
KTAP version 1
# clocksource: tsc
1..1
    KTAP version 1
    1..3
    ok 1 image
    # too
    not ok 2 X
    ok 3 y: PF # SKIP none
# one test
not ok 1 go
";
        assert_eq!(String::from_utf8(out).unwrap(), expected);
    }

    #[test]
    fn reads_its_own_lines() {
        assert_eq!(Line::parse("KTAP version 1"), Line::Header);
        assert_eq!(Line::parse("1..12"), Line::Plan(12));
        assert_eq!(Line::parse("# a: b"), Line::Note("a: b"));
        assert_eq!(Line::parse("ok 1 read"), Line::Test("read", Outcome::Pass));
        assert_eq!(Line::parse("not ok 2 a b"), Line::Test("a b", Outcome::Fail(String::new())));
        assert_eq!(Line::parse("ok 3 x # SKIP why"), Line::Test("x", Outcome::Skip("why".into())));
        assert_eq!(Line::parse("TAP version 13"), Line::Header);
        assert_eq!(Line::parse("1..0 # SKIP not root"), Line::SkipAll("not root"));
        assert_eq!(Line::parse("ok 4 # SKIP TAI"), Line::Test("TAI", Outcome::Skip(String::new())));
        let expected = Outcome::Skip("fails as expected".into());
        assert_eq!(Line::parse("ok 5 # XFAIL a b"), Line::Test("a b", expected));
        let error = Line::parse("not ok 6 # error a b");
        assert_eq!(error, Line::Test("error a b", Outcome::Fail(String::new())));
        for other in ["", "okay 1", "ok one two", "    ok 1 nested", "1..x"] {
            assert_eq!(Line::parse(other), Line::Other(other));
        }
    }
}
