//! A rule: one demand on an image, the reason for it, and what to do about a refusal.
//!
//! # Invariants
//!
//! 1. A rule's `check` returns `Ok` only after it has seen what it judges: an absent table is a
//!    refusal, or, where the image may lack it, a
//!    [`Fault::NotJudged`](crate::verdict::Fault::NotJudged) that the report shows.

use crate::demand::Demand;
use crate::subject::Subject;
use crate::verdict::Verdict;

/// One demand on an image.
#[derive(Debug)]
pub struct Rule {
    /// Short name, in words joined by hyphens.
    pub name: &'static str,
    /// The demands that this rule judges; none for rules about this image alone.
    pub demands: &'static [Demand],
    /// Which program breaks, and how, if the rule does not hold.
    pub because: &'static str,
    /// Where to look and what to run.
    pub remedy: &'static str,
    /// The judgement.
    pub check: fn(&Subject<'_>) -> Verdict,
}
