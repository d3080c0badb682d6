//! The verdict on a case: one test per program, each with the tests that it consists of.
//!
//! # Invariants
//!
//! 1. A program whose subtests have a failure has failed; a program that could not be run has one
//!    failed subtest.
//! 2. Nothing passes by absence: no build-id, no clock line and no resolved function are failures.

use crate::bare;
use crate::bracket::Bracket;
use crate::image::{Image, build_id};
use crate::ktap::{Ktap, Outcome};
use crate::machine;
use crate::observer::{self, Event, Observation};
use crate::relay::Relay;
use crate::selftest;
use anyhow::Result;
use liblinux_protocol::case::{Case, Check, Program};
use liblinux_protocol::report::{
    BUILD_ID, CLOCKSOURCE, IMAGE, NONE, PROCESSORS, RESOLVED, SUBTEST, TIMER_RESOLUTION,
};
use procfs::process::Process;
use std::fs::File;
use std::io::{self, Write};
use std::thread::available_parallelism;

/// Lines of output that are stored; a program that prints more is faulty.
const LINES: usize = 10_000;

/// Runs the programs of `case` and writes the verdict to `out`; `between` is called after each
/// program.
///
/// Returns whether all passed.
pub fn run(case: &Case, out: &mut dyn Write, between: &mut dyn FnMut()) -> io::Result<bool> {
    let mut list = Ktap::begin(out)?;
    list.note(&format!("{CLOCKSOURCE}: {}", machine::clocksource()))?;
    let resolution = machine::timer_resolution()
        .map_or("unknown".to_owned(), |nanoseconds| nanoseconds.to_string());
    list.note(&format!("{TIMER_RESOLUTION}: {resolution} ns"))?;
    list.note(&format!("{PROCESSORS}: {}", available_parallelism()?))?;
    match Process::myself().map_err(anyhow::Error::from).and_then(|process| Image::of(&process)) {
        Ok(image) => list.note(&format!("{IMAGE}: {}", build_id(image.as_ref())))?,
        Err(error) => list.note(&format!("init: no image of its own: {error:#}"))?,
    }
    list.plan(case.programs.len())?;
    for program in &case.programs {
        let mut subtest = list.subtest()?;
        subtest.note(&format!("{SUBTEST}: {}", program.name))?;
        let wrong = match program.check {
            Check::Clocks | Check::Date => judge(program, &mut subtest)?,
            Check::Ktap => pass_on(program, &mut subtest)?,
            Check::Tap => selftest::pass_on(program, &mut subtest)?,
            Check::Status => selftest::judge(program, &mut subtest)?,
        };
        let outcome = match (wrong, subtest.failures()) {
            (Err(wrong), _) => Outcome::Fail(wrong),
            (Ok(()), 0) => Outcome::Pass,
            (Ok(()), failures) => {
                Outcome::Fail(format!("{failures} of {} failed", subtest.tests()))
            }
        };
        list.test(&program.name, &outcome)?;
        between();
    }
    Ok(list.failures() == 0)
}

/// Writes a verdict that says only that there is none, and why.
pub fn give_up(out: &mut dyn Write, why: &str) -> io::Result<()> {
    let mut list = Ktap::begin(out)?;
    list.plan(1)?;
    list.test("init", &Outcome::Fail(format!("init: {why}")))
}

/// Runs a program that prints KTAP.
fn pass_on(program: &Program, list: &mut Ktap<'_>) -> io::Result<Result<(), String>> {
    let mut relay = Relay::new(list);
    let result = observer::run(program, &mut |event| match event {
        Event::Image(image) => relay.note(&format!("{BUILD_ID}: {}", build_id(image.as_ref()))),
        Event::Line(line) => relay.line(&line),
    });
    match result {
        Ok(observation) => {
            relay.note(&format!("{RESOLVED}: {}", resolved(&observation)))?;
            let image =
                if has_build_id(&observation) { Ok(()) } else { Err("no build-id".to_owned()) };
            relay.finish(observation.end.check().and(image))
        }
        Err(error) => relay.finish(Err(format!("init: {error:#}"))),
    }
}

