//! Waiting for children: each is the program's own, and can be reaped when it has ended. The
//! program has no others.

use crate::workbench::{Workbench, end, is_root, succeed};
use std::process::Command;

/// Makes two children and an orphan, which becomes its child if it adopts orphans; then waits until
/// it has no children.
const WAITS: &str = "import os, sys
for status in (1, 2):
    if os.fork() == 0: os._exit(status)
if os.fork() == 0:
    if os.fork() == 0: os.execvp('sleep', ['sleep', '0.2'])
    os._exit(3)
count = 0
try:
    while True: os.wait(); count += 1
except ChildProcessError: print(count)";

/// Becomes its arguments, with orphans coming to this process (`PR_SET_CHILD_SUBREAPER`).
const ADOPTS: &str = "import ctypes, os, sys
assert ctypes.CDLL(None).prctl(36, 1) == 0
os.execvp(sys.argv[1], sys.argv[1:])";

/// The same, and it starts them instead of becoming them, and waits until it has no children.
const ADOPTS_AND_WAITS: &str = "import ctypes, os, sys
assert ctypes.CDLL(None).prctl(36, 1) == 0
child = os.fork()
if child == 0: os.execvp(sys.argv[1], sys.argv[1:])
statuses = {}
try:
    while True:
        pid, status = os.wait()
        statuses[pid] = status
except ChildProcessError: pass
print('status', statuses[child])";

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
    let reap =
        bench.build("reap", "reap.c", "gcc", &["-O2", "-Wall", "-Wextra", "-Werror", "-pthread"]);
    let none_early = "exit 0\ngroup 0\nthread-exec 0\nleader 0\nvfork 0\nkill 0\nterm 0\n";
    // On one processor the tracer is often late.
    for place in [&["env"][..], &["taskset", "-c", "0"]] {
        let mut command = with_runner(&bench, place, &[]);
        assert_eq!(end(command.arg(&reap)), (0, none_early.into(), String::new()), "{place:?}");
    }
}

#[test]
fn the_first_process_of_a_namespace_has_its_own_children_alone() {
    let bench = Workbench::new();
    if !is_root() {
        return;
    }
    let namespace = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"];
    let program = ["python3", "-c", WAITS];
    assert_eq!(succeed(&mut with_runner(&bench, &namespace, &program)), "4\n");
    assert_eq!(succeed(limited(&namespace).args(program)), "4\n", "without the runner");
    // It dies as such a process does, and all others with it: none of them holds the output open.
    let script = "sleep 100 & sleep 100 & exit 7";
    assert_eq!(end(&mut with_runner(&bench, &namespace, &["sh", "-c", script])).0, 7);
    // An init that is not traced, beside the runner.
    let runner = bench.runner();
    let words = runner.get_args().map(|word| word.to_str().expect("text"));
    let words: Vec<_> = std::iter::once(env!("CARGO_BIN_EXE_liblinux-run")).chain(words).collect();
    let mut init = limited(&namespace);
    init.args(["python3", "-c", ADOPTS_AND_WAITS]).args(words).args(program);
    assert_eq!(succeed(&mut init), "3\nstatus 0\n");
}

#[test]
fn a_process_that_adopts_has_its_own_children_alone() {
    let bench = Workbench::new();
    let program = ["python3", "-c", WAITS];
    let adopts = ["python3", "-c", ADOPTS];
    assert_eq!(succeed(&mut with_runner(&bench, &adopts, &program)), "4\n");
    assert_eq!(succeed(limited(&adopts).args(program)), "4\n", "without the runner");
    // One such process in another, outside of the runner, in it, and on both sides.
    let waits = ["python3", "-c", ADOPTS_AND_WAITS];
    let nested: Vec<&str> = waits.iter().chain(&adopts).chain(&program).copied().collect();
    assert_eq!(succeed(&mut with_runner(&bench, &waits, &program)), "3\nstatus 0\n");
    assert_eq!(succeed(&mut with_runner(&bench, &["env"], &nested)), "4\nstatus 0\n");
    assert_eq!(succeed(&mut with_runner(&bench, &waits, &nested)), "4\nstatus 0\nstatus 0\n");
    let both: Vec<&str> = adopts.iter().chain(&waits).copied().collect();
    assert_eq!(succeed(&mut with_runner(&bench, &both, &nested)), "4\nstatus 0\nstatus 0\n");
    assert_eq!(succeed(&mut with_runner(&bench, &adopts, &nested)), "4\nstatus 0\n");
}

#[test]
fn a_process_that_adopts_sees_none_after_no_follow() {
    let bench = Workbench::new();
    let mut command =
        with_runner(&bench, &["python3", "-c", ADOPTS], &["--no-follow", "python3", "-c", WAITS]);
    assert_eq!(succeed(&mut command), "4\n");
}
