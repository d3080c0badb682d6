//! Debuggers and tracers see through musl that makes its calls by the image.

use crate::stacks::Waiting;
use crate::workbench::{Workbench, succeed};
use liblinux_workspace::Workspace;
use liblinux_workspace::skip::skip;
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How long the program may take until it waits.
const LIMIT: Duration = Duration::from_secs(60);

/// Flags for the program, which is linked in both ways, and the image's functions in which its
/// threads then wait. A static program that cancels no thread has no cancellation points.
const LINKED: [(&[&str], &str); 2] =
    [(&["-O1", "-g"], "__vdso_syscall_cancellable"), (&["-O1", "-g", "-static"], "__vdso_syscall")];

/// The compiler that links programs with that musl; none where its source cannot be had.
fn compiler() -> Option<String> {
    if let Some(why) = liblinux_libc::obstacle() {
        skip(&format!("musl cannot be built: {why}"));
        return None;
    }
    let musl = liblinux_libc::build(&Workspace::current(), None).expect("musl builds");
    Some(musl.compiler.to_string_lossy().into_owned())
}

/// The program, once one of its threads waits in `read` and the other for that thread.
fn waiting(bench: &Workbench, compiler: &str, flags: &[&str]) -> Waiting {
    let source = Workspace::current().libc().join("work/waits.c");
    let program = bench.compile("waits", &source, compiler, flags);
    let mut command = bench.runner();
    command.arg("--no-follow").arg(program).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = Waiting(command.spawn().expect("the runner starts"));
    let mut line = String::new();
    let output = child.0.stdout.as_mut().expect("a pipe");
    BufReader::new(output).read_line(&mut line).expect("a line");
    assert_eq!(line, "waiting\n");
    let deadline = Instant::now() + LIMIT;
    let tasks = format!("/proc/{}/task", child.0.id());
    while !["0 0x0 ", "202 0x"].iter().all(|call| is_in(Path::new(&tasks), call)) {
        assert!(Instant::now() < deadline, "the program does not wait in `read` and `futex`");
        std::thread::sleep(Duration::from_millis(2));
    }
    child
}

/// Whether one of the threads is in a call that the kernel describes by this beginning.
fn is_in(tasks: &Path, call: &str) -> bool {
    fs::read_dir(tasks).expect("the program's threads").flatten().any(|task| {
        fs::read_to_string(task.path().join("syscall")).is_ok_and(|text| text.starts_with(call))
    })
}

/// Whether one of the threads in a debugger's text has these functions, the innermost first.
fn has_stack(text: &str, functions: &[&str]) -> bool {
    text.split("\nThread ").any(|thread| {
        let mut wanted = functions.iter().peekable();
        for line in thread.lines().filter(|line| line.starts_with('#')) {
            let (name, _) = line.split_once(" (").unwrap_or((line, ""));
            let name = name.rsplit(' ').next().unwrap_or(name);
            wanted.next_if(|function| **function == name);
        }
        wanted.peek().is_none()
    })
}

#[test]
fn gdb_sees_the_callers_of_musl() {
    let Some(compiler) = compiler() else { return };
    for (flags, entry) in LINKED {
        let bench = Workbench::new();
        let child = waiting(&bench, &compiler, flags);
        let mut gdb = Command::new("gdb");
        gdb.args(["-nx", "-batch", "-p", &child.0.id().to_string()]);
        let text = succeed(gdb.args(["-ex", "thread apply all backtrace"]));
        for functions in [["read", "reader", "start"], ["__timedwait_cp", "__pthread_join", "main"]]
        {
            let functions = [&[entry][..], &functions].concat();
            assert!(has_stack(&text, &functions), "{flags:?}: no thread has {functions:?}\n{text}");
        }
    }
}

#[test]
fn strace_sees_the_calls_of_musl() {
    let Some(compiler) = compiler() else { return };
    let bench = Workbench::new();
    let mut child = waiting(&bench, &compiler, LINKED[0].0);
    let mut strace = Command::new("strace");
    strace.args(["-f", "-p", &child.0.id().to_string()]).stderr(Stdio::piped());
    let mut strace = strace.spawn().expect("strace starts");
    let mut output = BufReader::new(strace.stderr.take().expect("a pipe"));
    let mut said = Vec::new();
    let has = |said: &[u8], part: &str| String::from_utf8_lossy(said).contains(part);
    // Both calls last, so the line of one of them stays open.
    while !["read(0, ", "futex("].iter().all(|call| has(&said, call)) {
        let mut byte = [0];
        let read = output.read_exact(&mut byte);
        read.unwrap_or_else(|_| panic!("strace ended: {}", String::from_utf8_lossy(&said)));
        said.extend(byte);
    }
    drop(child.0.stdin.take());
    output.read_to_end(&mut said).expect("the rest");
    strace.wait().expect("strace ends");
    assert!(has(&said, "+++ exited with 0 +++"), "{}", String::from_utf8_lossy(&said));
}
