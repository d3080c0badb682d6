//! How verdicts are written: for people, and for programs as JSON, SARIF and JUnit.
//!
//! # Invariants
//!
//! 1. Names that come from an image are printable before they are written: a hostile image cannot
//!    send control characters to a terminal.

mod json;
mod junit;
mod sarif;
mod svg;
mod text;

use crate::report::Report;
use clap::ValueEnum;
pub use svg::picture;
pub use text::explain;

/// The verdict on one image.
#[derive(Debug)]
pub struct Verdict {
    /// Where the image was found.
    pub name: String,
    /// What the rules said.
    pub report: Report,
}

/// A way to write verdicts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people
    #[default]
    Text,
    /// As tools/check/report.schema.json describes
    Json,
    /// SARIF 2.1.0, for code scanning
    Sarif,
    /// JUnit's XML, for continuous integration
    Junit,
}

/// Writes verdicts. `verbose` lists the rules that hold, too, where people read.
pub fn write(format: Format, verdicts: &[Verdict], verbose: bool) -> String {
    match format {
        Format::Text => text::of(verdicts, verbose),
        Format::Json => json::of(verdicts),
        Format::Sarif => sarif::of(verdicts),
        Format::Junit => junit::of(verdicts),
    }
}

/// The same text without control characters.
pub(crate) fn printable(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '\n' => plain.push('\n'),
            control if control.is_control() => plain.extend(control.escape_default()),
            // Marks that turn the direction of the text around hide what follows.
            '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                plain.extend(letter.escape_unicode());
            }
            other => plain.push(other),
        }
    }
    plain
}

/// The same text for XML.
pub(crate) fn xml(text: &str) -> String {
    printable(text)
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_escaped() {
        assert_eq!(printable("a\x1b[2J\nb\u{202e}\u{7f}"), "a\\u{1b}[2J\nb\\u{202e}\\u{7f}");
        assert_eq!(xml("<a&\">"), "&lt;a&amp;&quot;&gt;");
    }
}
