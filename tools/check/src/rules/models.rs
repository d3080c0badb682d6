//! What the image does to each of its readers, by their models.
//!
//! Every other rule describes one fault that harms some readers. These name the readers: a rule for
//! each does what the reader would do with the image. Mostly what it finds follows from a fault
//! that another rule names, and tells whom that one harms. What readers only lose, since they do
//! without, is in one rule for programs and one for tools.
//!
//! # Invariants
//!
//! 1. A rule holds only if its reader's model ran.

use crate::rule::{Rule, Scope, Severity};
use crate::subject::Subject;
use crate::verdict::{Verdict, none_of};

const REMEDY: &str =
    "see `--readers` for what each reader finds; mend what the other rules name, then {build}";

/// A rule about what is fatal to a reader.
macro_rules! rule {
    ($name:literal, $severity:ident, $reader:literal, $because:literal) => {
        Rule {
            name: $name,
            severity: Severity::$severity,
            scope: Scope::Any,
            demands: &[],
            because: $because,
            remedy: REMEDY,
            check: |subject| judge(subject, $reader),
        }
    };
}

pub(super) const RULES: &[Rule] = &[
    rule!(
        "reader-glibc",
        Error,
        "glibc",
        "its dynamic linker reads the image before every program's main"
    ),
    rule!("reader-musl", Error, "musl", "programs for musl ask when they read the clock first"),
    rule!("reader-go", Error, "Go", "Go's runtime reads the image before every program's main"),
    rule!(
        "reader-bionic",
        Error,
        "bionic",
        "Android's C library reads the image before every program's main"
    ),
    rule!("reader-rustix", Error, "rustix", "Rust programs that use rustix read the image by it"),
    rule!("reader-abseil", Error, "abseil", "TCMalloc and Protocol Buffers read the image by it"),
    rule!(
        "reader-parse-vdso",
        Warning,
        "parse_vdso.c",
        "the kernel's selftests and many copies of their parser read the image by it"
    ),
    rule!(
        "reader-criu",
        Error,
        "CRIU",
        "CRIU compares the images of the dumped process and of the kernel by it"
    ),
    rule!("reader-gdb", Warning, "gdb and BFD", "debuggers and perf name functions by it"),
    rule!("reader-libgcc", Error, "libgcc", "exceptions and thread cancellation unwind by it"),
    rule!(
        "reader-libunwind",
        Error,
        "LLVM libunwind",
        "exceptions of programs with libc++ unwind by it"
    ),
    Rule {
        name: "reader-losses",
        severity: Severity::Error,
        scope: Scope::Any,
        demands: &[],
        because: "a program that does without a function is slower, and says nothing",
        remedy: REMEDY,
        check: |subject| losses(subject, "what programs lose", Severity::Error),
    },
    Rule {
        name: "tool-losses",
        severity: Severity::Warning,
        scope: Scope::Any,
        demands: &[],
        because: "a debugger that does without shows less, and an unwinder ends there",
        remedy: REMEDY,
        check: |subject| losses(subject, "what debuggers and unwinders lose", Severity::Warning),
    },
];

fn judge(subject: &Subject<'_>, reader: &str) -> Verdict {
    let harms = subject.harms()?.iter().filter(|harm| harm.reader == reader && harm.is_fatal);
    let wrong: Vec<&str> = harms.map(|harm| harm.what.as_str()).collect();
    none_of(reader, &wrong)
}

fn losses(subject: &Subject<'_>, what: &str, severity: Severity) -> Verdict {
    let harms = subject.harms()?.iter();
    let harms = harms.filter(|harm| !harm.is_fatal && harm.severity == severity);
    let wrong: Vec<String> = harms.map(|harm| format!("{}: {}", harm.reader, harm.what)).collect();
    none_of(what, &wrong)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reader::READERS;

    #[test]
    fn each_reader_has_a_rule_as_severe_as_what_it_is() {
        let tools = READERS.iter().filter(|reader| reader.is_tool).count();
        let mild = RULES.iter().filter(|rule| rule.severity == Severity::Warning).count();
        assert_eq!((RULES.len(), mild), (READERS.len() + 2, tools + 1));
    }
}
