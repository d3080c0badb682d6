//! The rules, one module per family.
//!
//! # Invariants
//!
//! 1. Names are unique.
//! 2. Every demand is in the `demands` of a rule, but for
//!    [`REPRODUCIBLE`](crate::demand::REPRODUCIBLE): two builds are needed to judge that two builds
//!    give the same bytes.

mod aarch64;
mod alternatives;
mod calls;
mod cancel;
mod code;
mod control;
mod dynamic;
mod extable;
mod fixups;
mod hashes;
mod header;
mod instructions;
mod layout;
mod locked;
mod models;
mod names;
mod notes;
mod paths;
mod readers;
mod rows;
mod secrets;
mod sections;
mod segments;
mod slots;
mod symbols;
mod twins;
mod unwind;
mod versions;

use crate::machine::ARM64;
use crate::rule::Rule;
use crate::subject::{Needs, Subject};
use crate::verdict::Verdict;

/// Every family, in the order in which a reader of an image meets what it judges.
const FAMILIES: &[(&[Rule], Needs)] = &[
    (header::RULES, Needs::Elf),
    (segments::RULES, Needs::Tables),
    (dynamic::RULES, Needs::Tables),
    (sections::RULES, Needs::Tables),
    (twins::RULES, Needs::Tables),
    (symbols::RULES, Needs::Tables),
    (hashes::RULES, Needs::Tables),
    (versions::RULES, Needs::Tables),
    (notes::RULES, Needs::Tables),
    (unwind::RULES, Needs::Tables),
    (rows::RULES, Needs::X86_64),
    (slots::RULES, Needs::X86_64),
    (code::RULES, Needs::X86),
    (calls::RULES, Needs::X86_64),
    (instructions::RULES, Needs::X86_64),
    (control::RULES, Needs::X86),
    (paths::RULES, Needs::X86_64),
    (secrets::RULES, Needs::X86_64),
    (layout::RULES, Needs::Tables),
    (extable::RULES, Needs::X86_64),
    (fixups::RULES, Needs::X86_64),
    (cancel::RULES, Needs::X86_64),
    (alternatives::RULES, Needs::X86_64),
    (names::RULES, Needs::Tables),
    (readers::RULES, Needs::Tables),
    (models::RULES, Needs::Elf),
    (locked::RULES, Needs::Tables),
];

/// All rules, each with what it presumes of the image.
pub fn rules() -> impl Iterator<Item = (&'static Rule, Needs)> {
    FAMILIES.iter().flat_map(|(family, needs)| family.iter().map(|rule| (rule, *needs)))
}

/// What a rule says of a subject; some rules of code say of arm64's what [`aarch64`] has.
pub(crate) fn judge(rule: &Rule, needs: Needs, subject: &Subject<'_>) -> Verdict {
    let own = aarch64::CHECKS.iter().find(|(name, _)| *name == rule.name);
    match own.filter(|_| subject.image.is_for(&ARM64) && !subject.profile.is_liblinux()) {
        Some((_, check)) => check(subject),
        None => subject.admits(needs).and_then(|()| (rule.check)(subject)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demand::{DEMANDS, REPRODUCIBLE};
    use crate::profile::{ANY, PROFILES};
    use std::collections::BTreeSet;

    #[test]
    fn every_demand_on_image_bytes_has_a_rule() {
        let covered: BTreeSet<&str> =
            rules().flat_map(|(rule, _)| rule.demands).map(|demand| demand.name).collect();
        let demanded = DEMANDS.iter().filter(|demand| **demand != REPRODUCIBLE);
        assert_eq!(covered, demanded.map(|demand| demand.name).collect());
    }

    #[test]
    fn rules_have_unique_names_and_say_why_and_what_to_do() {
        let names: BTreeSet<&str> = rules().map(|(rule, _)| rule.name).collect();
        assert_eq!(names.len(), rules().count());
        for (rule, _) in rules() {
            let remedy = ANY.remedy(rule.remedy);
            assert!(rule.because.len() > 20 && remedy.len() > 10, "{} says too little", rule.name);
        }
    }

    #[test]
    fn arm64_has_judgements_of_rules_that_exist() {
        for (name, _) in aarch64::CHECKS {
            assert!(rules().any(|(rule, _)| rule.name == *name), "no rule {name}");
        }
    }

    #[test]
    fn remedies_fit_the_profile() {
        let own = ["linker/", "vdso/image", "vdso/abi", "xtask", "tools/", ".rs", "{"];
        for profile in PROFILES.iter().filter(|profile| !profile.is_liblinux()) {
            for (rule, _) in rules().filter(|(rule, _)| profile.includes(rule.scope)) {
                let remedy = profile.remedy(rule.remedy);
                let found = own.iter().find(|own| remedy.contains(*own));
                assert_eq!(found, None, "{} for {}: {remedy}", rule.name, profile.name);
            }
        }
    }
}
