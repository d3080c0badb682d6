//! Fork, threads and exec in every order, and what a program inherits.

use crate::workbench::{Workbench, end, sh, succeed};
use std::process::Command;
use std::time::{Duration, Instant};

/// The kernel's name of the image's mapping.
const NAME: &str = "/memfd:liblinux-vdso (deleted)\n";

#[test]
fn every_way_to_a_new_program_leads_to_the_image() {
    let bench = Workbench::new();
    let whereabouts = bench.whereabouts();
    let family = bench.build("family", "family.c", "gcc", &["-O2", "-Wall", "-Werror", "-pthread"]);
    for how in ["itself", "fork", "vfork", "clone", "thread", "fork-in-thread"] {
        assert_eq!(succeed(bench.runner().arg(&family).arg(how).arg(&whereabouts)), NAME, "{how}");
        // And from there once more, by each way.
        let mut twice = bench.runner();
        twice
            .arg(&family)
            .arg(how)
            .arg(&family)
            .arg("vfork")
            .arg(&family)
            .arg(how)
            .arg(&whereabouts);
        assert_eq!(succeed(&mut twice), NAME, "{how}");
    }
    // Without the runner there is the kernel's vDSO: `where` can tell.
    assert_eq!(end(&mut Command::new(&whereabouts)), (1, "[vdso]\n".into(), String::new()));
}

#[test]
fn chains_of_exec_keep_the_process() {
    let bench = Workbench::new();
    let whereabouts = bench.whereabouts();
    let script = format!(
        "echo $$; exec env sh -c 'echo $$; exec nice sh -c \"echo \\$\\$; exec {}\"'",
        whereabouts.display()
    );
    let output = succeed(&mut sh(bench.runner(), script));
    let lines: Vec<&str> = output.lines().collect();
    assert_eq!((lines[0], lines[1]), (lines[1], lines[2]));
    assert_eq!(format!("{}\n", lines[3]), NAME);
}

#[test]
fn a_script_is_run_by_its_interpreter() {
    let bench = Workbench::new();
    let script =
        bench.executable("script", format!("#!/bin/sh\n{}\n", bench.whereabouts().display()));
    let (status, output, errors) = end(bench.runner().arg("--verbose").arg(&script));
    assert_eq!((status, output.as_str()), (0, NAME));
    assert_eq!(errors.lines().count(), 2, "one line for the shell, one for `where`:\n{errors}");
}

#[test]
fn a_program_inherits_what_it_would_without_the_runner() {
    let bench = Workbench::new();
    let asked: [&[&str]; 6] = [
        &[
            "grep",
            "-E",
            "^(Sig[^Q]|Shd|Umask|Uid|Gid|Groups|NoNewPrivs|Seccomp|Cap)",
            "/proc/self/status",
        ],
        &["ls", "-l", "/proc/self/fd"],
        // Parent, group, session, terminal.
        &["cut", "-d", " ", "-f", "4-8", "/proc/self/stat"],
        &["cat", "/proc/thread-self/children", "/proc/self/oom_score_adj", "/proc/self/limits"],
        &["pwd"],
        &["env"],
    ];
    for shell in [
        "exec \"$@\"",
        "trap '' PIPE USR1 CHLD; exec \"$@\"",
        "exec \"$@\" <&-",
        "exec \"$@\" 2>&-",
        "exec \"$@\" 7</dev/null",
        "cd /; umask 27; ulimit -n 50; exec \"$@\"",
    ] {
        for words in asked {
            let run = |runner: Option<Command>| {
                let mut command = Command::new("sh");
                command.args(["-c", shell, "sh"]);
                if let Some(runner) = runner {
                    command.arg(runner.get_program()).args(runner.get_args());
                }
                let (status, output, errors) = end(command.args(words));
                // Times, and the numbers of pipes and processes.
                let lines = output
                    .lines()
                    .map(|line| line.split(" -> ").last().unwrap_or_default().to_owned());
                let is_listing = words[0] == "ls";
                let lines = lines.map(|line| {
                    if is_listing { line.replace(|c: char| c.is_ascii_digit(), "") } else { line }
                });
                (status, lines.collect::<Vec<_>>(), errors)
            };
            let (with, without) = (run(Some(bench.runner())), run(None));
            assert!(!without.1.is_empty(), "{without:?}");
            assert_eq!(with, without, "{shell}: {words:?}");
        }
    }
}

#[test]
fn nobody_waits_for_a_daemon_that_let_go_of_its_streams() {
    let bench = Workbench::new();
    let start = Instant::now();
    let (status, output, errors) =
        end(&mut sh(bench.runner(), "setsid sleep 20 </dev/null >/dev/null 2>&1 & echo $!"));
    assert!(start.elapsed() < Duration::from_secs(15), "the runner held a stream open");
    assert_eq!((status, errors.as_str()), (0, ""));
    // It is still served: its next program would get the image.
    let status = std::fs::read_to_string(format!("/proc/{}/status", output.trim())).unwrap();
    assert!(!status.contains("TracerPid:\t0\n"), "{status}");
    succeed(Command::new("kill").arg(output.trim()));
}

#[test]
fn a_child_that_wants_no_tracer_has_the_kernels_vdso() {
    let bench = Workbench::new();
    let whereabouts = bench.whereabouts();
    let family = bench.build("family", "family.c", "gcc", &["-O2", "-Wall", "-Werror", "-pthread"]);
    // And so has what it starts, as the guide says.
    for words in [&["untraced"][..], &["untraced", "fork"], &["fork", "untraced", "vfork"]] {
        let mut command = bench.runner();
        for how in words {
            command.arg(&family).arg(how);
        }
        assert_eq!(
            end(command.arg(&whereabouts)),
            (1, "[vdso]\n".into(), String::new()),
            "{words:?}"
        );
    }
}

#[test]
fn no_follow_lets_go() {
    let bench = Workbench::new();
    let whereabouts = bench.whereabouts().display().to_string();
    let (status, output, _) = end(&mut sh(
        {
            let mut runner = bench.runner();
            runner.arg("--no-follow");
            runner
        },
        format!("grep Tracer /proc/$$/status; {whereabouts}"),
    ));
    assert_eq!((status, output.as_str()), (1, "TracerPid:\t0\n[vdso]\n"));
    assert_eq!(succeed(bench.runner().arg("--no-follow").arg(whereabouts)), NAME);
}

#[test]
fn debuggers_see_the_image_in_the_kernels_copy_of_the_vector() {
    let bench = Workbench::new();
    // AT_SYSINFO_EHDR (33) of /proc/self/auxv is where the named mapping begins that can be
    // executed.
    let script = "import struct
auxv = dict(struct.iter_unpack('QQ', open('/proc/self/auxv', 'rb').read()))
maps = [line.split() for line in open('/proc/self/maps')]
print([m[5] for m in maps if int(m[0].split('-')[0], 16) == auxv[33]])";
    assert_eq!(
        succeed(bench.runner().args(["python3", "-c", script])),
        "['/memfd:liblinux-vdso']\n"
    );
}
