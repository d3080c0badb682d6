//! The ABI lock against the image.
//!
//! # Invariants
//!
//! 1. Every difference refuses the image, additions too: a change of the interface is blessed
//!    first, and reviewed.

use crate::demand;
use crate::lock::Lock;
use crate::rule::{Rule, Scope, Severity};
use crate::subject::Subject;
use crate::verdict::{Verdict, demand};

pub(super) const RULES: &[Rule] = &[Rule {
    name: "abi-lock",
    severity: Severity::Error,
    scope: Scope::Any,
    demands: &[demand::LOCKED],
    because: "checkpoints hold offsets of the image, so a restored thread would enter an entry that moved at the wrong place",
    remedy: "put entries back where they were; if the change is meant, {bless}",
    check: abi_lock,
}];

fn abi_lock(subject: &Subject<'_>) -> Verdict {
    let lock = subject.lock()?;
    demand!(!lock.entries().is_empty(), "the lock lists no export");
    let difference = match subject.debug() {
        Ok(debug) => lock.compare(&Lock::of(&subject.image, debug)?),
        // Bodies have no names in a stripped image.
        Err(_) => lock.exports().compare(&Lock::of_exports(&subject.image)?),
    };
    demand!(difference.is_empty(), "the image differs from the lock:\n{difference}");
    Ok(())
}
