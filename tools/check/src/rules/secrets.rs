//! That the random generator's time does not tell its key.
//!
//! # Invariants
//!
//! 1. An image without vector code is reported as not judged: `getrandom`'s ChaCha is the only code
//!    of a vDSO that computes with secrets, and the only one with vector registers.

use crate::arch::instruction::uses_vectors;
use crate::flow::leaks;
use crate::function::Function;
use crate::rule::{Rule, Scope, Severity};
use crate::subject::Subject;
use crate::verdict::{Fault, Verdict, none_of};

pub(super) const RULES: &[Rule] = &[Rule {
    name: "constant-time",
    severity: Severity::Error,
    scope: Scope::Any,
    demands: &[],
    because: "another process can measure branches and addresses, and so learn the key of numbers that are random no more",
    remedy: "in the ChaCha code of {source}, branch on the number of blocks alone, and index by constants",
    check: constant_time,
}];

fn constant_time(subject: &Subject<'_>) -> Verdict {
    let is_generator = |function: &&Function<'_>| {
        !function.is_replacement && function.instructions.iter().any(uses_vectors)
    };
    let generators: Vec<_> = subject.functions()?.iter().filter(is_generator).collect();
    if generators.is_empty() {
        return Err(Fault::NotJudged("no function uses vector registers".to_owned()));
    }
    let wrong: Vec<String> = generators.into_iter().flat_map(leaks).collect();
    none_of("code whose time depends on the key", &wrong)
}
