//! `tools/check/DEMANDS.md`: what an image has to satisfy, where that comes from, and the rules
//! that judge it.

use crate::HEADER;
use anyhow::Result;
use liblinux_check::demand::DEMANDS;
use liblinux_check::rules;
use liblinux_workspace::Workspace;
use std::fmt::Write as _;

/// What the file should say.
pub(crate) fn text(_: &Workspace) -> Result<String> {
    let mut text = format!(
        "<!-- {HEADER} -->\n\
         # What an image must satisfy\n\n\
         The demands were gathered from loaders and checkers: read in their sources, or *seen* by running the loader with\n\
         test images swapped in through `AT_SYSINFO_EHDR`. A rule that judges several demands is listed with each.\n\n\
         | demand | holds if | from | rules |\n|---|---|---|---|\n",
    );
    for demand in DEMANDS {
        let judges = rules().filter(|(rule, _)| rule.demands.contains(demand));
        let names: Vec<String> = judges.map(|(rule, _)| format!("`{}`", rule.name)).collect();
        let rules = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        writeln!(text, "| `{}` | {} | {} | {rules} |", demand.name, demand.text, demand.source)?;
    }
    Ok(text)
}
