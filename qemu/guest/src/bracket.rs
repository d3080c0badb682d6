//! A clock reading between two system-call readings, as a program prints it.
//!
//! The line is `clock NAME BEFORE READING AFTER`, in nanoseconds: what the bare system call said
//! just before, what the libc's function said, what the bare system call said just after. Time only
//! passes, so the middle one lies between.
//!
//! # Invariants
//!
//! 1. Times are compared without tolerance: the fast path reads the same data by the same
//!    arithmetic as the kernel.

use anyhow::{Context, Result, ensure};

/// One reading of one clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bracket {
    /// The clock, as the program names it.
    pub clock: String,
    /// The system call's reading before, in nanoseconds.
    pub before: i64,
    /// The reading that is judged, in nanoseconds.
    pub reading: i64,
    /// The system call's reading after, in nanoseconds.
    pub after: i64,
}

impl Bracket {
    /// Reads a line; `None` if it is not a clock line.
    pub fn parse(line: &str) -> Option<Result<Self>> {
        let rest = line.strip_prefix("clock ")?;
        let fields: Vec<&str> = rest.split_whitespace().collect();
        Some(Self::from_fields(&fields).with_context(|| format!("bad clock line `{line}`")))
    }

    fn from_fields(fields: &[&str]) -> Result<Self> {
        ensure!(fields.len() == 4, "it has {} fields after `clock`, not 4", fields.len());
        Ok(Self {
            clock: fields[0].to_owned(),
            before: fields[1].parse()?,
            reading: fields[2].parse()?,
            after: fields[3].parse()?,
        })
    }

    /// Whether the reading lies between the other two; says how far off it is otherwise.
    pub fn check(&self) -> Result<(), String> {
        let Self { before, reading, after, .. } = *self;
        if after < before {
            Err(format!("the system call itself went back by {} ns", before - after))
        } else if reading < before {
            Err(format!("{} ns before the system call's reading {before}", before - reading))
        } else if reading > after {
            Err(format!("{} ns after the system call's reading {after}", reading - after))
        } else {
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Bracket {
        Bracket::parse(line).unwrap().unwrap()
    }

    #[test]
    fn a_reading_between_passes() {
        assert_eq!(parse("clock CLOCK_TAI 5 5 5").check(), Ok(()));
        assert_eq!(parse("clock CLOCK_TAI 5 6 7").check(), Ok(()));
    }

    #[test]
    fn one_nanosecond_outside_fails() {
        assert!(parse("clock X 5 4 7").check().unwrap_err().starts_with("1 ns before"));
        assert!(parse("clock X 5 8 7").check().unwrap_err().starts_with("1 ns after"));
        assert!(parse("clock X 5 5 4").check().unwrap_err().contains("went back"));
    }

    #[test]
    fn other_lines_are_none_and_bad_ones_errors() {
        assert!(Bracket::parse("clocks are fine").is_none());
        assert!(Bracket::parse("").is_none());
        for bad in ["clock X 1 2", "clock X 1 2 3 4", "clock X 1 two 3", "clock "] {
            assert!(Bracket::parse(bad).unwrap().is_err(), "{bad}");
        }
    }
}
