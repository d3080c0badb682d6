//! Signals, stops and ends: they are the program's own, seen by its own parent.

use crate::workbench::{Workbench, end, sh, succeed};
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;
use std::io::{BufRead as _, BufReader};
use std::os::unix::process::CommandExt as _;
use std::process::Stdio;

#[test]
fn ends_are_the_programs() {
    let bench = Workbench::new();
    for status in [0, 1, 7, 125, 126, 127, 255] {
        let (ended, output, errors) = end(&mut sh(bench.runner(), format!("exit {status}")));
        assert_eq!((ended, output.as_str(), errors.as_str()), (status, "", ""));
    }
    for (signal, number) in [("TERM", 15), ("KILL", 9), ("SEGV", 11), ("PIPE", 13), ("RTMIN+3", 37)]
    {
        let script = format!("ulimit -c 0; kill -{signal} $$");
        let mut command = bench.runner();
        assert_eq!(
            end(command.args(["bash", "-c", &script])),
            (128 + number, String::new(), String::new())
        );
    }
}

#[test]
fn the_parent_sees_stops() {
    let bench = Workbench::new();
    let mut command = sh(bench.runner(), "echo ready; exec sleep 100");
    // In a group of its own, whose parent is in another: no key stops a group whose parent could
    // not continue it.
    let mut child = command.process_group(0).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let pid = Pid::from_raw(child.id().cast_signed());
    let next = || waitpid(pid, Some(WaitPidFlag::WUNTRACED | WaitPidFlag::WCONTINUED)).unwrap();
    for signal in [Signal::SIGSTOP, Signal::SIGTSTP, Signal::SIGSTOP] {
        kill(pid, signal).unwrap();
        assert_eq!(next(), WaitStatus::Stopped(pid, signal));
        // It stays so: nothing in it continues.
        std::thread::sleep(std::time::Duration::from_millis(50));
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
        assert!(stat.contains(") t ") || stat.contains(") T "), "{stat}");
        kill(pid, Signal::SIGCONT).unwrap();
        assert_eq!(next(), WaitStatus::Continued(pid));
    }
    kill(pid, Signal::SIGTERM).unwrap();
    assert_eq!(next(), WaitStatus::Signaled(pid, Signal::SIGTERM, false));
    // The end was seen above.
    assert!(child.wait().is_err());
}

#[test]
fn a_stop_during_the_setup_is_not_lost() {
    let bench = Workbench::new();
    // A process that becomes program after program, and is stopped wherever it happens to be.
    let script = "n=$((${n:-0} + 1)); export n; [ $n -lt 400 ] && exec sh -c \"$s\"; exit 9";
    let mut child = sh(bench.runner(), script).env("s", script).spawn().unwrap();
    let pid = Pid::from_raw(child.id().cast_signed());
    let mut stops = 0;
    let status = loop {
        let _ = kill(pid, Signal::SIGSTOP);
        match waitpid(pid, Some(WaitPidFlag::WUNTRACED)).unwrap() {
            WaitStatus::Stopped(..) => {
                stops += 1;
                kill(pid, Signal::SIGCONT).unwrap();
                std::thread::sleep(std::time::Duration::from_millis(3));
            }
            WaitStatus::Exited(_, status) => break status,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(status, 9);
    assert!(stops > 20, "only {stops} stops");
    // The end was seen above.
    assert!(child.wait().is_err());
}

#[test]
fn handlers_see_the_sender_and_the_value() {
    let bench = Workbench::new();
    let script = r"import ctypes, os, signal
libc = ctypes.CDLL(None)
signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGRTMIN + 5])
libc.sigqueue(os.getpid(), signal.SIGRTMIN + 5, ctypes.c_void_p(4711))
info = signal.sigwaitinfo([signal.SIGRTMIN + 5])
print(info.si_pid == os.getpid(), info.si_code)
seen = []
for number in (signal.SIGUSR1, signal.SIGRTMIN + 7, signal.SIGALRM, signal.SIGTRAP):
    signal.signal(number, lambda number, frame: seen.append(number))
    os.kill(os.getpid(), number)
signal.setitimer(signal.ITIMER_REAL, 0.01)
signal.pause()
print([int(number) for number in seen])";
    assert_eq!(
        succeed(bench.runner().args(["python3", "-c", script])),
        "True -1\n[10, 41, 14, 5, 14]\n"
    );
}

#[test]
fn signals_that_leave_no_time_are_said() {
    let bench = Workbench::new();
    let timer = bench.build("timer", "timer.c", "gcc", &["-O2", "-Wall", "-Wextra", "-Werror"]);
    let (status, _, errors) = end(bench.runner().arg(&timer).arg("1000"));
    assert!(
        errors.contains("signal 34 comes again") && errors.contains("--no-follow"),
        "{status} {errors}"
    );
    assert_eq!((status, errors.lines().count()), (128 + 14, 1), "{errors}");
    let slow = end(bench.runner().arg(&timer).arg("10000000"));
    assert_eq!(slow, (128 + 14, String::new(), String::new()));
}

#[test]
fn if_the_tracer_dies_so_do_the_programs() {
    let bench = Workbench::new();
    let mut command = sh(bench.runner(), "grep TracerPid /proc/$$/status; sleep 100; true");
    let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let tracer = line.split_whitespace().last().unwrap().parse().unwrap();
    kill(Pid::from_raw(tracer), Signal::SIGTERM).unwrap();
    std::thread::sleep(std::time::Duration::from_millis(50));
    assert!(
        child.try_wait().unwrap().is_none(),
        "the tracer must outlive a signal that is sent to all processes"
    );
    kill(Pid::from_raw(tracer), Signal::SIGKILL).unwrap();
    let pid = Pid::from_raw(child.id().cast_signed());
    assert_eq!(waitpid(pid, None).unwrap(), WaitStatus::Signaled(pid, Signal::SIGKILL, false));
}
