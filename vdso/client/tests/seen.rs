//! Debuggers and core files at a fault that landed with a frame, by a handler in place of the
//! kernel.

use liblinux_tests::image::Image;
use liblinux_workspace::skip::skip;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::LazyLock;

/// `seen.c`, compiled.
static PROGRAM: LazyLock<PathBuf> = LazyLock::new(|| {
    let client = Path::new(env!("CARGO_MANIFEST_DIR"));
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join("seen");
    let mut gcc = Command::new("gcc");
    gcc.args(["-O2", "-g", "-Wall", "-Wextra", "-Werror", "-Wno-unused-function"]);
    gcc.arg("-I").arg(client.join("include")).arg(client.join("tests/seen.c"));
    assert!(gcc.arg("-o").arg(&program).status().expect("gcc runs").success());
    program
});

/// The words that a debugger prints.
fn gdb(arguments: &[&str]) -> String {
    let mut gdb = Command::new("gdb");
    let output = gdb.args(["-nx", "-batch"]).args(arguments).output().expect("gdb runs");
    [output.stdout, output.stderr]
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .concat()
}

/// Whether functions are in a backtrace in this order.
fn has_in_order(trace: &str, functions: &[&str]) -> bool {
    let mut frames = trace.lines().filter(|line| line.starts_with('#'));
    functions.iter().all(|name| frames.any(|line| line.contains(&format!("{name} ("))))
}

/// The program's parent, which ends with its child.
struct Waiting(Child, String);

impl Drop for Waiting {
    fn drop(&mut self) {
        let _ = Command::new("kill").args(["-9", &self.1]).status();
        let _ = self.0.wait();
    }
}

#[test]
fn a_debugger_sees_main_from_a_landings_function() {
    let mut command = Command::new(&*PROGRAM);
    command.arg(Image::path()).arg("wait").stdout(Stdio::piped());
    let mut parent = command.spawn().expect("it starts");
    let mut line = String::new();
    let output = parent.stdout.take().expect("a pipe");
    BufReader::new(output).read_line(&mut line).expect("it lands");
    let child = Waiting(parent, line.trim().to_owned());
    let trace = gdb(&["-p", &child.1, "-ex", "bt"]);
    assert!(has_in_order(&trace, &["on_fault", "load_it", "main"]), "{trace}");
}

#[test]
fn a_declined_fault_leaves_a_core_file_at_its_instruction() {
    let pattern = std::fs::read_to_string("/proc/sys/kernel/core_pattern").expect("a pattern");
    if pattern.contains(['|', '/', '%']) {
        return skip(&format!("core_pattern is `{}` and not a plain name", pattern.trim()));
    }
    let folder = tempfile::tempdir().expect("a folder");
    let mut command = Command::new("sh");
    command.args(["-c", "ulimit -c unlimited; \"$@\"", "sh"]).arg(&*PROGRAM);
    command.arg(Image::path()).arg("decline").current_dir(folder.path());
    let said = command.output().expect("it runs").stdout;
    assert_eq!(String::from_utf8_lossy(&said), "1 tests, 1 failed\n", "it ends by the signal");
    let core = std::fs::read_dir(folder.path()).expect("a folder").next().expect("a core file");
    let core = core.expect("a file").path();
    let (program, core) = (PROGRAM.to_str().expect("UTF-8"), core.to_str().expect("UTF-8"));
    let seen = gdb(&[program, core, "-ex", "bt", "-ex", "x/i $pc", "-ex", "p $_siginfo.si_signo"]);
    assert!(has_in_order(&seen, &["load_it", "main"]), "{seen}");
    let instruction = seen.lines().find(|line| line.starts_with("=> ")).unwrap_or_default();
    assert!(instruction.contains("<load_it") && instruction.contains("mov    ("), "{seen}");
    assert!(seen.contains("$1 = 11"), "{seen}");
    assert!(!seen.contains("on_fault"), "{seen}");
}
