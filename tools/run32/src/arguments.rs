//! The command line.

use crate::status::Failure;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;

/// The loader's name.
pub(crate) const NAME: &str = "liblinux-run32";

/// The option by which a program that calls `execve` comes here; its name follows.
pub(crate) const NAMED: &str = "--argv0";
/// The option that names the folder of the system that the program belongs to.
pub(crate) const PREFIX: &str = "--prefix";

const HELP: &str = "\
Runs a 32-bit program (i386) by 64-bit system calls, on a kernel with or without a 32-bit ABI.

Usage: liblinux-run32 [--prefix DIR] [--argv0 NAME] PROGRAM [ARGS]...

  --prefix DIR   look for the program's interpreter (/lib/ld-linux.so.2) below DIR first
  --argv0 NAME   the program sees NAME as its own name
  --help         this text
  --version      the version

The programs that it starts run in the same way where they are 32-bit ones, and natively where not.

Exit status: the program's; 125 if liblinux-run32 failed, 126 if the program cannot be run, 127 if
it was not found.";

/// A command line.
#[derive(Debug, Default)]
pub(crate) struct Arguments {
    /// The folder in which interpreters are looked for first.
    pub(crate) prefix: Option<PathBuf>,
    /// The program's own name, if it is not its path.
    pub(crate) name: Option<OsString>,
    /// The program.
    pub(crate) program: OsString,
    /// Its arguments.
    pub(crate) rest: Vec<OsString>,
}

/// A command line, or a text to print.
pub(crate) enum Line {
    /// Run a program.
    Run(Arguments),
    /// Print this.
    Print(String),
}

/// Reads the words behind the loader's own name.
pub(crate) fn read(words: impl IntoIterator<Item = OsString>) -> Result<Line, Failure> {
    let mut words = words.into_iter();
    let mut arguments = Arguments::default();
    loop {
        let Some(word) = words.next() else {
            return Err(Failure::own(format!("no PROGRAM is given; see `{NAME} --help`")));
        };
        let mut value =
            || words.next().ok_or_else(|| Failure::own(format!("{} needs a value", quoted(&word))));
        match word.to_str() {
            Some("--help") => return Ok(Line::Print(HELP.to_owned())),
            Some("--version") => {
                return Ok(Line::Print(format!("{NAME} {}", env!("CARGO_PKG_VERSION"))));
            }
            Some(PREFIX) => arguments.prefix = Some(value()?.into()),
            // The next word is the program, whatever it begins with.
            Some(NAMED) => {
                arguments.name = Some(value()?);
                arguments.program = words.next().ok_or_else(|| {
                    Failure::own(format!("no PROGRAM is given; see `{NAME} --help`"))
                })?;
                break;
            }
            Some("--") => continue,
            Some(option) if option.starts_with('-') => {
                return Err(Failure::own(format!(
                    "{option} is not an option; see `{NAME} --help`"
                )));
            }
            _ => {
                arguments.program = word;
                break;
            }
        }
    }
    arguments.rest = words.collect();
    Ok(Line::Run(arguments))
}

/// A word as it can be printed.
pub(crate) fn quoted(word: &OsStr) -> String {
    let text = word.to_string_lossy();
    if text.chars().any(char::is_control) { format!("{text:?}") } else { text.into_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(words: &[&str]) -> Result<Line, Failure> {
        read(words.iter().map(OsString::from))
    }

    #[test]
    fn options_end_at_the_program() {
        let Ok(Line::Run(arguments)) = parse(&["--prefix", "/srv/i386", "ls", "--help"]) else {
            panic!("the line is good");
        };
        assert_eq!(arguments.prefix.unwrap(), PathBuf::from("/srv/i386"));
        assert_eq!(arguments.program, "ls");
        assert_eq!(arguments.rest, ["--help"]);
    }

    #[test]
    fn the_word_behind_a_name_is_the_program() {
        let Ok(Line::Run(arguments)) = parse(&["--argv0", "-sh", "--help", "x"]) else {
            panic!("the line is good");
        };
        assert_eq!(arguments.name.unwrap(), "-sh");
        assert_eq!(arguments.program, "--help");
    }

    #[test]
    fn a_bad_line_says_where_help_is() {
        for words in [&["--nonesuch", "ls"][..], &["--prefix", "/"], &[]] {
            let failure = parse(words).err().unwrap();
            assert_eq!(failure.status, 125);
            assert!(failure.message.contains("--help"), "{}", failure.message);
        }
        assert!(parse(&["--prefix"]).err().unwrap().message.contains("needs a value"));
    }
}
