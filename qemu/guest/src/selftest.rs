//! Runs one of the kernel's own selftests, which come in two kinds: those that print TAP, and those
//! whose exit status is all that they say to a program.
//!
//! Many of them test signals, single steps and registers, so none is traced beyond its first stop,
//! where its image is read. What they resolved is therefore not known, and not asked: they look for
//! the image themselves.
//!
//! # Invariants
//!
//! 1. A selftest that prints nothing fails: its list has a test for its end.
//! 2. An exit status means what `kselftest.h` says: 0 passed, 4 skipped, everything else failed.

use crate::image::build_id;
use crate::ktap::{Ktap, Outcome};
use crate::observer::{self, End, Event};
use crate::relay::Relay;
use liblinux_protocol::case::Program;
use liblinux_protocol::report::{BUILD_ID, MISSING};
use std::collections::VecDeque;
use std::io;

/// `KSFT_SKIP` of `tools/testing/selftests/kselftest.h`.
const SKIP: i32 = 4;

/// The last lines of output, which are passed on: some print thousands.
const LINES: usize = 20;

/// Runs a selftest that prints TAP.
pub(crate) fn pass_on(program: &Program, list: &mut Ktap<'_>) -> io::Result<Result<(), String>> {
    let mut relay = Relay::new(list);
    let result = observer::run_untraced(program, &mut |event| match event {
        Event::Image(image) => relay.note(&format!("{BUILD_ID}: {}", build_id(image.as_ref()))),
        Event::Line(line) => relay.line(&line),
    });
    relay.finish(match result {
        // It said so in its list, too.
        Ok(End::Exited(SKIP)) => Ok(()),
        Ok(end) => end.check(),
        Err(error) => Err(format!("init: {error:#}")),
    })
}

/// Runs a selftest that tells by its exit status.
pub(crate) fn judge(program: &Program, list: &mut Ktap<'_>) -> io::Result<Result<(), String>> {
    list.plan(1)?;
    let mut last = VecDeque::new();
    let result = observer::run_untraced(program, &mut |event| match event {
        Event::Image(image) => list.note(&format!("{BUILD_ID}: {}", build_id(image.as_ref()))),
        Event::Line(line) => {
            if last.len() == LINES {
                last.pop_front();
            }
            last.push_back(line);
            Ok(())
        }
    });
    for line in last {
        list.note(&format!("output: {}", line.replace('\t', " ")))?;
    }
    let name =
        if matches!(result, Ok(End::Exited(_) | End::Signaled(_))) { "exit" } else { MISSING };
    list.test(name, &outcome(result))?;
    Ok(Ok(()))
}

fn outcome(result: anyhow::Result<End>) -> Outcome {
    match result {
        Ok(End::Exited(SKIP)) => {
            Outcome::Skip("the program says that it cannot run here".to_owned())
        }
        Ok(end) => end.check().into(),
        Err(error) => Outcome::Fail(format!("init: {error:#}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use liblinux_protocol::case::Check;
    use std::time::Duration;

    fn run(
        judge: impl Fn(&Program, &mut Ktap<'_>) -> io::Result<Result<(), String>>,
        script: &str,
    ) -> String {
        let program = Program {
            name: "x".into(),
            check: Check::Status,
            limit: Duration::from_secs(20),
            path: "/bin/sh".into(),
            arguments: vec!["-c".into(), script.into()],
        };
        let mut out = Vec::new();
        let mut list = Ktap::begin(&mut out).unwrap();
        judge(&program, &mut list).unwrap().unwrap_or_else(|wrong| {
            list.note(&format!("wrong: {wrong}")).unwrap();
        });
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_exit_status_tells() {
        for (script, expected) in [
            ("echo; exit 0", "ok 1 exit\n"),
            ("exit 4", "ok 1 exit # SKIP the program says that it cannot run here\n"),
            ("exit 1", "# the program exited with status 1; see the console\nnot ok 1 exit\n"),
            ("kill -SEGV $$", "# the program was killed by SIGSEGV\nnot ok 1 exit\n"),
            (
                "echo why >&2; exit 2",
                "# output: why\n# the program exited with status 2; see the console\nnot ok 1 exit\n",
            ),
        ] {
            let text = run(judge, script);
            assert!(
                text.ends_with(expected) && text.contains("\n# build-id: "),
                "{script}: {text}"
            );
        }
    }

    #[test]
    fn a_program_that_does_not_end_is_missing() {
        let hang = |program: &Program, list: &mut Ktap<'_>| {
            judge(&Program { limit: Duration::from_millis(100), ..program.clone() }, list)
        };
        let text = run(hang, "sleep 20");
        assert!(text.ends_with("\nnot ok 1 missing\n"), "{text}");
    }

    #[test]
    fn tap_is_passed_on() {
        let text = run(pass_on, "printf 'TAP version 13\\n1..2\\nok 1 a\\nnot ok 2 b\\n'; exit 1");
        assert!(
            text.contains("1..2\nok 1 a\n# b failed\nnot ok 2 b\n# wrong: the program exited"),
            "{text}"
        );
        let text = run(pass_on, "printf 'TAP version 13\\n1..0 # SKIP no\\n'; exit 4");
        assert!(text.ends_with("1..1\nok 1 all # SKIP no\n"), "{text}");
        assert!(run(pass_on, "").contains("not ok 1 missing\n# wrong"));
    }
}
