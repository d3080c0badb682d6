//! The report: what every rule said of one image.
//!
//! # Invariants
//!
//! 1. Every rule has exactly one finding, in the order of [`crate::rules()`].
//! 2. A rule that was not judged is printed, never left out.

use crate::rule::Rule;
use crate::rules::rules;
use crate::subject::Subject;
use crate::verdict::Fault;
use std::fmt;

/// What one rule said.
#[derive(Debug)]
pub struct Finding {
    /// The rule.
    pub rule: &'static Rule,
    /// Its verdict.
    pub verdict: Result<(), Fault>,
}

/// What every rule said of one image.
#[derive(Debug)]
pub struct Report {
    /// One finding for each rule.
    pub findings: Vec<Finding>,
}

impl Report {
    /// Applies every rule to `subject`.
    pub(crate) fn of(subject: &Subject<'_>) -> Self {
        let findings = rules()
            .map(|(rule, needs)| Finding {
                rule,
                verdict: subject.admits(needs).and_then(|()| (rule.check)(subject)),
            })
            .collect();
        Self { findings }
    }

    /// Whether no rule refuses the image.
    pub fn is_good(&self) -> bool {
        self.refused().next().is_none()
    }

    /// Names and complaints of the rules that refuse the image.
    pub fn refused(&self) -> impl Iterator<Item = (&'static Rule, &str)> {
        self.findings.iter().filter_map(|finding| match &finding.verdict {
            Err(Fault::Wrong(what)) => Some((finding.rule, what.as_str())),
            _ => None,
        })
    }

    /// The rules that could not be judged, and why.
    pub fn not_judged(&self) -> impl Iterator<Item = (&'static Rule, &str)> {
        self.findings.iter().filter_map(|finding| match &finding.verdict {
            Err(Fault::NotJudged(why)) => Some((finding.rule, why.as_str())),
            _ => None,
        })
    }

    /// How many rules the image satisfies.
    pub fn held(&self) -> usize {
        self.findings.iter().filter(|finding| finding.verdict.is_ok()).count()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (rule, what) in self.refused() {
            writeln!(out, "refused: {}: {what}", rule.name)?;
            writeln!(out, "  because {}", rule.because)?;
            writeln!(out, "  to do: {}", rule.remedy)?;
        }
        for (rule, why) in self.not_judged() {
            writeln!(out, "not judged: {}: {why}", rule.name)?;
        }
        write!(
            out,
            "{} of {} rules hold, {} refused, {} not judged",
            self.held(),
            self.findings.len(),
            self.refused().count(),
            self.not_judged().count()
        )
    }
}
