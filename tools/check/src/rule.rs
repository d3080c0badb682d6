//! A rule: one demand on an image, the reason for it, and what to do about a refusal.
//!
//! # Invariants
//!
//! 1. A rule's `check` returns `Ok` only after it has seen what it judges: an absent table is a refusal, or, where the
//!    image may lack it, a [`Fault::NotJudged`] that the report shows.

use crate::demand::Demand;
use crate::subject::Subject;

/// One demand on an image.
#[derive(Debug)]
pub struct Rule {
    /// Short name, in words joined by hyphens.
    pub name: &'static str,
    /// The demands that this rule stands for; none for rules about this image alone.
    pub demands: &'static [Demand],
    /// Who breaks, and how, if the rule does not hold.
    pub because: &'static str,
    /// Where to look and what to run.
    pub remedy: &'static str,
    /// The judgement.
    pub check: fn(&Subject<'_>) -> Verdict,
}

/// Why a rule did not pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The image breaks the rule; the text says what and where.
    Wrong(String),
    /// The rule could not be judged; the text says what was missing.
    NotJudged(String),
}

/// What a rule says of an image.
pub type Verdict = Result<(), Fault>;

impl From<String> for Fault {
    fn from(what: String) -> Self {
        Self::Wrong(what)
    }
}

/// Leaves the rule with a refusal unless `$holds`.
macro_rules! demand {
    ($holds:expr, $($what:tt)+) => {
        if !$holds {
            return Err($crate::rule::Fault::Wrong(format!($($what)+)));
        }
    };
}
pub(crate) use demand;

/// Refuses if there are any `wrong` things, and names the first few.
pub(crate) fn none_of<T: AsRef<str>>(what: &str, wrong: &[T]) -> Verdict {
    const SHOWN: usize = 4;
    if wrong.is_empty() {
        return Ok(());
    }
    let names: Vec<&str> = wrong.iter().take(SHOWN).map(AsRef::as_ref).collect();
    let rest = match wrong.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    Err(Fault::Wrong(format!("{what}: {}{rest}", names.join(", "))))
}
