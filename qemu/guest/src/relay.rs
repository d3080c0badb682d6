//! A program's own KTAP, passed on as the program's subtest.
//!
//! The program writes an ordinary outermost list. Its lines go out one step further in as they
//! come, renumbered; what the program failed to say is said for it, so that the verdict stays
//! well-formed if it dies half way.
//!
//! # Invariants
//!
//! 1. The list that goes out keeps its plan: no more results than announced, and a failure for each
//!    that is missing.

use crate::ktap::{Ktap, Line, Outcome};
use liblinux_protocol::report::MISSING;
use std::io;

/// Passes the lines of one program on.
pub struct Relay<'k, 'o> {
    list: &'k mut Ktap<'o>,
    planned: Option<usize>,
    surplus: usize,
}

impl<'k, 'o> Relay<'k, 'o> {
    /// Starts passing lines on to `list`, which has no plan yet.
    pub fn new(list: &'k mut Ktap<'o>) -> Self {
        Self { list, planned: None, surplus: 0 }
    }

    /// Writes a diagnostic line of our own.
    pub fn note(&mut self, text: &str) -> io::Result<()> {
        self.list.note(text)
    }

    /// Passes one line on.
    pub fn line(&mut self, line: &str) -> io::Result<()> {
        match (Line::parse(line), self.planned) {
            (Line::Header, _) => Ok(()),
            (Line::Plan(count), None) if count > 0 => {
                self.planned = Some(count);
                self.list.plan(count)
            }
            (Line::SkipAll(reason), None) => {
                self.planned = Some(1);
                self.list.plan(1)?;
                self.list.test("all", &Outcome::Skip(reason.to_owned()))
            }
            (Line::Test(name, outcome), Some(planned)) if self.list.tests() < planned => {
                // The reason of a failure came before it, as a diagnostic line of the program's.
                let outcome = match outcome {
                    Outcome::Fail(_) => Outcome::Fail(format!("{name} failed")),
                    other => other,
                };
                self.list.test(name, &outcome)
            }
            (Line::Test(..), _) => {
                self.surplus += 1;
                self.list.note(&format!("not announced: {line}"))
            }
            (Line::Note(text), _) => self.list.note(text),
            (Line::Plan(_) | Line::SkipAll(_) | Line::Other(_), _) => {
                self.list.note(&format!("output: {line}"))
            }
        }
    }

    /// Ends the list; `end` says how the program ended. Returns what is wrong beside failed tests.
    pub fn finish(self, end: Result<(), String>) -> io::Result<Result<(), String>> {
        let reason =
            end.clone().err().unwrap_or_else(|| "the program ended before this test".to_owned());
        let planned = match self.planned {
            Some(planned) => planned,
            None => {
                self.list.plan(1)?;
                1
            }
        };
        let missing = planned - self.list.tests();
        while self.list.tests() < planned {
            self.list.test(MISSING, &Outcome::Fail(reason.clone()))?;
        }
        Ok(end.and(match (missing, self.surplus) {
            (0, 0) => Ok(()),
            (0, surplus) => Err(format!("{surplus} results were not announced")),
            (missing, _) => Err(format!("{missing} of {planned} results are missing")),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn relay(text: &str, end: Result<(), String>) -> (String, Result<(), String>) {
        let mut out = Vec::new();
        let mut list = Ktap::begin(&mut out).unwrap();
        let mut relay = Relay::new(&mut list);
        for line in text.lines() {
            relay.line(line).unwrap();
        }
        let wrong = relay.finish(end).unwrap();
        (String::from_utf8(out).unwrap(), wrong)
    }

    #[test]
    fn a_complete_list_passes_unchanged() {
        let text = "KTAP version 1\n1..2\n# a\nok 1 read\nok 2 exit # SKIP never returns\n";
        assert_eq!(relay(text, Ok(())), (text.to_owned(), Ok(())));
    }

    #[test]
    fn a_list_that_was_skipped_is_one_skipped_test() {
        let (text, wrong) = relay("TAP version 13\n1..0 # SKIP not root\n", Ok(()));
        assert_eq!(text, "KTAP version 1\n1..1\nok 1 all # SKIP not root\n");
        assert_eq!(wrong, Ok(()));
    }

    #[test]
    fn what_is_missing_is_filled_in() {
        let (text, wrong) = relay("KTAP version 1\n1..2\nok 1 read\n", Err("killed".into()));
        assert_eq!(text, "KTAP version 1\n1..2\nok 1 read\n# killed\nnot ok 2 missing\n");
        assert_eq!(wrong, Err("killed".into()));
        let (text, wrong) = relay("", Ok(()));
        assert!(
            text.ends_with("1..1\n# the program ended before this test\nnot ok 1 missing\n"),
            "{text}"
        );
        assert!(wrong.is_err());
    }

    #[test]
    fn what_was_not_announced_is_no_result() {
        let (text, wrong) = relay("1..1\nok 1 a\nok 2 b\nhello\n1..7\n", Ok(()));
        assert_eq!(
            text,
            "KTAP version 1\n1..1\nok 1 a\n# not announced: ok 2 b\n# output: hello\n# output: 1..7\n"
        );
        assert!(wrong.is_err());
    }
}
