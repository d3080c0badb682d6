//! The image as a process has it mapped satisfies the checker, and every parser of it sees the
//! names that were built.
//!
//! `loaders` has the libcs and Go. Here are the kernel's own example of a parser, rustix, and
//! abseil.

use crate::workbench::{Workbench, end, succeed};
use liblinux_check::image::Image;
use liblinux_workspace::Workspace;
use rustix::time::{ClockId, clock_gettime};
use std::fmt::Write as _;
use std::fs::{self, File};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

/// Set in the environment of a test that runs once more, as a program under the runner.
const CHILD: &str = "LIBLINUX_TESTED_PROGRAM";

/// Names, offsets and sizes of what the built image exports, in hexadecimal, a line for each; and
/// how many there are.
fn exports(image: &[u8]) -> (String, usize) {
    let image = Image::read(image).unwrap();
    let exports = image.exports().unwrap();
    let mut lines = String::new();
    for export in &exports {
        writeln!(lines, "{} {:x} {:x}", export.name, export.value, export.size).unwrap();
    }
    (lines, exports.len())
}

/// The image as a process under the runner has it mapped.
fn mapped(bench: &Workbench) -> Vec<u8> {
    let mut child =
        bench.runner().arg("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    // It is a program with the image once it has said something.
    std::io::Write::write_all(child.stdin.as_mut().unwrap(), b"x").unwrap();
    std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut [0]).unwrap();
    let maps = fs::read_to_string(format!("/proc/{}/maps", child.id())).unwrap();
    let mapping = maps.lines().find(|line| line.contains("liblinux-vdso")).unwrap();
    let (range, _) = mapping.split_once(' ').unwrap();
    let (start, end) = range.split_once('-').unwrap();
    let [start, end] = [start, end].map(|digits| u64::from_str_radix(digits, 16).unwrap());
    let mut bytes = vec![0; usize::try_from(end - start).unwrap()];
    File::open(format!("/proc/{}/mem", child.id()))
        .unwrap()
        .read_exact_at(&mut bytes, start)
        .unwrap();
    drop(child.stdin.take());
    assert!(child.wait().unwrap().success());
    bytes
}

#[test]
fn the_mapped_image_satisfies_the_checker() {
    let bytes = mapped(&Workbench::new());
    let report =
        liblinux_check::check_as(&liblinux_check::profile::LIBLINUX, &bytes, None, None).unwrap();
    assert!(report.is_good() && report.held() > 0, "{report}");
    let built = fs::read(Workbench::image()).unwrap();
    assert_eq!(exports(&bytes), exports(&built));
}

/// Gives a program the list of exports; it must find them all.
fn finds_everything(bench: &Workbench, program: &Path) {
    let (lines, count) = exports(&fs::read(Workbench::image()).unwrap());
    let list = bench.path("exports");
    fs::write(&list, lines).unwrap();
    let output = succeed(bench.runner().arg(program).stdin(File::open(list).unwrap()));
    assert_eq!(output, format!("{count}\n"));
}

#[test]
fn the_kernels_own_parser() {
    let bench = Workbench::new();
    let workspace = Workspace::current();
    let folder =
        workspace.kernel(workspace.built_line()).join("source/tools/testing/selftests/vDSO");
    let parser = folder.join("parse_vdso.c");
    assert!(parser.is_file(), "there is no {}; run `cargo xtask boot` first", parser.display());
    let (include, parser) = (format!("-I{}", folder.display()), parser.display().to_string());
    let program = bench.build("parse", "parse.c", "gcc", &["-O2", &include, &parser]);
    finds_everything(&bench, &program);
}

#[test]
fn abseil() {
    let bench = Workbench::new();
    let flags =
        succeed(Command::new("pkg-config").args(["--cflags", "--libs", "absl_debugging_internal"]));
    // The library comes behind what needs it.
    let flags: Vec<&str> =
        ["-O2", "-Wl,--no-as-needed"].into_iter().chain(flags.split_whitespace()).collect();
    let program = bench.build("abseil", "abseil.cpp", "g++", &flags);
    finds_everything(&bench, &program);
}

/// With its assertions, among them one that a function lies in the image, and by its default
/// backend, which uses no libc.
#[test]
fn rustix() {
    if std::env::var_os(CHILD).is_some() {
        let coarse = clock_gettime(ClockId::RealtimeCoarse);
        assert!(clock_gettime(ClockId::Realtime) >= coarse);
        assert!(clock_gettime(ClockId::Monotonic) <= clock_gettime(ClockId::Monotonic));
        assert!(clock_gettime(ClockId::ProcessCPUTime).tv_nsec >= 0);
        rustix::thread::sched_getcpu();
        return;
    }
    let mut command = Workbench::new().runner();
    command
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "parsers::rustix"])
        .env(CHILD, "1");
    let (status, output, errors) = end(&mut command);
    assert!(status == 0 && output.contains("1 passed"), "{status}\n{output}{errors}");
}
