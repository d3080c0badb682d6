//! SARIF 2.1.0.

use super::Verdict;
use super::json::level;
use crate::report::{Finding, Report};
use crate::rules::rules;
use serde_json::{Value, json};

/// All verdicts, as the results of one run.
pub(super) fn of(verdicts: &[Verdict]) -> String {
    let results: Vec<Value> = verdicts
        .iter()
        .flat_map(|Verdict { name, report }| {
            report.findings().iter().map(|one| result(name, report, one)).collect::<Vec<_>>()
        })
        .collect();
    let rules: Vec<Value> = rules()
        .map(|(rule, _)| {
            json!({
                "id": rule.name,
                "shortDescription": { "text": rule.because },
                "defaultConfiguration": { "level": level(rule.severity) },
            })
        })
        .collect();
    let all = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": "liblinux-check",
                "version": env!("CARGO_PKG_VERSION"),
                "rules": rules,
            }},
            "results": results,
        }],
    });
    format!("{all:#}\n")
}

fn result(name: &str, report: &Report, finding: &Finding<'_>) -> Value {
    let mut text = format!("{}, because {}", finding.what, finding.rule.because);
    for (rule, what) in &finding.consequences {
        text += &format!("\nwith it: {}: {what}", rule.name);
    }
    text += &format!("\nto do: {}", report.profile.remedy(finding.rule.remedy));
    json!({
        "ruleId": finding.rule.name,
        "level": level(finding.severity),
        "message": { "text": text },
        "locations": [{ "physicalLocation": { "artifactLocation": { "uri": uri(name) } } }],
    })
}

/// A path as a URI reference.
fn uri(name: &str) -> String {
    let escape = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'-' | b'_' | b'~' | b'+' => {
            char::from(byte).to_string()
        }
        other => format!("%{other:02X}"),
    };
    name.bytes().map(escape).collect()
}
