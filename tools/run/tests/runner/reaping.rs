//! Waiting for children: each is the program's own, is there to be reaped when it has ended, and there is no other.

use crate::workbench::{Workbench, end};
use std::process::Command;

/// A command, ended with status 124 if it hangs.
fn limited(words: &[&str]) -> Command {
    let mut command = Command::new("timeout");
    command.args(["--signal=KILL", "60"]).args(words);
    command
}

/// `words` in front of the runner with that program.
fn with_runner(bench: &Workbench, words: &[&str], program: &[&str]) -> Command {
    let runner = bench.runner();
    let mut command = limited(words);
    command.arg(runner.get_program()).args(runner.get_args()).args(program);
    command
}

#[test]
fn a_child_whose_pidfd_is_readable_can_be_reaped() {
    let bench = Workbench::new();
    let reap = bench.build("reap", "reap.c", "gcc", &["-O2", "-Wall", "-Wextra", "-Werror", "-pthread"]);
    let none_early = "exit 0\ngroup 0\nthread-exec 0\nleader 0\nvfork 0\nkill 0\nterm 0\n";
    // On one processor the tracer is often late.
    for place in [&["env"][..], &["taskset", "-c", "0"]] {
        let mut command = with_runner(&bench, place, &[]);
        assert_eq!(end(command.arg(&reap)), (0, none_early.into(), String::new()), "{place:?}");
    }
}
