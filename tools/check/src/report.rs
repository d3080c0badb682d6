//! The report: what every rule said of one image, and what is wrong with it, one finding for each
//! cause.
//!
//! # Invariants
//!
//! 1. Every rule of the profile has exactly one judgement, in the order of [`crate::rules()`].
//! 2. A rule that was not judged is printed, never left out.
//! 3. Every rule that does not hold is in exactly one finding: as its rule, or as a consequence.

use crate::cause::follows;
use crate::profile::Profile;
use crate::rule::Rule;
use crate::rules::{judge, rules};
use crate::subject::Subject;
use crate::verdict::{Fault, Severity};
use std::fmt;

/// What the names of rules about a reader begin with.
const READER: &str = "reader-";

/// Errors that no reader of the tables sees: code that goes wrong when it runs, what the kernel's
/// build refuses, and a broken lock.
const NO_READERS: &[&str] = &[
    "no-image-writes",
    "stack-balance",
    "saved-registers",
    "covers-load",
    "extable-unique",
    "extable-targets",
    "abi-lock",
];

/// Errors of the images of x86 kernels, whose build refuses these program headers (`vdso2c`).
const REFUSED_BY_THE_BUILD: &[&str] = &["load-at-zero"];

/// What one rule said.
#[derive(Debug)]
pub struct Judgement {
    /// The rule.
    pub rule: &'static Rule,
    /// Its verdict.
    pub verdict: Result<(), Fault>,
}

/// One thing that is wrong with an image.
#[derive(Debug)]
pub struct Finding<'r> {
    /// The rule that sees the cause.
    pub rule: &'static Rule,
    /// How bad it is: the worst of the rule and its consequences.
    pub severity: Severity,
    /// What is wrong, and where.
    pub what: &'r str,
    /// The rules that see the same cause, and what they say of it.
    pub consequences: Vec<(&'static Rule, &'r str)>,
}

/// What every rule said of one image.
#[derive(Debug)]
pub struct Report {
    /// What kind of vDSO it was judged as.
    pub profile: &'static Profile,
    /// One judgement for each rule of the profile.
    pub judgements: Vec<Judgement>,
}

impl Report {
    /// Applies every rule of its profile to `subject`.
    pub(crate) fn of(subject: &Subject<'_>) -> Self {
        let judgements = rules()
            .filter(|(rule, _)| subject.profile.includes(rule.scope))
            .map(|(rule, needs)| Judgement { rule, verdict: judge(rule, needs, subject) })
            .collect();
        Self { profile: subject.profile, judgements }
    }

    /// How bad it is that the image breaks a rule. What is wrong with a table of another image than
    /// liblinux is an error only if a reader minds.
    pub fn severity_of(&self, rule: &Rule) -> Severity {
        let severity = rule.severity_in(self.profile);
        let is_of_the_build =
            self.profile.is_for_x86_kernels() && REFUSED_BY_THE_BUILD.contains(&rule.name);
        let is_of_tables =
            !self.profile.is_liblinux() && !NO_READERS.contains(&rule.name) && !is_of_the_build;
        if severity == Severity::Error && is_of_tables && self.readers_are_content() {
            return Severity::Warning;
        }
        severity
    }

    /// Whether the models of readers were asked, and no program is harmed: a tool may be.
    fn readers_are_content(&self) -> bool {
        let mut readers = self.judgements.iter().filter(|judgement| {
            let rule = judgement.rule;
            rule.name.starts_with(READER) && rule.severity == Severity::Error
        });
        let asked = readers.clone().any(|judgement| judgement.verdict.is_ok());
        asked && !readers.any(|judgement| matches!(judgement.verdict, Err(Fault::Wrong(_))))
    }

    /// Whether no rule refuses the image.
    pub fn is_good(&self) -> bool {
        self.refused().next().is_none()
    }

    /// Names and complaints of the rules that refuse the image: those that are errors.
    pub fn refused(&self) -> impl Iterator<Item = (&'static Rule, &str)> {
        self.broken().filter(|(rule, _)| self.severity_of(rule) == Severity::Error)
    }

    /// Names and complaints of all rules that do not hold.
    pub fn broken(&self) -> impl Iterator<Item = (&'static Rule, &str)> {
        self.judgements.iter().filter_map(|judgement| match &judgement.verdict {
            Err(Fault::Wrong(what)) => Some((judgement.rule, what.as_str())),
            _ => None,
        })
    }

    /// What is wrong, one finding for each cause, in the order of the rules.
    pub fn findings(&self) -> Vec<Finding<'_>> {
        let mut findings: Vec<Finding<'_>> = Vec::new();
        for (rule, what) in self.broken() {
            let severity = self.severity_of(rule);
            // Rules that read the same broken table say the same of it.
            let is_cause =
                |one: &(&'static Rule, &str)| follows(rule.name, one.0.name) || one.1 == what;
            let home = findings.iter_mut().find(|finding| {
                is_cause(&(finding.rule, finding.what)) || finding.consequences.iter().any(is_cause)
            });
            match home {
                Some(finding) => {
                    finding.severity = finding.severity.max(severity);
                    finding.consequences.push((rule, what));
                }
                None => findings.push(Finding { rule, severity, what, consequences: Vec::new() }),
            }
        }
        findings
    }

    /// The rules that could not be judged, and why.
    pub fn not_judged(&self) -> impl Iterator<Item = (&'static Rule, &str)> {
        self.judgements.iter().filter_map(|judgement| match &judgement.verdict {
            Err(Fault::NotJudged(why)) => Some((judgement.rule, why.as_str())),
            _ => None,
        })
    }

    /// How many rules the image satisfies.
    pub fn held(&self) -> usize {
        self.judgements.iter().filter(|judgement| judgement.verdict.is_ok()).count()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let findings = self.findings();
        for finding in &findings {
            let word = match finding.severity {
                Severity::Error => "refused",
                milder => milder.name(),
            };
            writeln!(out, "{word}: {}: {}", finding.rule.name, finding.what)?;
            writeln!(out, "  because {}", finding.rule.because)?;
            for (rule, what) in &finding.consequences {
                writeln!(out, "  with it: {}: {what}", rule.name)?;
            }
            writeln!(out, "  to do: {}", self.profile.remedy(finding.rule.remedy))?;
        }
        for (rule, why) in self.not_judged() {
            writeln!(out, "not judged: {}: {why}", rule.name)?;
        }
        write!(
            out,
            "{} of {} rules hold, {} refused, {} not judged",
            self.held(),
            self.judgements.len(),
            self.refused().count(),
            self.not_judged().count()
        )?;
        let milder = self.broken().count() - self.refused().count();
        if milder > 0 { write!(out, ", {milder} warnings and notes") } else { Ok(()) }
    }
}
