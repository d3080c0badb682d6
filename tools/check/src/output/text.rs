//! For people: what is wrong, where, why it matters, whom it breaks, what to do.

use super::{Verdict, printable};
use crate::profile::Scope;
use crate::rule::Rule;
use std::fmt::Write as _;

/// All verdicts.
pub(super) fn of(verdicts: &[Verdict], verbose: bool) -> String {
    let mut text = String::new();
    for Verdict { name, report } in verdicts {
        let held = report.judgements.iter().filter(|judgement| judgement.verdict.is_ok());
        if verbose {
            held.for_each(|judgement| text += &format!("holds: {}\n", judgement.rule.name));
        }
        // One line stays behind the file's name; more begin on a line of their own.
        let is_short = report.held() == report.judgements.len();
        let _ = writeln!(text, "{name}:{}{report}", if is_short { ' ' } else { '\n' });
    }
    printable(&text)
}

/// All that is known of a rule.
pub fn explain(rule: &Rule) -> String {
    let mut text = format!("{}: {}\n", rule.name, rule.severity.name());
    let judged = match rule.scope {
        Scope::Any => "any vDSO",
        Scope::Linux => "Linux's images and liblinux",
        Scope::Liblinux => "liblinux alone",
    };
    let _ = writeln!(text, "  judges {judged}");
    for demand in rule.demands {
        let _ = writeln!(text, "  demands ({}) {}", demand.name, demand.text);
        let _ = writeln!(text, "    from {}", demand.source);
    }
    let _ = writeln!(text, "  because {}", rule.because);
    let profile = match rule.scope {
        Scope::Liblinux => &crate::profile::LIBLINUX,
        _ => &crate::profile::ANY,
    };
    let _ = write!(text, "  to do: {}", profile.remedy(rule.remedy));
    text
}
