//! JSON, as `report.schema.json` describes it.
//!
//! # Invariants
//!
//! 1. The schema's version changes with every change that a reader could notice.

use super::Verdict;
use crate::report::{Finding, Report};
use crate::verdict::Severity;
use serde_json::{Value, json};

/// The version of the schema.
const VERSION: u32 = 1;

/// All verdicts.
pub(super) fn of(verdicts: &[Verdict]) -> String {
    let images: Vec<Value> = verdicts.iter().map(image).collect();
    let all = json!({
        "schema": VERSION,
        "checker": env!("CARGO_PKG_VERSION"),
        "images": images,
    });
    format!("{all:#}\n")
}

fn image(Verdict { name, report }: &Verdict) -> Value {
    let findings: Vec<Value> = report.findings().iter().map(|one| finding(report, one)).collect();
    let not_judged: Vec<Value> =
        report.not_judged().map(|(rule, why)| json!({ "rule": rule.name, "why": why })).collect();
    json!({
        "name": name,
        "profile": report.profile.name,
        "good": report.is_good(),
        "rules": report.judgements.len(),
        "held": report.held(),
        "findings": findings,
        "not_judged": not_judged,
    })
}

fn finding(report: &Report, finding: &Finding<'_>) -> Value {
    let consequences: Vec<Value> = finding
        .consequences
        .iter()
        .map(|(rule, what)| json!({ "rule": rule.name, "what": what }))
        .collect();
    json!({
        "rule": finding.rule.name,
        "severity": finding.severity.name(),
        "what": finding.what,
        "because": finding.rule.because,
        "remedy": report.profile.remedy(finding.rule.remedy),
        "consequences": consequences,
    })
}

/// As SARIF names a severity; its names are the same.
pub(super) fn level(severity: Severity) -> &'static str {
    severity.name()
}
