//! Job control, with an interactive shell on a terminal of its own.

use crate::workbench::Workbench;
use nix::libc;
use nix::pty::openpty;
use nix::unistd::tcgetpgrp;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::process::{Child, Command};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// How long an answer may take.
const LIMIT: Duration = Duration::from_secs(30);

/// How often it is looked for.
const TICK: Duration = Duration::from_millis(50);

/// Looks at the jobs. Bash 5.2 can miss the end of a job that it has just killed, runner or not,
/// until it waits for something else.
const LOOK: &str = "/bin/true; jobs\n";

/// A shell and its terminal.
struct Shell {
    terminal: File,
    output: Receiver<Vec<u8>>,
    /// Output that was read and not looked for yet.
    pending: String,
    shell: Child,
}

impl Shell {
    fn start() -> Self {
        let pair = openpty(None, None).unwrap();
        let (terminal, slave) = (File::from(pair.master), pair.slave);
        // Tests that run in the background may ignore SIGINT, and a shell that inherits that cannot
        // change it.
        let mut command = Command::new("env");
        command.args([
            "--default-signal",
            "setsid",
            "--ctty",
            "bash",
            "--norc",
            "--noediting",
            "-i",
        ]);
        command.env("PS1", "").env("TERM", "dumb");
        command.stdin(slave.try_clone().unwrap()).stdout(slave.try_clone().unwrap()).stderr(slave);
        let shell = command.spawn().unwrap();
        let mut reader = terminal.try_clone().unwrap();
        let (sender, output) = channel();
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            // The terminal's end is an error.
            while let Ok(count) = reader.read(&mut bytes) {
                if sender.send(bytes[..count].to_vec()).is_err() {
                    break;
                }
            }
        });
        Self { terminal, output, pending: String::new(), shell }
    }

    fn send(&mut self, keys: &str) {
        self.terminal.write_all(keys.as_bytes()).unwrap();
    }

    /// Waits until `text` was printed.
    fn expect(&mut self, text: &str) {
        let deadline = Instant::now() + LIMIT;
        loop {
            if let Some(place) = self.pending.find(text) {
                self.pending.drain(..place + text.len());
                return;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            let bytes = self.output.recv_timeout(left);
            let bytes = bytes.unwrap_or_else(|_| panic!("no `{text}` in {:?}", self.pending));
            self.pending.push_str(&String::from_utf8_lossy(&bytes));
        }
    }
}

impl Shell {
    /// Types a command until `text` was printed.
    fn repeat(&mut self, command: &str, text: &str) {
        let deadline = Instant::now() + LIMIT;
        while !self.pending.contains(text) {
            assert!(Instant::now() < deadline, "no `{text}` in {:?}", self.pending);
            self.send(command);
            std::thread::sleep(TICK);
            self.pending.extend(
                self.output.try_iter().map(|bytes| String::from_utf8_lossy(&bytes).into_owned()),
            );
        }
        self.expect(text);
    }

    /// Waits until the terminal is a job's, and the shell waits for that: a job that ends before is
    /// missed by bash 5.2.
    fn await_job(&self) {
        let deadline = Instant::now() + LIMIT;
        let shell = self.shell.id().cast_signed();
        let waits = format!("{} ", libc::SYS_wait4);
        while tcgetpgrp(&self.terminal).unwrap().as_raw() == shell
            || !std::fs::read_to_string(format!("/proc/{shell}/syscall"))
                .unwrap()
                .starts_with(&waits)
        {
            assert!(Instant::now() < deadline, "the shell starts no job; {:?}", self.pending);
            std::thread::sleep(TICK);
        }
    }
}

impl Drop for Shell {
    fn drop(&mut self) {
        // An error means that it is gone already.
        let _ = self.shell.kill();
        let _ = self.shell.wait();
    }
}

#[test]
fn keys_stop_continue_and_interrupt_a_job() {
    let bench = Workbench::new();
    let runner = bench.runner();
    let words = std::iter::once(runner.get_program()).chain(runner.get_args());
    let runner = words.map(|word| word.to_str().unwrap().to_owned()).collect::<Vec<_>>().join(" ");
    let mut shell = Shell::start();

    // Typed commands are echoed, so what is waited for is never written as it is printed. The shell
    // becomes `sleep`: one that waits for a child made by vfork cannot be stopped before the child
    // has become its program, runner or not.
    shell.send(&format!("{runner} sh -c 'echo be''gun; exec sleep 100'\n"));
    shell.expect("begun");
    shell.send("\x1a");
    shell.expect("Stopped");
    shell.send("echo status=$?; jobs -l\n");
    shell.expect("status=148");
    shell.expect("Stopped");
    shell.send("bg; jobs -r\n");
    shell.expect("Running");
    shell.send("fg\n");
    shell.await_job();
    shell.send("\x03");
    shell.send("echo status=$?\n");
    shell.expect("status=130");

    // A pipeline is one job.
    shell.send(&format!("{runner} sh -c 'echo be''gun >&2; exec sleep 100' | {runner} cat\n"));
    shell.expect("begun");
    shell.send("\x1a");
    shell.expect("Stopped");
    shell.send("kill %1\n");
    shell.repeat(LOOK, "Terminated");

    // The program is in the foreground: it may read, and knows the size.
    shell.send(&format!(
        "{runner} python3 -c 'import os; print(os.tcgetpgrp(0) == os.getpgrp(), os.getsid(0) == os.getppid(), input())'\n"
    ));
    shell.send("a li''ne\n");
    shell.expect("True True a li''ne");

    // In the background it is stopped when it reads.
    shell.send(&format!("{runner} cat &\n"));
    shell.repeat(LOOK, "Stopped");
    shell.send("kill -9 %%\n");
    shell.repeat(LOOK, "Killed");
}
