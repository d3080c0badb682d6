//! JUnit's XML: an image is a suite, a rule a case.

use super::{Verdict, xml};
use crate::verdict::{Fault, Severity};
use std::fmt::Write as _;

/// All verdicts. A warning or a note is a case that passes and says something.
pub(super) fn of(verdicts: &[Verdict]) -> String {
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
    for verdict in verdicts {
        suite(&mut text, verdict);
    }
    text += "</testsuites>\n";
    text
}

fn suite(text: &mut String, Verdict { name, report }: &Verdict) {
    let (tests, failures) = (report.judgements.len(), report.refused().count());
    let skipped = report.not_judged().count();
    let _ = writeln!(
        text,
        "  <testsuite name=\"{}\" tests=\"{tests}\" failures=\"{failures}\" skipped=\"{skipped}\">",
        xml(name)
    );
    for judgement in &report.judgements {
        let rule = judgement.rule;
        let inside = match &judgement.verdict {
            Ok(()) => String::new(),
            Err(Fault::NotJudged(why)) => format!("<skipped message=\"{}\"/>", xml(why)),
            Err(Fault::Wrong(what)) if report.severity_of(rule) == Severity::Error => {
                let because = xml(rule.because);
                let remedy = xml(&report.profile.remedy(rule.remedy));
                format!(
                    "<failure message=\"{}\">because {because}; to do: {remedy}</failure>",
                    xml(what)
                )
            }
            Err(Fault::Wrong(what)) => {
                let severity = report.severity_of(rule).name();
                format!("<system-out>{severity}: {}</system-out>", xml(what))
            }
        };
        let _ = writeln!(
            text,
            "    <testcase classname=\"{}\" name=\"{}\">{inside}</testcase>",
            report.profile.name, rule.name
        );
    }
    *text += "  </testsuite>\n";
}
