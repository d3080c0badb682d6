//! Which refusals follow from which: one cause is one finding.
//!
//! A broken table is seen by every rule that reads it. The rule that judges the table itself comes
//! first and is the finding; the others are its consequences, which the report lists with it, so
//! that nothing is lost.
//!
//! # Invariants
//!
//! 1. A cause stands in front of its consequences in the order of the rules, so there is no circle.

/// A rule, and those that an image which breaks it breaks as well.
const FOLLOWS: &[(&str, &[&str])] = &[
    ("elf-ident", &["elf-type", "elf-sizes", "readers-agree"]),
    ("one-load", &["load-at-zero", "load-geometry", "segments-in-load"]),
    ("load-at-zero", &["load-geometry", "segment-fields", "segments-in-load", "sections-in-load"]),
    ("read-only-dynamic", &["segment-fields"]),
    ("known-segments", &["no-tls-sections"]),
    ("no-relocation-tags", &["no-relocation-sections", "known-tags"]),
    ("no-dependencies", &["known-tags", "string-table"]),
    ("no-run-path", &["known-tags", "string-table"]),
    ("no-initialisers", &["known-tags"]),
    ("dynamic-tables", &["sections-agree"]),
    ("section-headers", &["dynsym-section", "text", "readers-agree", "between-sections"]),
    ("no-writable-data", &["section-table"]),
    ("no-undefined", &["export-shape", "no-undefined-locals"]),
    ("plain-symbols", &["export-shape", "plain-locals"]),
    ("sysv-hash", &["sysv-hash-count"]),
    ("gnu-hash", &["gnu-hash-bloom"]),
    ("version-definitions", &["version-base", "version-symbols"]),
    ("eh-frame-hdr", &["eh-frame-end", "unwind-entries", "unwind-functions", "unwind-rows"]),
    ("decodes", &["branch-targets", "function-ends"]),
];

/// What readers read, by the rules that judge it: a reader's trouble follows from theirs.
const READ: &[&str] = &[
    "elf-ident",
    "elf-type",
    "elf-sizes",
    "one-load",
    "load-at-zero",
    "load-geometry",
    "read-only-dynamic",
    "dynamic-ends",
    "known-segments",
    "segment-fields",
    "segments-in-load",
    "no-relocation-tags",
    "no-dependencies",
    "dynamic-tables",
    "known-tags",
    "string-table",
    "unique-tags",
    "soname",
    "section-headers",
    "dynsym-section",
    "section-table",
    "sections-agree",
    "no-undefined",
    "plain-symbols",
    "export-shape",
    "sysv-hash",
    "sysv-hash-count",
    "gnu-hash",
    "gnu-hash-bloom",
    "version-definitions",
    "version-base",
    "version-symbols",
    "eh-frame-hdr",
    "unwind-entries",
    "unwind-functions",
];

/// How the names of the rules about readers begin.
const READERS: [&str; 2] = ["reader-", "tool-"];

/// Whether a refusal by `rule` follows from one by `cause`.
pub(crate) fn follows(rule: &str, cause: &str) -> bool {
    FOLLOWS.iter().any(|(first, then)| *first == cause && then.contains(&rule))
        || is_of_a_reader(rule) && READ.contains(&cause)
}

fn is_of_a_reader(rule: &str) -> bool {
    READERS.iter().any(|prefix| rule.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::rules;

    #[test]
    fn causes_are_rules_and_come_first() {
        let place = |name: &str| {
            rules()
                .position(|(rule, _)| rule.name == name)
                .unwrap_or_else(|| panic!("no rule {name}"))
        };
        let readers: Vec<&str> =
            rules().map(|(rule, _)| rule.name).filter(|name| is_of_a_reader(name)).collect();
        let read = READ.iter().map(|cause| (cause, readers.as_slice()));
        for (cause, then) in FOLLOWS.iter().map(|(cause, then)| (cause, *then)).chain(read) {
            for rule in then {
                assert!(place(cause) < place(rule), "{cause} is judged behind {rule}");
            }
        }
    }
}
