//! What a rule says of an image: it holds, it is broken, or it could not be judged.
//!
//! # Invariants
//!
//! 1. A refusal names what is wrong and where: the first few faults of a kind, and the number of
//!    the others.

/// How bad it is that a rule does not hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// Worth knowing: no reader minds.
    Note,
    /// A tool is misled, or a reader may be: the image works.
    Warning,
    /// A program crashes, does not start, or does not find a function that it looks up; or the
    /// kernel's build refuses the image.
    Error,
}

impl Severity {
    /// As reports name it, JSON too.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
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
            return Err($crate::verdict::Fault::Wrong(format!($($what)+)));
        }
    };
}
pub(crate) use demand;

/// Refuses if there are any `wrong` things, and names the first few.
pub(crate) fn none_of<T: AsRef<str>>(what: &str, wrong: &[T]) -> Verdict {
    none_of_these(what, wrong, |name| name.as_ref().to_owned())
}

/// The same for things whose names are made only for those that are shown.
pub(crate) fn none_of_these<T>(what: &str, wrong: &[T], name: impl Fn(&T) -> String) -> Verdict {
    const SHOWN: usize = 4;
    if wrong.is_empty() {
        return Ok(());
    }
    let names: Vec<String> = wrong.iter().take(SHOWN).map(name).collect();
    let rest = match wrong.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    Err(Fault::Wrong(format!("{what}: {}{rest}", names.join(", "))))
}