/// Runs a program that prints clock readings.
fn judge(program: &Program, list: &mut Ktap<'_>) -> io::Result<Result<(), String>> {
    let mut lines = Vec::new();
    // `date` may read the coarse clock, which is up to a tick behind; nothing is ahead of the fine
    // one.
    let before = bare::time();
    let result = observer::run(program, &mut |event| match event {
        Event::Image(image) => list.note(&format!("{BUILD_ID}: {}", build_id(image.as_ref()))),
        Event::Line(line) => {
            if lines.len() < LINES {
                lines.push(line);
            }
            Ok(())
        }
    });
    let after =
        bare::clock_gettime(bare::CLOCK_REALTIME).map_or(i64::MAX, |now| now / bare::NANOSECONDS);
    let observation = match result {
        Ok(observation) => observation,
        Err(error) => {
            list.plan(1)?;
            list.test("start", &Outcome::Fail(format!("init: {error:#}")))?;
            return Ok(Ok(()));
        }
    };
    list.note(&format!("{RESOLVED}: {}", resolved(&observation)))?;
    let image = if has_build_id(&observation) {
        Ok(())
    } else {
        Err("no build-id at AT_SYSINFO_EHDR".to_owned())
    };
    let any = if observation.resolved.is_empty() {
        Err("no function was resolved".to_owned())
    } else {
        Ok(())
    };
    let mut tests = vec![(IMAGE.to_owned(), image), (RESOLVED.to_owned(), any)];
    tests.extend(match program.check {
        Check::Date => vec![("date".to_owned(), date(&lines, before, after))],
        _ => clocks(&lines),
    });
    tests.push(("exit".to_owned(), observation.end.check()));
    list.plan(tests.len())?;
    for (name, result) in tests {
        list.test(&name, &result.into())?;
    }
    Ok(Ok(()))
}

/// One test per clock line.
fn clocks(lines: &[String]) -> Vec<(String, Result<(), String>)> {
    let tests: Vec<_> = lines
        .iter()
        .filter_map(|line| Bracket::parse(line))
        .map(|bracket| match bracket {
            Ok(bracket) => (bracket.clock.clone(), bracket.check()),
            Err(error) => ("clock-line".to_owned(), Err(format!("{error:#}"))),
        })
        .collect();
    if tests.is_empty() {
        return vec![("clocks".to_owned(), Err("the program printed no clock line".to_owned()))];
    }
    tests
}

/// Whether the only line is a number of seconds from `before` to `after`.
fn date(lines: &[String], before: i64, after: i64) -> Result<(), String> {
    let [line] = lines else {
        return Err(format!("the program printed {} lines, not one", lines.len()));
    };
    let seconds: i64 =
        line.trim().parse().map_err(|_| format!("`{line}` is not a number of seconds"))?;
    if (before..=after).contains(&seconds) {
        Ok(())
    } else {
        Err(format!("{seconds} is not between the system call's {before} and {after}"))
    }
}

fn has_build_id(observation: &Observation) -> bool {
    observation.image.as_ref().is_some_and(|image| image.build_id.is_some())
}

fn resolved(observation: &Observation) -> String {
    let names: Vec<&str> = observation.resolved.iter().map(String::as_str).collect();
    if names.is_empty() { NONE.to_owned() } else { names.join(" ") }
}

/// Runs the case file at `path` and writes the verdict to `out`.
///
/// Returns whether all passed.
pub fn run_file(path: &str, out: &mut dyn Write, between: &mut dyn FnMut()) -> Result<bool> {
    let case = io::read_to_string(File::open(path)?)?;
    Ok(run(&Case::parse(&case)?, out, between)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<String> {
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn no_clock_line_fails() {
        for text in ["", "all clocks are fine\n"] {
            let tests = clocks(&lines(text));
            assert_eq!(tests.len(), 1);
            assert!(tests[0].1.is_err());
        }
    }

    #[test]
    fn each_clock_is_a_test() {
        let tests = clocks(&lines("hello\nclock A 1 2 3\nclock B 1 4 3\nclock C 1\n"));
        let passed: Vec<_> =
            tests.iter().map(|(name, result)| (name.as_str(), result.is_ok())).collect();
        assert_eq!(passed, [("A", true), ("B", false), ("clock-line", false)]);
    }

    #[test]
    fn dates_lie_between() {
        assert!(date(&lines("5\n"), 5, 5).is_ok());
        for (text, before, after) in
            [("4\n", 5, 6), ("7\n", 5, 6), ("", 0, 9), ("x\n", 0, 9), ("1\n2\n", 0, 9)]
        {
            assert!(date(&lines(text), before, after).is_err(), "{text:?}");
        }
    }
}
