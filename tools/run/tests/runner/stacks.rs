//! Debuggers and unwinders see the caller of a standard function.

use crate::workbench::{Workbench, end, succeed};
use liblinux_workspace::skip::skip;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

fn fault(bench: &Workbench) -> PathBuf {
    bench.build("fault", "fault.c", "gcc", &["-O1", "-g", "-Wall", "-Werror"])
}

/// Runs a debugger on a process or a core file: from `clock_gettime` it has to see `main`.
fn sees_main(mut debugger: Command) {
    let (_, output, errors) = end(&mut debugger);
    // What follows a function's name is its arguments and its file, whose path may have any name.
    let frames: Vec<&str> = output
        .lines()
        .filter(|line| line.trim_start().starts_with('#'))
        .map(|line| line.split_once(" (").map_or(line, |(name, _)| name))
        .collect();
    let place = |name: &str| frames.iter().position(|line| line.contains(name));
    let (time, main) = (place("clock_gettime"), place("main"));
    assert!(time.is_some() && time < main, "{debugger:?}\n{output}{errors}");
}

#[test]
fn samples_of_a_profiler_reach_main() {
    let bench = Workbench::new();
    let program = bench.build("samples", "samples.c", "gcc", &["-O2", "-Wall", "-Werror"]);
    for mut command in [Command::new(&program), bench.runner()] {
        if command.get_program() != program {
            command.arg(&program);
        }
        let output = succeed(&mut command);
        let (inside, reached) = output.trim_end().split_once(' ').unwrap();
        assert!(
            inside == reached && inside != "0",
            "{command:?}: of {inside} samples {reached} reach main"
        );
    }
}

/// A program that waits, until the test ends.
pub(crate) struct Waiting(pub(crate) Child);

impl Drop for Waiting {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A program that has faulted in a standard function, and waits in its handler.
fn stopped(bench: &Workbench) -> Waiting {
    let mut command = bench.runner();
    command.arg("--no-follow").arg(fault(bench)).arg("stay").stdout(Stdio::piped());
    let mut child = Waiting(command.spawn().unwrap());
    let mut line = String::new();
    BufReader::new(child.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "faulted\n");
    child
}

#[test]
fn debuggers_see_the_caller_of_a_standard_function() {
    let bench = Workbench::new();
    let child = stopped(&bench);
    let pid = child.0.id().to_string();
    let mut gdb = Command::new("gdb");
    gdb.args(["-nx", "-batch", "-p", &pid, "-ex", "bt"]);
    sees_main(gdb);
    let mut elfutils = Command::new("eu-stack");
    elfutils.args(["-p", &pid]);
    sees_main(elfutils);
}

/// Where the kernel puts core files, as a pattern that makes one in the present folder; none if a
/// program gets them.
fn core_pattern() -> Option<String> {
    let pattern = fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap();
    let pattern = pattern.trim_end();
    let is_plain = !pattern.contains(['|', '/', '%']);
    if !is_plain {
        skip(&format!("/proc/sys/kernel/core_pattern is `{pattern}` and not a plain name"));
    }
    is_plain.then(|| pattern.to_owned())
}

/// The core file of a fault in a standard function of a program under the runner.
fn core(bench: &Workbench, pattern: &str) -> PathBuf {
    let (fault, runner) = (fault(bench), bench.runner());
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -c unlimited; \"$@\"; test $? = 139", "sh"]);
    command
        .arg(runner.get_program())
        .args(runner.get_args())
        .arg(fault)
        .current_dir(bench.path(""));
    let (status, _, errors) = end(&mut command);
    assert_eq!(status, 0, "{errors}");
    let is_core = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().starts_with(pattern);
    let mut files =
        fs::read_dir(bench.path("")).unwrap().map(|entry| entry.unwrap().path()).filter(is_core);
    files.next().expect("a core file")
}

#[test]
fn core_files_hold_the_image() {
    let bench = Workbench::new();
    let Some(pattern) = core_pattern() else { return };
    let core = core(&bench, &pattern);
    // The image is where the auxiliary vector says, and all of it is in the file: its first bytes
    // and its last table.
    let vector = succeed(Command::new("eu-readelf").arg("-n").arg(&core));
    let vector = vector.lines().find_map(|line| line.trim().strip_prefix("SYSINFO_EHDR: 0x"));
    let address = u64::from_str_radix(vector.expect("an auxiliary vector"), 16).unwrap();
    let segments = succeed(Command::new("readelf").args(["-lW"]).arg(&core));
    let number = |text: &str| u64::from_str_radix(text.trim_start_matches("0x"), 16).unwrap();
    let segment = segments.lines().find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let is_image = fields.first() == Some(&"LOAD") && number(fields[2]) == address;
        is_image.then(|| [1, 4, 5].map(|field: usize| number(fields[field])))
    });
    let [offset, held, size] = segment.expect("the image's segment");
    assert_eq!(held, size, "bytes of the image in the core file");
    let mut bytes = vec![0; usize::try_from(size).unwrap()];
    fs::File::open(&core).unwrap().read_exact_at(&mut bytes, offset).unwrap();
    let image = bench.path("from-core");
    fs::write(&image, bytes).unwrap();
    let symbols =
        succeed(Command::new("readelf").args(["--dyn-syms", "-W"]).arg(Path::new(&image)));
    assert!(symbols.contains("__vdso_openat"), "{symbols}");

    let mut gdb = Command::new("gdb");
    gdb.args(["-nx", "-batch", "-ex", "bt"]).arg(bench.path("fault")).arg(&core);
    sees_main(gdb);
    let mut elfutils = Command::new("eu-stack");
    elfutils.arg("--core").arg(&core).arg("-e").arg(bench.path("fault"));
    sees_main(elfutils);
}
