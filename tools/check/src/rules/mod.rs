//! The rules, one module per family.
//!
//! # Invariants
//!
//! 1. Names are unique.
//! 2. Every demand is in the `demands` of a rule, but for
//!    [`REPRODUCIBLE`](crate::demand::REPRODUCIBLE): two builds are needed to judge that two builds
//!    give the same bytes.

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
mod names;
mod notes;
mod paths;
mod readers;
mod rows;
mod sections;
mod segments;
mod slots;
mod symbols;
mod twins;
mod unwind;
mod versions;

use crate::rule::Rule;
use crate::subject::Needs;

/// Every family, in the order in which a reader of an image meets what it judges.
const FAMILIES: &[(&[Rule], Needs)] = &[
    (header::RULES, Needs::Elf),
    (segments::RULES, Needs::Native),
    (dynamic::RULES, Needs::Native),
    (sections::RULES, Needs::Native),
    (twins::RULES, Needs::Native),
    (symbols::RULES, Needs::Native),
    (hashes::RULES, Needs::Native),
    (versions::RULES, Needs::Native),
    (notes::RULES, Needs::Native),
    (unwind::RULES, Needs::Native),
    (rows::RULES, Needs::Native),
    (slots::RULES, Needs::Native),
    (code::RULES, Needs::Native),
    (calls::RULES, Needs::Native),
    (instructions::RULES, Needs::Native),
    (control::RULES, Needs::Native),
    (paths::RULES, Needs::Native),
    (layout::RULES, Needs::Native),
    (extable::RULES, Needs::Native),
    (fixups::RULES, Needs::Native),
    (cancel::RULES, Needs::Native),
    (alternatives::RULES, Needs::Native),
    (names::RULES, Needs::Native),
    (readers::RULES, Needs::Native),
    (locked::RULES, Needs::Native),
];

/// All rules, each with what it presumes of the image.
pub fn rules() -> impl Iterator<Item = (&'static Rule, Needs)> {
    FAMILIES.iter().flat_map(|(family, needs)| family.iter().map(|rule| (rule, *needs)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demand::{DEMANDS, REPRODUCIBLE};
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
            assert!(
                rule.because.len() > 20 && rule.remedy.len() > 10,
                "{} says too little",
                rule.name
            );
        }
    }
}
