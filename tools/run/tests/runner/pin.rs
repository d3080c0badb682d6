//! `--pin`: system calls come from the image alone, and a report says which were made.

use crate::workbench::{Workbench, end};
use liblinux_workspace::Workspace;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

/// The report, once the runner has written it.
fn report(path: &Path) -> String {
    let begun = Instant::now();
    loop {
        match fs::read_to_string(path) {
            Ok(text) => return text,
            Err(_) if begun.elapsed() < Duration::from_secs(20) => {
                std::thread::sleep(Duration::from_millis(5));
            }
            Err(error) => panic!("{}: {error}", path.display()),
        }
    }
}

#[test]
fn every_thread_of_a_program_that_calls_by_the_image_runs() {
    let bench = Workbench::new();
    let client = Workspace::current().client();
    let include = format!("-I{}", client.join("include").display());
    let flags = ["-O2", "-static", "-nostdlib", "-ffreestanding", "-fno-stack-protector", &include];
    let program = bench.compile("threads", &client.join("examples/threads.c"), "gcc", &flags);
    let path = bench.path("report");
    let (status, _, errors) = end(bench.runner().arg("--pin").arg(&path).arg(program));
    assert_eq!(status, 0, "{errors}");
    let text = report(&path);
    assert!(text.contains("violations 0\n") && text.contains("\ncall clone"), "{text}");
    let threads = text.lines().next().and_then(|line| line.strip_prefix("threads "));
    assert!(threads.is_some_and(|count| count.parse::<usize>().unwrap() > 1), "{text}");
}

#[test]
fn a_call_from_elsewhere_is_a_signal_and_is_reported() {
    let bench = Workbench::new();
    let path = bench.path("report");
    let (status, _, errors) = end(bench.runner().arg("--pin").arg(&path).arg("true"));
    assert_eq!(status, 128 + nix::libc::SIGSYS, "{errors}");
    let text = report(&path);
    assert!(text.contains("violations 1\n") && text.contains("ld-linux"), "{text}");
}

#[test]
fn a_report_that_cannot_be_written_is_refused_before_the_program_runs() {
    let bench = Workbench::new();
    let path = bench.path("nonesuch/report");
    let (status, said, errors) = end(bench.runner().arg("--pin").arg(&path).args(["echo", "ran"]));
    assert_eq!((status, said.as_str()), (125, ""), "{errors}");
    assert!(errors.contains("nonesuch/report"), "{errors}");
}
