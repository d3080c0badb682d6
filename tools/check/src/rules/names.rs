//! Names that must not be among the symbols, local ones included: each is the trace of something
//! that the image does not have.
//!
//! # Invariants
//!
//! 1. The rules need the unstripped image's symbols and are not judged without them.

use crate::demand;
use crate::rule::{Rule, Scope, Severity};
use crate::subject::Subject;
use crate::symbol::{SHN_UNDEF, Symbol};
use crate::verdict::{Verdict, demand, none_of};
use goblin::elf::sym::{STT_GNU_IFUNC, STT_TLS};

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "no-undefined-locals",
        severity: Severity::Warning,
        scope: Scope::Any,
        demands: &[demand::NOTHING_UNDEFINED],
        because: "no object is linked in that could define the symbol: the reference stays zero",
        remedy: "link with --no-undefined, and inline or write what {source} calls",
        check: no_undefined_locals,
    },
    Rule {
        name: "plain-locals",
        severity: Severity::Warning,
        scope: Scope::Any,
        demands: &[demand::NO_CONSTRUCTORS],
        because: "an indirect function needs a resolver, a thread-local variable a thread pointer, and the image has neither",
        remedy: "remove #[thread_local] and ifunc attributes from {source}",
        check: plain_locals,
    },
    Rule {
        name: "no-panics",
        severity: Severity::Error,
        scope: Scope::Liblinux,
        demands: &[demand::CODE_BOUNDS],
        because: "a panic in the image would kill its caller, or unwind through frames that are not made for it",
        remedy: "find the index, unwrap or arithmetic that can panic in {source}, and make it return an error",
        check: no_panics,
    },
    Rule {
        name: "no-allocation",
        severity: Severity::Error,
        scope: Scope::Liblinux,
        demands: &[demand::CODE_BOUNDS],
        because: "the image has no heap, and its caller's must not be touched",
        remedy: "remove `alloc` from {source}'s dependencies",
        check: no_allocation,
    },
    Rule {
        name: "no-stack-guards",
        severity: Severity::Warning,
        scope: Scope::Any,
        demands: &[demand::CODE_BOUNDS],
        because: "probes touch stack that a Go thread does not have, and the protector reads its canary from fs",
        remedy: "build {source} without -Z stack-protector and with frames below a page",
        check: no_stack_guards,
    },
];

fn refuse_names(subject: &Subject<'_>, what: &str, parts: &[&str]) -> Verdict {
    let symbols = subject.symbols()?;
    demand!(symbols.len() > 1, "the symbol table is empty");
    let is_wrong = |symbol: &&Symbol<'_>| parts.iter().any(|part| symbol.name.contains(part));
    let found: Vec<&str> = symbols.iter().filter(is_wrong).map(|symbol| symbol.name).collect();
    none_of(what, &found)
}

fn no_undefined_locals(subject: &Subject<'_>) -> Verdict {
    let undefined = |symbol: &&Symbol<'_>| symbol.index != 0 && symbol.section == SHN_UNDEF;
    let names: Vec<&str> =
        subject.symbols()?.iter().filter(undefined).map(|symbol| symbol.name).collect();
    none_of("undefined symbols", &names)
}

fn plain_locals(subject: &Subject<'_>) -> Verdict {
    let special = |symbol: &&Symbol<'_>| matches!(symbol.kind, STT_GNU_IFUNC | STT_TLS);
    let names: Vec<&str> =
        subject.symbols()?.iter().filter(special).map(|symbol| symbol.name).collect();
    none_of("indirect or thread-local symbols", &names)
}

fn no_panics(subject: &Subject<'_>) -> Verdict {
    let parts = [
        "panic",
        "unwrap_failed",
        "expect_failed",
        "slice_index",
        "_fail",
        "eh_personality",
        "_Unwind_",
    ];
    refuse_names(subject, "symbols of the panic machinery", &parts)
}

fn no_allocation(subject: &Subject<'_>) -> Verdict {
    // Not "alloc" alone: pkey_alloc is a system call. "5alloc" is the crate's name in mangled
    // symbols.
    refuse_names(
        subject,
        "symbols of an allocator",
        &["__rust_", "__rdl_", "__rg_", "5alloc", "malloc", "calloc"],
    )
}

fn no_stack_guards(subject: &Subject<'_>) -> Verdict {
    refuse_names(
        subject,
        "symbols of stack probes or the stack protector",
        &["probestack", "stack_chk", "chkstk"],
    )
}
