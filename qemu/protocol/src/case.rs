//! What one boot is to run: the file `/case` of the initramfs.
//!
//! One line per program, tab-separated: `name`, `check`, `limit` (seconds), `path`, then the
//! program's arguments. For a program such as busybox, whose first argument names the applet, the
//! arguments are what follows the path on a command line.
//!
//! # Invariants
//!
//! 1. A [`Case`] that was read has at least one program.
//! 2. [`Program::line`] and reading it are inverse, for fields without tabs and line ends.

use anyhow::{Context, Error, Result, ensure};
use std::str::FromStr;
use std::time::Duration;

/// The file in the guest.
pub const FILE: &str = "/case";

/// The programs of one boot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// In the order in which they run.
    pub programs: Vec<Program>,
}

/// One program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// The name of its test.
    pub name: String,
    /// How it is judged.
    pub check: Check,
    /// How long it may run.
    pub limit: Duration,
    /// The executable.
    pub path: String,
    /// Its arguments, without the zeroth.
    pub arguments: Vec<String>,
}

/// How a program is judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Check {
    /// It prints each clock between two bare system-call readings.
    Clocks,
    /// It prints the seconds since the epoch.
    Date,
    /// It prints KTAP, which becomes its subtest.
    Ktap,
    /// It prints TAP as the kernel's selftests do; it runs untraced.
    Tap,
    /// Its exit status says it: 0 passed, 4 skipped; it runs untraced.
    Status,
}

impl Check {
    const ALL: [Self; 5] = [Self::Clocks, Self::Date, Self::Ktap, Self::Tap, Self::Status];

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Clocks => "clocks",
            Self::Date => "date",
            Self::Ktap => "ktap",
            Self::Tap => "tap",
            Self::Status => "status",
        }
    }
}

impl FromStr for Check {
    type Err = Error;

    fn from_str(word: &str) -> Result<Self> {
        let known = Self::ALL.into_iter().find(|check| check.word() == word);
        known.with_context(|| {
            let words = Self::ALL.map(Self::word).join(", ");
            format!("unknown check `{word}`; the checks are {words}")
        })
    }
}

impl Case {
    /// Reads the text of a case file.
    pub fn parse(text: &str) -> Result<Self> {
        let programs = text
            .lines()
            .enumerate()
            .filter(|(_, line)| !line.is_empty())
            .map(|(index, line)| {
                Program::parse(line).with_context(|| format!("case line {}: `{line}`", index + 1))
            })
            .collect::<Result<Vec<_>>>()?;
        ensure!(!programs.is_empty(), "the case names no program, so it would prove nothing");
        Ok(Self { programs })
    }
}

impl Program {
    /// Its line of a case file.
    pub fn line(&self) -> String {
        let limit = self.limit.as_secs().to_string();
        let mut fields = vec![self.name.as_str(), self.check.word(), &limit, &self.path];
        fields.extend(self.arguments.iter().map(String::as_str));
        fields.join("\t") + "\n"
    }

    fn parse(line: &str) -> Result<Self> {
        let mut fields = line.split('\t').map(str::to_owned);
        let name = fields.next().filter(|name| !name.is_empty()).context("no name")?;
        let check = fields.next().context("no check")?.parse()?;
        let limit = fields.next().context("no limit")?;
        let limit =
            limit.parse().with_context(|| format!("`{limit}` is not a limit in seconds"))?;
        let path = fields.next().filter(|path| !path.is_empty()).context("no path")?;
        Ok(Self {
            name,
            check,
            limit: Duration::from_secs(limit),
            path,
            arguments: fields.collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_programs_in_order() {
        let case =
            Case::parse("busybox\tdate\t50\t/bin/busybox\tdate\t+%s\n\ngo\tclocks\t9\t/bin/go\n")
                .unwrap();
        assert_eq!(case.programs.len(), 2);
        assert_eq!(case.programs[0].check, Check::Date);
        assert_eq!(case.programs[0].arguments, ["date", "+%s"]);
        assert_eq!(
            (case.programs[1].name.as_str(), case.programs[1].limit),
            ("go", Duration::from_secs(9))
        );
        assert!(case.programs[1].arguments.is_empty());
        let written: String = case.programs.iter().map(Program::line).collect();
        assert_eq!(Case::parse(&written).unwrap(), case);
    }

    #[test]
    fn says_what_is_wrong() {
        for (text, what) in [
            ("", "names no program"),
            ("a\n", "no check"),
            ("a\tclocks\n", "no limit"),
            ("a\tclocks\tsoon\t/a\n", "`soon` is not a limit"),
            ("a\tclocks\t1\n", "no path"),
            ("\tclocks\t1\t/a\n", "no name"),
            ("a\tb\t1\t/a\n", "unknown check `b`"),
        ] {
            let error = format!("{:#}", Case::parse(text).unwrap_err());
            assert!(error.contains(what), "{text:?} gave {error}");
        }
    }
}
