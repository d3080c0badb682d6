//! A rule: one demand on an image, the reason for it, and what to do about a refusal.
//!
//! # Invariants
//!
//! 1. A rule's `check` returns `Ok` only after it has seen what it judges: an absent table is a
//!    refusal, or, where the image may lack it, a
//!    [`Fault::NotJudged`](crate::verdict::Fault::NotJudged) that the report shows.
//! 2. A rule's remedy names places as [`Places`](crate::profile::Places) does, unless its scope is
//!    liblinux: so it fits every image that the rule judges.

use crate::demand::Demand;
use crate::profile::Profile;
pub use crate::profile::Scope;
use crate::subject::Subject;
pub use crate::verdict::Severity;
use crate::verdict::Verdict;

/// One demand on an image.
#[derive(Debug)]
pub struct Rule {
    /// Short name, in words joined by hyphens.
    pub name: &'static str,
    /// How bad it is if the rule does not hold. For liblinux it is always an error.
    pub severity: Severity,
    /// Which images the rule judges.
    pub scope: Scope,
    /// The demands that this rule judges; none for rules about this image alone.
    pub demands: &'static [Demand],
    /// Which program breaks, and how, if the rule does not hold.
    pub because: &'static str,
    /// Where to look and what to run; `{script}` and so on stand for the profile's places.
    pub remedy: &'static str,
    /// The judgement.
    pub check: fn(&Subject<'_>) -> Verdict,
}

impl Rule {
    /// How bad it is if an image of that profile breaks the rule.
    pub fn severity_in(&self, profile: &Profile) -> Severity {
        let known = profile.known.iter().find(|(name, _)| *name == self.name);
        match known {
            _ if profile.is_liblinux() => Severity::Error,
            Some((_, severity)) => *severity,
            None => self.severity,
        }
    }
}
